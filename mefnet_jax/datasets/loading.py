"""Loads the clips of a config: reads them, prepares them once, checks them."""

import dataclasses
import math
import shutil
import typing
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from absl import logging

from mefnet_jax.datasets import (
  builder,
  builders,
  fingerprint,
  from_config,
  modalities,
  prepared_clips,
  registry,
  streaming,
)
from mefnet_jax.preprocess import map_check, pool
from mefnet_jax.runs import cache, errors, findings

if typing.TYPE_CHECKING:
  import ml_collections
  import rich.progress

_READING = registry.READING


def load(
  dataset: 'ml_collections.ConfigDict',
  *,
  memory: float = math.inf,
  progress: 'rich.progress.Progress | None' = None,
  check: 'Callable[[Sequence], object] | None' = None,
) -> prepared_clips.Clips:
  """Loads the clips of a release, prepared now or in an earlier run.

  Args:
    dataset: `config.dataset` of configs/base.py; is not changed.
    memory: bytes that their pixels may take; if they need more, they stay on
      the disk and are read batch by batch (`streaming`).
    progress: a bar to add a task to; by default one on the terminal.
    check: called with the rows of the release before they are prepared, so that
      the errors.UserError that it may raise comes within seconds.

  Raises:
    errors.UserError: the release is missing or of another layout, or too few of
      its clips are usable. Its attribute `findings` holds the findings on it.
  """
  pool.refuse_spawned()
  options = from_config.options(dataset)
  # Options first: they cost nothing, and reading a release takes seconds.
  options.check()
  modalities.check(dataset)
  release = from_config.release(dataset, progress)
  _check(release.rows, release.findings, dataset.allow_lost, release.root)
  if check:
    check(release.rows)
  loaded = _prepared(release, dataset, options, memory, progress)
  lost = findings.lost(loaded.findings)
  rows = [row for row in release.rows if row.clip not in lost]
  _check(rows, loaded.findings, dataset.allow_lost, release.root)
  if from_config.is_maps(dataset):
    loaded = _with_map_findings(loaded, release.name)
  return _without_empty_classes(modalities.add(loaded, release, dataset))


def _with_map_findings(loaded, name):
  """Adds findings on motion maps: their defects, and maps without motion."""
  maps = loaded.streams['face'][np.arange(len(loaded.clip))][:, 0]
  public = registry.DATASETS[name].maps
  found = map_check.inspect(maps, loaded.clip, public=public)
  return dataclasses.replace(loaded, findings=(*loaded.findings, *found))


def _check(rows, found, allow_lost, root):
  """Raises UserError if too little is left."""
  message = registry.shortfall(rows, found, allow_lost)
  if message:
    error = errors.UserError(f'{root}: {message}')
    error.findings = tuple(found)
    raise error


def _prepared(release, dataset, options, memory, progress):
  """The prepared clips; damaged ones are prepared once more."""
  config = _config(release, dataset, options)
  # Damage is repaired once; a disk that damages them again is reported.
  for _ in range(2):
    try:
      made = _builder(release.name, config)
      made.workers, made.progress = dataset.workers, progress
      made.cluster = dataset.cluster
    except Exception as error:  # the folder's own description is damaged
      _discard(release.name, config, error)
      continue
    try:
      made.prepare(release)
    except (OSError, RuntimeError) as error:  # ArrayRecord raises the latter
      why = ' '.join(str(error).split()).partition('; writing ')[0][-200:]
      raise errors.UserError(
        f'{made.data_path}: cannot be written ({why}): free some space there, '
        'or name another folder in the environment variable MEFNET_CACHE'
      ) from None
    try:
      # A new builder: TFDS looks for prepared clips when one is made.
      return _read(_builder(release.name, config), release, memory)
    except Exception as error:  # ArrayRecord's and TFDS's are of many types
      _discard(release.name, config, error)
  raise errors.UserError(
    f'{_folder(release.name, config)}: prepared clips are damaged each time '
    'they are written; look after the disk, or set MEFNET_CACHE to another'
  )


