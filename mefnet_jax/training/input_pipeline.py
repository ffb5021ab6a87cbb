"""What a step gets of the clips: all of them, once, or its own, read ahead.

Where all clips fit on the devices they go there once, as uint8, and a step
takes its batch out of them. Where they do not, each step is given the clips
that it needs, read from the disk or the host's memory while the step before
still runs. A step does the same with them.
"""

from collections.abc import Iterator

import jax
import numpy as np

from mefnet_jax.datasets import streaming
from mefnet_jax.models import normalize
from mefnet_jax.runs import multihost
from mefnet_jax.training import blocks, parallel

_CHUNK = 32  # clips that are measured at once


def is_streamed(clips: dict, budget: float) -> bool:
  """Whether clips, arrays or `streaming.Stream`, are too many for a device."""
  far = any(isinstance(x, streaming.Stream) for x in clips.values())
  return far or not blocks.clips_fit(_size(clips), budget)


def on_device(clips: dict, batch: int, budget: float) -> float:
  """Bytes of clips that lie on a device while a step of `batch` clips runs."""
  if not is_streamed(clips, budget):
    return _size(clips)
  return 2 * _size(clips) * min(1.0, batch / len(clips['label']))


def _size(clips):
  return sum(x.nbytes for x in clips.values())


def make(clips: dict, config, plan: parallel.Plan):
  """`Resident`, or `Streamed` where the clips do not fit.

  Args:
    clips: streams (N, T, H, W, C) uint8, and 'label' (N,).
    config: of the run.
    plan: of the block.
  """
  budget = blocks.budget(config.train.memory)
  if multihost.any_of(is_streamed(clips, budget)):  # all do as one must
    return Streamed(clips, config.input)
  return Resident(clips, config.input, plan)


class Resident:
  """All clips on all devices.

  moments: of `normalize.measured`, (N,) a stream; sample: clips for shapes.
  """

  def __init__(self, clips: dict, how: str, plan: parallel.Plan):
    measured = normalize.measured(clips, how=how)
    self.moments = measured['moments']
    self.sample = self._clips = plan.share(measured)

  def steps(self, order: dict) -> Iterator[tuple[dict, dict]]:
    """The clips and the order of each step.

    Args:
      order: of an epoch, leaves (..., steps, B), as in `orders.py`.
    """
    for i in range(order['index'].shape[-2]):
      yield self._clips, _step(order, i)

  def take(self, index: np.ndarray) -> tuple[dict, np.ndarray]:
    """Clips that hold those at index, and where in them each of these is."""
    return self._clips, index


class Streamed:
  """Clips of each step, read ahead; `moments` and `sample` as in `Resident`.

  The order of a step has more leaves: 'at', where in its clips each one is,
  and for mixup 'mate_at'.
  """

  def __init__(self, clips: dict, how: str):
    self._label = np.asarray(clips['label'])
    self._streams = {n: x for n, x in clips.items() if n != 'label'}
    parts = [
      normalize.measured(part, how=how)['moments']
      for part in self._read(np.arange(len(self._label)))
    ]
    self.moments = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    self.sample, _ = self.take(np.zeros(1, np.int32))

  def steps(self, order: dict) -> Iterator[tuple[dict, dict]]:
    """As of `Resident`."""
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
    """As of `Resident`."""
    some = self._needed(index.ravel())
    (clips,) = streaming.batches(self._streams, self._label, some[None])
    return self._with_moments(clips, some), _places(some, index)

  def _needed(self, index):
    """Each clip once, sorted, and filled up to a number that never changes."""
    found = np.unique(index)
    count = min(len(self._label), len(index))
    return np.append(found, np.repeat(found[-1:], count - len(found)))

  def _with_moments(self, clips, some):
    moments = {
      name: tuple(x_N[some] for x_N in pair)
      for name, pair in self.moments.items()
    }
    return {**clips, 'moments': moments}

  def _read(self, index):
    """All clips, some at a time."""
    for start in range(0, len(index), _CHUNK):
      part = index[None, start : start + _CHUNK]
      yield from streaming.batches(self._streams, self._label, part)


def _step(order, i):
  return {name: x[..., i, :] for name, x in order.items()}


def _places(some, index):
  return np.searchsorted(some, index).astype(np.int32)
