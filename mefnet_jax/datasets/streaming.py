"""Batches of clips from the disk, for sets that do not fit into memory.

Grain reads ahead from the ArrayRecord files with threads. The order of clips is
the caller's, so a batch is the same, to the byte, as one cut out of clips in
memory:

    clips = datasets.load(config.dataset, memory=0)
    for batch in streaming.batches(clips.streams, clips.label, index_SB):
      ...
"""

import collections
import itertools
import math
import typing

import numpy as np

from mefnet_jax.preprocess import clip_records

if typing.TYPE_CHECKING:
  from collections.abc import Iterable, Iterator, Mapping, Sequence

  import tensorflow_datasets as tfds


_THREADS, _AHEAD = 4, 8  # clips that are read at once, and beforehand


class Stream:
  """One stream (N, T, H, W, C) uint8 that lies on the disk, like an array.

  `stream[3]` and `stream[[5, 2]]` read clips; `shape`, `dtype` and `nbytes`
  are an array's.
  """

  dtype = np.dtype(np.uint8)

  def __init__(self, source: 'Source', name: str, shape: tuple[int, ...]):
    self.source, self.name = source, name
    self.shape = (len(source), *shape)
    self.nbytes = math.prod(self.shape)

  def __len__(self) -> int:
    return self.shape[0]

  def __getitem__(self, index) -> np.ndarray:
    if np.ndim(index) == 0:
      return self.source.read(index, [self.name])[self.name].copy()
    made = np.empty((len(index), *self.shape[1:]), np.uint8)
    for i, at in enumerate(index):
      made[i] = self.source.read(at, [self.name])[self.name]
    return made


class Source:
  """The records of prepared clips, in the order of the clips' ids.

  Raises:
    ValueError: its splits hold other numbers of clips than the release.
  """

  def __init__(
    self,
    made: 'tfds.core.DatasetBuilder',
    clip_rows: 'Sequence[clip_records.Row]',
  ):
    import tensorflow_datasets as tfds  # it is there: it made the clips
    from tensorflow_datasets.proto import tf_example_pb2

    sizes = {name: s.num_examples for name, s in made.info.splits.items()}
    if sizes != collections.Counter(row.subject for row in clip_rows):
      raise ValueError('its clips are not those of the release')
    ends = itertools.accumulate(sizes.values())
    free = {
      name: iter(range(end - sizes[name], end))
      for name, end in zip(sizes, ends, strict=True)
    }
    self._places = [next(free[row.subject]) for row in clip_rows]
    self._rows = clip_rows
    self._shapes = {n: f.shape for n, f in made.info.features.items()}
    # Not decoded by TFDS, which takes three times as long.
    self._parse = tf_example_pb2.Example.FromString
    self._records = made.as_data_source(
      '+'.join(sizes),
      deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
    )

  def __len__(self) -> int:
    return len(self._places)

  def read(self, index: int, streams: 'Iterable[str]') -> dict[str, np.ndarray]:
    """Returns streams of one clip, (T, H, W, C) uint8, not to be written to.

    Raises:
      ValueError, RuntimeError, google.protobuf.message.DecodeError: a record
        that is damaged, or not the clip it should be.
    """
    place, row = self._places[index], self._rows[index]
    said = self._parse(self._records[place]).features.feature
    clip, subject = (said[n].bytes_list.value[0] for n in ('clip', 'subject'))
    label = said['label'].int64_list.value[0]
    named = (clip.decode(), subject.decode(), label)
    if named != (row.clip, row.subject, row.label):
      raise ValueError(f'record {place} is {named}, not {row.clip}')
    return {
      name: np.frombuffer(said[name].bytes_list.value[0], np.uint8).reshape(
        self._shapes[name]
      )
      for name in streams
    }


def batches(
  streams: 'Mapping[str, np.ndarray | Stream]',
  label: np.ndarray,
  index_SB: np.ndarray,
) -> 'Iterator[dict[str, np.ndarray]]':
  """Yields the batches of an epoch.

  Args:
    streams: of arrays in memory, or of `Stream`.
    label: (N,) labels.
    index_SB: clips of each of S batches, as `sampler.shared_order` gives them.

  Yields:
    One dict a batch: each stream (B, T, H, W, C) uint8, 'label' (B,).
  """
  index_SB = np.asarray(index_SB)
  there = {n: x for n, x in streams.items() if not isinstance(x, Stream)}
  far = {n: x for n, x in streams.items() if n not in there}
  read = _read_ahead(far, index_SB) if far else itertools.repeat({})
  for batch, index_B in zip(read, index_SB, strict=bool(far)):
    near = {name: x[index_B] for name, x in there.items()}
    yield {**batch, **near, 'label': label[index_B]}


def _read_ahead(streams, index_SB):
  """Batches by Grain: clips in the given order, read by threads."""
  import grain  # 1 s, needed by few

  (source,) = {stream.source for stream in streams.values()}

  def clip(index):
    return source.read(index, streams)

  ahead = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
  return iter(
    grain.MapDataset.source(index_SB.ravel().tolist())
    .map(clip)
    .to_iter_dataset(ahead)
    .batch(index_SB.shape[1], drop_remainder=True)
  )
