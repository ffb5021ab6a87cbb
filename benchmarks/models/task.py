"""The networks to be measured, their weights and clips, and the answers."""

import argparse
import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from benchmarks import turns

CLASSES, FILTERS, KERNEL, POOL = 3, 32, (15, 3, 3), (3, 3, 3)
REDUCTION, ATTENTION = 8, (3, 7, 7)
RATE, EPSILON, DROPOUT = 1e-4, 1e-7, 0.5
STREAMS = {
  'base': {'face': 64},
  'mecnn': {'face': 64},
  'mfcnn': {'eyes': 32, 'mouth': 32},
}
HIDDEN = {'base': (128,), 'mecnn': (128,), 'mfcnn': (1024, 128)}


@dataclasses.dataclass(frozen=True)
class Contestant:
  """A network with the given weights and batch.

  train: one step of Adam with dropout; waits for it.
  infer: logits (B, 3) of the batch; waits.
  proof: loss and norm of its gradient over all weights, without dropout.
  """

  train: Callable[[], None]
  infer: Callable[[], np.ndarray]
  proof: Callable[[], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Task:
  """What all get: a network's name, frames, clips, labels and weights.

  conv: '3d', or '2plus1d': in space, ReLU, then in time (`middle`).
  channels: of the clips, 3 for colours or flow.
  """

  network: str
  frames: int
  batch: int
  conv: str = '3d'
  channels: int = 1

  @property
  def attends(self) -> bool:
    return self.network != 'base'

  def clips(self) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
      name: random.normal(size=self.shape(side)).astype(np.float32)
      for name, side in STREAMS[self.network].items()
    }

  def shape(self, side):
    return (self.batch, self.frames, side, side, self.channels)

  def label(self) -> np.ndarray:
    return (np.arange(self.batch) % CLASSES).astype(np.int32)

  def weights(self) -> dict[str, np.ndarray]:
    """By name, in the layout (frames, rows, columns, in, out); no biases."""
    random = np.random.default_rng(1)
    made = {}

    def draw(name, *shape):
      x = random.standard_normal(shape, np.float32)
      made[name] = x * np.float32(1 / np.sqrt(np.prod(shape[:-1])))

    for stream, side in STREAMS[self.network].items():
      if self.conv == '3d':
        draw(f'{stream}/conv', *KERNEL, self.channels, FILTERS)
      else:
        middle = self.middle(KERNEL, self.channels, FILTERS)
        draw(f'{stream}/conv_space', 1, *KERNEL[1:], self.channels, middle)
        draw(f'{stream}/conv_time', KERNEL[0], 1, 1, middle, FILTERS)
      rows = FILTERS * int(np.prod(self.pooled(side)))
      if self.attends:
        draw(f'{stream}/squeeze', FILTERS, FILTERS // REDUCTION)
        draw(f'{stream}/excite', FILTERS // REDUCTION, FILTERS)
        draw(f'{stream}/space', 1, *ATTENTION[1:], 1, self.middle())
        draw(f'{stream}/time', ATTENTION[0], 1, 1, self.middle(), 1)
        rows *= 2
      for i, width in enumerate(HIDDEN[self.network]):
        draw(f'{stream}/dense{i}', rows, width)
        rows = width
    draw('classes', rows * len(STREAMS[self.network]), CLASSES)
    return made

  def pooled(self, side) -> tuple[int, ...]:
    sizes = (self.frames, side, side)
    return tuple(
      (n - k + 1) // w for n, k, w in zip(sizes, KERNEL, POOL, strict=True)
    )

  @staticmethod
  def middle(kernel=ATTENTION, channels=1, filters=1) -> int:
    """Channels that give a (2+1)D kernel the 3D kernel's parameters."""
    kt, kh, kw = kernel
    whole = kt * kh * kw * channels * filters
    return whole // (kh * kw * channels + kt * filters)


def compete(build: Callable[[Task, float], Contestant], version: str):
  """Proves the network, then takes turns: lines 'train 3' or 'infer 10'."""
  parser = argparse.ArgumentParser()
  parser.add_argument('network')
  parser.add_argument('frames', type=int)
  parser.add_argument('batch', type=int)
  parser.add_argument('conv')
  parser.add_argument('channels', type=int)
  task = Task(**vars(parser.parse_args()))
  contestant = build(task, DROPOUT)
  loss, norm = contestant.proof()
  facts = {'version': version, 'loss': loss, 'gradient_norm': norm}
  facts['infer'] = _warm(contestant.infer)
  facts['train'] = _warm(contestant.train)
  turns.say(facts)
  for line in sys.stdin:
    what, count = line.split()
    run = getattr(contestant, what)
    run()  # wakes threads and caches after the others' turns
    turns.say(turns.seconds(run, int(count)))


def _warm(run):
  """Seconds of one call once everything is compiled."""
  turns.seconds(run, 1)
  return turns.seconds(run, 1)
