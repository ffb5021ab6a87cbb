"""Batches of clips from the disk, for sets that do not fit into memory.

Grain reads ahead from the ArrayRecord files with threads. The order of clips is
the caller's, so a batch is the same, to the byte, as one cut out of clips in
memory:

    clips = datasets.load(config.dataset, memory=0)
    for batch in streaming.batches(clips.streams, clips.label, index_SB):
      ...
"""

import itertools
import math
import typing

import numpy as np

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Mapping, Sequence

  import tensorflow_datasets as tfds

  from mefnet_jax.datasets import rows

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
      return self.source[int(index)][self.name]
    made = [self.source[int(i)][self.name] for i in index]
    return np.stack(made) if made else np.empty((0, *self.shape[1:]), np.uint8)


class Source:
  """The records of prepared clips, in the order of the clips' ids.

  Raises:
    ValueError: a record that is not the clip it should be, on reading it.
  """

  def __init__(
    self,
    made: 'tfds.core.DatasetBuilder',
    clip_rows: 'Sequence[rows.Row]',
  ):
    self._splits = {s: made.as_data_source(s) for s in made.info.splits}
    self._places, self._rows, count = [], clip_rows, {}
    for row in clip_rows:
      at = count[row.subject] = count.get(row.subject, -1) + 1
      self._places.append((row.subject, at))
    there = {subject: len(split) for subject, split in self._splits.items()}
    if there != {subject: at + 1 for subject, at in count.items()}:
      raise ValueError('its clips are not those of the release')

  def __len__(self) -> int:
    return len(self._places)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    subject, at = self._places[index]
    example = self._splits[subject][at]
    if example['clip'].decode() != self._rows[index].clip:
      raise ValueError(
        f'record {at} of {subject} is not {self._rows[index].clip}'
      )
    return example


def batches(
  streams: 'Mapping[str, np.ndarray | Stream]',
  label: np.ndarray,
  index_SB: np.ndarray,
) -> 'Iterator[dict[str, np.ndarray]]':
  """Yields the batches of an epoch.

  Args:
    streams: of arrays in memory, or of `Stream`.
    label: (N,) labels.
    index_SB: clips of each of S batches, such as `orders.shared` gives them.

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
    example = source[int(index)]
    return {name: example[name] for name in streams}

  ahead = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
  return iter(
    grain.MapDataset.source(index_SB.ravel().tolist())
    .map(clip)
    .to_iter_dataset(ahead)
    .batch(index_SB.shape[1], drop_remainder=True)
  )