def _config(release, dataset, options):
  """The TFDS config of these very clips; its name is their fingerprint."""
  mark = fingerprint.fingerprint(
    release,
    # Code, options, weights and OpenCV: all that can change a pixel is part of
    # the name, so that clips of another version are never taken for these.
    fingerprint.code_digest('mefnet_jax.preprocess', '.py'),
    dataclasses.asdict(options),
    options.weights(),
    cv2.__version__,
  )
  reading = {field: dataset[field] for field in _READING if field in dataset}
  if not builders.find(release.name).CLASSES:
    reading['classes'] = release.classes
  return builder.Config(name=mark, options=options, **reading)


def _builder(name, config):
  """The TFDS builder of a data set."""
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)  # TFDS warns of configs not in its list
  try:
    return builders.find(name)(data_dir=_clips_folder(), config=config)
  finally:
    logging.set_verbosity(verbosity)


def _clips_folder():
  return cache.made(cache.root() / 'clips')


def _folder(name, config):
  return _clips_folder() / name / config.name


def _discard(name, config, error):
  """Deletes damaged prepared clips, so that they are prepared again."""
  folder = _folder(name, config)
  logging.warning('%s is damaged (%s): prepared again', folder, error)
  # Under the lock of the writer: another process may be preparing them again.
  with cache.lock(folder / builder.LOCK):
    shutil.rmtree(folder / builder.VERSION, ignore_errors=True)


def _read(made, release, memory):
  """All splits of a builder as `Clips`; ValueError if some are missing."""
  prepared = [findings.Finding(*f) for f in made.info.metadata['findings']]
  lost = findings.lost(prepared)
  rows = [row for row in release.rows if row.clip not in lost]
  source = streaming.Source(made, rows)
  shapes = made.builder_config.options.shapes()
  streams = {
    name: streaming.Stream(source, name, shape)
    for name, shape in shapes.items()
  }
  if sum(stream.nbytes for stream in streams.values()) <= memory:
    streams = resident(source, rows, shapes)
  return prepared_clips.Clips(
    streams=streams,
    label=np.array([row.label for row in rows], np.int32),
    classes=release.classes,
    clip=tuple(row.clip for row in rows),
    subject=tuple(row.subject for row in rows),
    database=tuple(row.database for row in rows),
    synthetic=release.synthetic,
    findings=(*release.findings, *prepared),
    fingerprint=made.builder_config.name,
    corrected_from=tuple(row.corrected_from for row in rows),
  )


def resident(
  source: streaming.Source,
  rows: Sequence,
  shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, np.ndarray]:
  """All streams of a `streaming.Source` as arrays, (N, T, H, W, C) uint8.

  Args:
    source: the prepared clips.
    rows: their rows, in the same order.
    shapes: (T, H, W, C) of each stream.

  Raises:
    ValueError, RuntimeError: a damaged record, as for `Source.read`.
  """
  streams = {
    name: np.empty((len(rows), *shape), np.uint8)
    for name, shape in shapes.items()
  }
  for i in range(len(rows)):
    for name, clip in source.read(i, shapes).items():
      streams[name][i] = clip
  return streams


def _without_empty_classes(loaded):
  """Drops names of classes without a clip: no network could learn them."""
  present = np.unique(loaded.label)
  if len(present) == len(loaded.classes):
    return loaded
  absent = [n for i, n in enumerate(loaded.classes) if i not in present]
  what = f'classes without a clip: {", ".join(absent)}'
  return dataclasses.replace(
    loaded,
    label=np.searchsorted(present, loaded.label).astype(np.int32),
    classes=tuple(loaded.classes[i] for i in present),
    findings=(
      *loaded.findings,
      findings.Finding(findings.FOUND, '', '', what),
    ),
  )
