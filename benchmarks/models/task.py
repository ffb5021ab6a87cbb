"""The networks to be measured, their weights and clips, and the answers."""

import argparse
import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from benchmarks import turns

CLASSES, FILTERS, KERNEL, POOL = 3, 32, (15, 3, 3), (3, 3, 3)
# Of the residual network: its stem and its units, how many and how wide.
UNIT, DEPTH, WIDTH = (3, 3, 3), (2, 2), (32, 64)
REDUCTION, ATTENTION = 8, (3, 7, 7)
RATE, EPSILON, DROPOUT = 1e-4, 1e-7, 0.5
STREAMS = {
  'base': {'face': 64},
  'mecnn': {'face': 64},
  'mfcnn': {'eyes': 32, 'mouth': 32},
  'residual': {'face': 64},
}
HIDDEN = {
  'base': (128,),
  'mecnn': (128,),
  'mfcnn': (1024, 128),
  'residual': (128,),
}


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
  """The task of all: a network's name, frames, clips, labels and weights.

  conv: '3d', or '2plus1d': in space, ReLU, then in time (`middle`).
  channels: number of channels of the clips, 3 for colours or flow.
  normalisation: 'none', or 'group' after each convolution of 3D kernels: each
    clip over time, space and an eighth of the channels.
  """

  network: str
  frames: int
  batch: int
  conv: str = '3d'
  channels: int = 1
  normalisation: str = 'none'

  @property
  def attends(self) -> bool:
    """Whether CAM and STAM follow the first convolution."""
    return self.network in ('mecnn', 'mfcnn')

  @property
  def kernel(self) -> tuple[int, int, int]:
    return UNIT if self.network == 'residual' else KERNEL

  def units(self) -> list[tuple[str, int, int, bool]]:
    """Name, channels, new channels of each unit; whether a stage begins."""
    if self.network != 'residual':
      return []
    found, channels = [], FILTERS
    for stage, (depth, width) in enumerate(zip(DEPTH, WIDTH, strict=True)):
      for i in range(depth):
        begins = stage > 0 and i == 0
        found.append((f'stage{stage}_unit{i}', channels, width, begins))
        channels = width
    return found

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
    """Weights by name, (frames, rows, columns, in, out), without biases."""
    random = np.random.default_rng(1)
    made = {}

    def draw(name, *shape):
      x = random.standard_normal(shape, np.float32)
      made[name] = x * np.float32(1 / np.sqrt(np.prod(shape[:-1])))

    def draw_conv(name, channels, filters):
      kt, kh, kw = self.kernel
      if self.conv == '3d':
        draw(name, kt, kh, kw, channels, filters)
      else:
        middle = self.middle(self.kernel, channels, filters)
        draw(f'{name}_space', 1, kh, kw, channels, middle)
        draw(f'{name}_time', kt, 1, 1, middle, filters)

    for stream, side in STREAMS[self.network].items():
      draw_conv(f'{stream}/conv', self.channels, FILTERS)
      filters = FILTERS
      for unit, channels, filters, _ in self.units():
        if channels != filters:
          draw(f'{stream}/{unit}/shortcut', 1, 1, 1, channels, filters)
        draw_conv(f'{stream}/{unit}/first', filters, filters)
        draw_conv(f'{stream}/{unit}/second', filters, filters)
        draw(f'{stream}/{unit}/gather', 1, 1, 1, 3 * filters, 1)
      rows = filters * int(np.prod(self.flattened(side)))
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
      (n - k + 1) // w for n, k, w in zip(sizes, self.kernel, POOL, strict=True)
    )

  def flattened(self, side) -> tuple[int, ...]:
    """Frames, rows and columns before the dense layers."""
    sizes = self.pooled(side)
    for *_, begins in self.units():
      if begins:
        sizes = tuple(n // w for n, w in zip(sizes, halves(sizes), strict=True))
    return sizes

  @staticmethod
  def middle(kernel=ATTENTION, channels=1, filters=1) -> int:
    """Channels that give a (2+1)D kernel the 3D kernel's parameters."""
    kt, kh, kw = kernel
    whole = kt * kh * kw * channels * filters
    return whole // (kh * kw * channels + kt * filters)


def halves(sizes) -> tuple[int, ...]:
  """The window of the pooling before a stage of residual units."""
  return tuple(min(2, n) for n in sizes)


def compete(build: Callable[[Task, float], Contestant], version: str):
  """Proves the network, then takes turns: lines 'train 3' or 'infer 10'."""
  parser = argparse.ArgumentParser()
  parser.add_argument('network')
  parser.add_argument('frames', type=int)
  parser.add_argument('batch', type=int)
  parser.add_argument('conv')
  parser.add_argument('channels', type=int)
  parser.add_argument('normalisation')
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
