"""Feeds clips to the training step: all at once, or streamed step by step.

If all clips fit on the devices, they are copied there once, as uint8, and each
step takes its batch from them. Otherwise each step is given only the clips it
needs, which are read from disk or host memory during the step before. The step
itself is the same in both cases.
"""

from collections.abc import Iterator

import jax
import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.datasets import streaming
from mefnet_jax.models import normalize
from mefnet_jax.runs import multihost
from mefnet_jax.training import memory, parallel

_CHUNK = 32  # clips read at once for their moments: all may not fit in memory


def is_streamed(clips: dict, budget: float, devices: int) -> bool:
  """Returns whether the clips do not fit on each of the devices.

  Args:
    clips: arrays or `streaming.Stream`s by name.
    budget: bytes available for training on all devices together.
    devices: their number.
  """
  on_disk = any(isinstance(x, streaming.Stream) for x in clips.values())
  return on_disk or not memory.clips_fit(_size(clips) * devices, budget)


def device_bytes(clips: dict, batch: int, budget: float, devices: int) -> float:
  """Returns the bytes of clips on all devices together during a step.

  Args:
    clips, budget, devices: as for `is_streamed`.
    batch: number of clips in a step.
  """
  size = _size(clips) * devices
  if not is_streamed(clips, budget, devices):
    return size
  # Twice: the clips of the next step are read while this one runs.
  return 2 * size * min(1.0, batch / len(clips['label']))


def _size(clips):
  return sum(x.nbytes for x in clips.values())


def make(
  clips: dict, config: ConfigDict, plan: parallel.Plan
) -> 'Resident | Streamed':
  """Returns a `Resident` pipeline, or a `Streamed` one if memory is short.

  Args:
    clips: streams (N, T, H, W, C) uint8, and 'label' (N,).
    config: the run's config.
    plan: how the block is distributed over the devices.
  """
  budget = memory.budget(config.train.memory)
  streamed = is_streamed(clips, budget, plan.devices)
  if multihost.any_of(streamed):  # all processes do the same
    return Streamed(clips, config.input)
  return Resident(clips, config.input, plan)


class Resident:
  """Keeps all clips on all devices.

  Args:
    clips: streams (N, T, H, W, C) uint8, and 'label' (N,).
    input_kind: the network's input, see `normalize.standardise`.
    plan: how the block is distributed over the devices.

  Attributes:
    moments: (mean, variance) of each stream's clips, (N,) each, as of
      `normalize.measured`.
    sample: clips with the dtypes, and but for N the shapes, of those that
      `steps` yields.
  """

  def __init__(self, clips: dict, input_kind: str, plan: parallel.Plan):
    measured = normalize.measured(clips, input_kind=input_kind)
    self.moments = measured['moments']
    self.sample = self._clips = plan.share(measured)

  def steps(self, order: dict) -> Iterator[tuple[dict, dict]]:
    """Yields the clips and the order of each step.

    Args:
      order: the clips of an epoch, leaves (..., steps, B), as of `sampler.py`.

    Yields:
      Clips, as of `normalize.measured`, on the devices; leaves (..., B) of the
      order, whose 'index' are positions among all clips.
    """
    for i in range(order['index'].shape[-2]):
      yield self._clips, _step(order, i)

  def take(self, index: np.ndarray) -> tuple[dict, np.ndarray]:
    """Returns clips that contain those at `index`, and their positions there.

    Args:
      index: (F, M) integers, of M clips for each of F folds.

    Returns:
      Clips, as of `normalize.measured`, on the devices; (F, M) positions among
      them, here the index itself.
    """
    return self._clips, index


class Streamed:
  """Reads the clips of each step ahead.

  The order of a step has additional leaves (..., B): 'at', the position of each
  clip among those of the step, and for mixup 'mate_at', that of its mate.

  Args, Attributes: as of `Resident`; it needs no plan.
  """

  def __init__(self, clips: dict, input_kind: str):
    self._label = np.asarray(clips['label'])
    self._streams = {n: x for n, x in clips.items() if n != 'label'}
    # One part after the other, or the clips of many would be in memory at once.
    parts = [
      jax.device_get(normalize.measured(part, input_kind=input_kind)['moments'])
      for part in self._read(np.arange(len(self._label)))
    ]
    self.moments = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    self.sample, _ = self.take(np.zeros(1, np.int32))

  def steps(self, order: dict) -> Iterator[tuple[dict, dict]]:
    """Yields the clips and the order of each step, as `Resident` does."""
    places = ['index', *(['mate'] if 'mate' in order else [])]
    rows = [
      np.concatenate([order[name][..., i, :].ravel() for name in places])
      for i in range(order['index'].shape[-2])
    ]
    needed = np.stack([self._needed(row) for row in rows])
    read = streaming.batches(self._streams, self._label, needed)
    for i, (clips, some) in enumerate(zip(read, needed, strict=True)):
      step = _step(order, i)
      for name in places:
        key = 'at' if name == 'index' else 'mate_at'
        step[key] = _places(some, step[name])
      yield self._with_moments(clips, some), step

  def take(self, index: np.ndarray) -> tuple[dict, np.ndarray]:
    """Returns the clips at `index` alone, and their positions among them.

    Args, Returns: as of `Resident.take`.
    """
    some = self._needed(index.ravel())
    (clips,) = streaming.batches(self._streams, self._label, some[None])
    return self._with_moments(clips, some), _places(some, index)

  def _needed(self, index):
    """The distinct clips, sorted and padded to a constant number."""
    # A constant number of clips keeps the step from being compiled again.
    # Padding repeats the last clip, so that the result remains sorted.
    distinct = np.unique(index)
    count = min(len(self._label), len(index))
    return np.append(distinct, np.repeat(distinct[-1:], count - len(distinct)))

  def _with_moments(self, clips, some):
    moments = {
      name: tuple(x_N[some] for x_N in pair)
      for name, pair in self.moments.items()
    }
    return {**clips, 'moments': moments}

  def _read(self, index):
    """Yields all clips in chunks."""
    for start in range(0, len(index), _CHUNK):
      part = index[None, start : start + _CHUNK]
      yield from streaming.batches(self._streams, self._label, part)


def _step(order, i):
  return {name: x[..., i, :] for name, x in order.items()}


def _places(some, index):
  """The position of each clip of `index` among the sorted clips `some`."""
  return np.searchsorted(some, index).astype(np.int32)
