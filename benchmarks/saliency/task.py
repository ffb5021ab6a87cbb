"""The task of all contestants: clips to explain, proof, and answers."""

import sys
import time

import numpy as np

from benchmarks import turns
from benchmarks.step import task as step_task

CLIPS, STEPS, NOISE = 164, 32, 0.15


def make() -> dict[str, np.ndarray]:
  """Random clips (164, 18, 64, 64, 1) float32, targets, and weights."""
  weights = step_task.make()
  random = np.random.default_rng(1)
  shape = (CLIPS, step_task.FRAMES, step_task.SIZE, step_task.SIZE, 1)
  return {
    'x': random.normal(size=shape).astype(np.float32),
    'target': (np.arange(CLIPS) % step_task.CLASSES).astype(np.int32),
    **{name: weights[name] for name in ('conv', 'dense', 'head')},
  }


def compete(methods: dict, version: str, x, target):
  """Proves the maps, then takes turns.

  Args:
    methods: 'integrated_gradients' and 'smooth_grad' to a function of clips
      and targets that returns finished maps as numpy arrays.
    version: version of the framework.
    x, target: all clips.
  """
  some = methods['integrated_gradients'](x[:1], target[:1])
  smooth = methods['smooth_grad'](x[:1], target[:1])
  maps = np.asarray(some).reshape(1, *x.shape[1:4])
  proof = {
    'sums': maps.sum((1, 2, 3)).tolist(),
    'values': maps[:, ::6, ::16, ::16].ravel().tolist(),
    'smooth_norm': float(np.linalg.norm(np.asarray(smooth))),
  }
  turns.say({'version': version, **proof})
  for line in sys.stdin:
    method, count = line.split()
    count = int(count)
    started = time.perf_counter()
    made = methods[method](x[:count], target[:count])
    seconds = time.perf_counter() - started
    assert len(made) == count
    turns.say(seconds / count)
