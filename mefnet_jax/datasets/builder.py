"""The base class of the TFDS builders: one split for each subject.

The records are ArrayRecord files and need no TensorFlow. A prepared dataset is
read without the images that it was made from:

    builder = tfds.builder('smic/hs', data_dir=...)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=RELEASE))
    source = builder.as_data_source('s01+s02')
"""

import collections
import contextlib
import dataclasses
import io
import shutil
import typing

import numpy as np
import tensorflow_datasets as tfds

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import clips, maps, motion_clips, pool
from mefnet_jax.runs import cache, errors

if typing.TYPE_CHECKING:
  import rich.progress

  from mefnet_jax.preprocess import clip_records

# Of the format of the records; the config's name identifies their content.
VERSION = '1.1.0'
LOCK = '.lock'


@dataclasses.dataclass(eq=False, kw_only=True)
class Config(tfds.core.BuilderConfig):
  """Which clips of a release, and how they are prepared.

  Attributes:
    subset, labels, expressions, images, table: as for `registry.read`.
    classes: names of the labels, where the release itself defines them.
    options: the options of the preparation.
  """

  subset: str = 'hs'
  labels: str = 'emotion3'
  expressions: str = 'micro'
  images: str = 'auto'
  table: str = ''
  classes: tuple[str, ...] = ()
  options: clips.Options | maps.Options | motion_clips.Options = clips.Options()

  def reading(self) -> dict[str, str]:
    """Returns the keyword arguments of `registry.read`."""
    return {field: getattr(self, field) for field in registry.READING}


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Prepares the clips of one release; a subclass names it.

  Safe for several processes at once: one prepares, the others wait and find
  the clips prepared. Files that a killed process has left are removed.
  """

  VERSION = tfds.core.Version(VERSION)
  # TFDS looks for checksums beside the code, with a package it does not
  # require (importlib_resources); nothing is downloaded here.
  code_path = None
  RELEASE = ''
  CLASSES: typing.ClassVar = {}  # label set -> names

  def __init__(self, *, file_format='array_record', **kwargs):
    self.release: clip_records.Release | None = None
    self.workers = 0
    self.cluster = ''
    self.progress: rich.progress.Progress | None = None
    super().__init__(file_format=file_format, **kwargs)

  def prepare(self, release: 'clip_records.Release') -> None:
    """Prepares the clips of a release that was read, unless they are there.

    Raises:
      errors.UserError: not one clip could be prepared; its attribute `findings`
        holds the reasons.
    """
    self.release = release
    manual = tfds.download.DownloadConfig(manual_dir=release.root)
    self.download_and_prepare(download_config=manual)

  def download_and_prepare(self, **kwargs: object) -> None:
    """Prepares the clips unless they are there; as in any TFDS builder.

    Raises:
      errors.UserError: the release is missing or of another layout, or not
        one clip could be prepared.
    """
    pool.refuse_spawned()
    with cache.lock(self.data_path.parent / LOCK):
      # Left by a process that was killed; TFDS would never remove it. Two
      # builders at once would also trip over each other, hence the lock.
      for stray in self.data_path.parent.glob('incomplete.*'):
        shutil.rmtree(stray, ignore_errors=True)
      if not self.data_path.exists():
        with _quiet():
          super().download_and_prepare(**kwargs)

  def _info(self):
    config = self.builder_config
    shapes = config.options.shapes()
    features = {stream: _pixels(shape) for stream, shape in shapes.items()}
    for number in ('onset', 'apex', 'offset'):
      features[number] = np.int64
    names = config.classes or self.CLASSES[config.labels]
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.__doc__,
      features=tfds.features.FeaturesDict(
        {
          **features,
          'frame_numbers': tfds.features.Tensor(shape=(None,), dtype=np.int64),
          'label': tfds.features.ClassLabel(names=list(names)),
          'subject': tfds.features.Text(),
          'clip': tfds.features.Text(),
          'database': tfds.features.Text(),
        }
      ),
      metadata=tfds.core.MetadataDict(),
      # In the order of the release; TFDS would shuffle by a hash of the keys.
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    config = self.builder_config
    release = self.release or registry.read(
      self.RELEASE, dl_manager.manual_dir, **config.reading()
    )
    prepared = pool.prepare(
      release.rows,
      config.options,
      workers=self.workers,
      cluster=self.cluster,
      progress=self.progress,
    )
    found = [finding for made in prepared for finding in made.findings]
    self.info.metadata['findings'] = [
      list(dataclasses.astuple(f)) for f in found
    ]
    self.info.metadata['synthetic'] = release.synthetic
    by_subject = collections.defaultdict(list)
    for row, made in zip(release.rows, prepared, strict=True):
      if made.streams is not None:
        by_subject[row.subject].append((row, made.streams))
    if not by_subject:
      error = errors.UserError(f'{release.root}: no clip could be prepared')
      error.findings = (*release.findings, *found)
      raise error
    return {
      subject: self._generate_examples(by_subject[subject])
      for subject in sorted(by_subject)
    }

  def _generate_examples(self, pairs):
    for key, (row, streams) in enumerate(pairs):
      yield key, _example(row, streams)


def _pixels(shape):
  """The TFDS feature of a stream."""
  return tfds.features.Tensor(
    shape=shape,
    dtype=np.uint8,
    # TFDS's default encoding is 20 times slower to read.
    encoding=tfds.features.Encoding.BYTES,
  )


def _example(row: 'clip_records.Row', streams):
  """The record of a clip."""
  return {
    **streams,
    'onset': row.onset,
    'apex': row.apex,
    'offset': row.offset,
    'frame_numbers': np.array(row.numbers, np.int64),
    'label': row.label,
    'subject': row.subject,
    'clip': row.clip,
    'database': row.database,
  }


@contextlib.contextmanager
def _quiet():
  """Keeps TFDS's announcements and bars off the terminal."""
  tfds.disable_progress_bar()
  with contextlib.redirect_stdout(io.StringIO()):
    yield
