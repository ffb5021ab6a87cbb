"""The batch and the weights that all contestants get, and how they answer."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

CLASSES, BATCH, FRAMES, SIZE = 3, 64, 18, 64
KERNEL, POOL, FILTERS, HIDDEN = (15, 3, 3), (3, 3, 3), 32, 128
RATE, DROPOUT = 1e-4, 0.5


def make() -> dict[str, np.ndarray]:
  """Random clips (64, 18, 64, 64, 1), labels and weights, in Keras's layout."""
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


def fastest(ways: dict[str, Callable[[], None]]) -> str:
  """The name of the way whose step takes the least time, warm."""
  took = {}
  for name, step in ways.items():
    step()
    times = []
    for _ in range(3):
      started = time.perf_counter()
      step()
      times.append(time.perf_counter() - started)
    took[name] = min(times)
  return min(took, key=took.get)


def serve(step: Callable[[], None], facts: dict):
  """Tells the facts, then the seconds of a step for each line on stdin."""
  step()
  print(json.dumps(facts), flush=True)
  for _ in sys.stdin:
    started = time.perf_counter()
    step()
    print(time.perf_counter() - started, flush=True)
