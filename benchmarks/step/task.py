"""The task of all contestants: batch, weights, proof, and answers."""

import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from benchmarks import turns

CLASSES, BATCH, FRAMES, SIZE = 3, 64, 18, 64
KERNEL, POOL, FILTERS, HIDDEN = (15, 3, 3), (3, 3, 3), 32, 128
RATE, EPSILON, DROPOUT = 1e-4, 1e-7, 0.5


@dataclasses.dataclass(frozen=True)
class Trainer:
  """A network with the given weights, ready to train on the given batch.

  step: takes one training step and waits for it to end.
  loss: the loss of the batch with the current weights, without dropout.
  gradient: the norm of the loss's gradient over all weights.
  """

  step: Callable[[], None]
  loss: Callable[[], float]
  gradient: Callable[[], float]


def make() -> dict[str, np.ndarray]:
  """Random clips (64, 18, 64, 64, 1), labels and weights, in Keras's layout.

  'clips' are what a release gives, uint8; 'x' the same as the networks want
  them, float32 with mean 0 and mean square 1. Biases are zero.
  """
  random = np.random.default_rng(0)
  features = 20 * 20 * FILTERS

  def weights(*shape, fan):
    return (random.normal(size=shape) / np.sqrt(fan)).astype(np.float32)

  clips = random.integers(0, 256, (BATCH, FRAMES, SIZE, SIZE, 1), np.uint8)
  x = clips.astype(np.float32) - clips.mean((1, 2, 3, 4), keepdims=True)
  x /= np.sqrt((x**2).mean((1, 2, 3, 4), keepdims=True))
  return {
    'clips': clips,
    'x': x.astype(np.float32),
    'label': (np.arange(BATCH) % CLASSES).astype(np.int32),
    'conv': weights(*KERNEL, 1, FILTERS, fan=135),
    'dense': weights(features, HIDDEN, fan=features),
    'head': weights(HIDDEN, CLASSES, fan=HIDDEN),
  }


def compete(
  ways: tuple[str, ...],
  build: Callable[[str, float], Trainer],
  version: str,
):
  """Picks the fastest way, proves it the same network, then takes turns.

  Args:
    ways: names of the settings that a framework can run the step in.
    build: a Trainer of a way, with that rate of dropout.
    version: version of the framework.
  """
  took = {way: _warm(build(way, DROPOUT)) for way in ways}
  way = min(took, key=took.get)
  proof = _proof(build(way, 0.0))
  trainer = build(way, DROPOUT)
  seconds = _warm(trainer)
  facts = {'version': version, 'way': way, 'ways': took, 'seconds': seconds}
  turns.say({**facts, **proof})
  for line in sys.stdin:
    trainer.step()  # wakes threads and caches after the others' turns
    turns.say(turns.seconds(trainer.step, int(line)))


def _warm(trainer):
  """Seconds of a step once everything is compiled."""
  turns.seconds(trainer.step, 2)
  return min(turns.seconds(trainer.step, 1) for _ in range(3))


def _proof(trainer):
  """Gradient at the start, and the losses before each of four steps."""
  gradient, losses = trainer.gradient(), [trainer.loss()]
  for _ in range(3):
    trainer.step()
    losses.append(trainer.loss())
  return {'gradient_norm': gradient, 'losses': losses}
