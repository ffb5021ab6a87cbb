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
    clips = np.empty((len(index), *self.shape[1:]), np.uint8)
    for i, at in enumerate(index):
      clips[i] = self.source.read(at, [self.name])[self.name]
    return clips


class Source:
  """The records of prepared clips, in the order of the clips' ids.

  Raises:
    ValueError: its splits hold other numbers of clips than the release.
  """

  def __init__(
    self,
    builder: 'tfds.core.DatasetBuilder',
    clip_rows: 'Sequence[clip_records.Row]',
  ):
    import tensorflow_datasets as tfds  # it is there: it made the clips
    from tensorflow_datasets.proto import tf_example_pb2

    sizes = {name: s.num_examples for name, s in builder.info.splits.items()}
    if sizes != collections.Counter(row.subject for row in clip_rows):
      raise ValueError('its clips are not those of the release')
    ends = itertools.accumulate(sizes.values())
    free = {
      name: iter(range(end - sizes[name], end))
      for name, end in zip(sizes, ends, strict=True)
    }
    self._places = [next(free[row.subject]) for row in clip_rows]
    self._rows = clip_rows
    self._shapes = {n: f.shape for n, f in builder.info.features.items()}
    # Not decoded by TFDS, which takes three times as long.
    self._parse = tf_example_pb2.Example.FromString
    self._records = builder.as_data_source(
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
    record = self._parse(self._records[place]).features.feature
    clip, subject = (record[n].bytes_list.value[0] for n in ('clip', 'subject'))
    label = record['label'].int64_list.value[0]
    stored = (clip.decode(), subject.decode(), label)
    if stored != (row.clip, row.subject, row.label):
      raise ValueError(f'record {place} is {stored}, not {row.clip}')
    return {
      name: np.frombuffer(record[name].bytes_list.value[0], np.uint8).reshape(
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
    streams: arrays in memory (N, T, H, W, C), or `Stream`s.
    label: (N,) labels.
    index_SB: indices of the B clips of each of S batches, as returned by
      `sampler.shared_order`.

  Yields:
    One dict a batch: each stream (B, T, H, W, C) uint8, 'label' (B,).
  """
  index_SB = np.asarray(index_SB)
  in_memory = {n: x for n, x in streams.items() if not isinstance(x, Stream)}
  on_disk = {n: x for n, x in streams.items() if n not in in_memory}
  read = _read_ahead(on_disk, index_SB) if on_disk else itertools.repeat({})
  for batch, index_B in zip(read, index_SB, strict=bool(on_disk)):
    taken = {name: x[index_B] for name, x in in_memory.items()}
    yield {**batch, **taken, 'label': label[index_B]}


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
