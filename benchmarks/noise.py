"""Shipped configs on SYNTHETIC clips of noise, and steps that take turns."""

import importlib
import pathlib
import random
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config
from mefnet_jax.training import config_check, jobs

CLIPS, CLASSES = 128, 3


def job(
  module: str,
  count: int,
  variant: tuple[str, ...] = (),
  changes: Mapping[str, Any] | None = None,
) -> jobs.Job:
  """A shipped config on noise, with so many folds.

  Args:
    module: of the config, in `configs`.
    count: of the folds.
    variant: of the config.
    changes: its fields that get another value, by name.
  """
  config = importlib.import_module(f'configs.{module}').get_config(*variant)
  config.update_from_flattened_dict(changes or {})
  model = from_config.network(config, CLASSES)
  draw = np.random.default_rng(0)
  clips = {
    stream: draw.integers(0, 256, (CLIPS, *x.shape[1:]), np.uint8)
    for stream, x in config_check.shapes(config, model).items()
  }
  clips['label'] = np.arange(CLIPS, dtype=np.int32) % CLASSES
  everybody = np.arange(CLIPS, dtype=np.int32)
  splits = tuple(
    folds.Fold(f'{i}', np.setdiff1d(everybody, test), test, everybody[:0])
    for i, test in enumerate(np.array_split(everybody, count))
  )
  return jobs.Job(
    model=model,
    clips=clips,
    splits=splits,
    config=config,
    workdir=pathlib.Path(),
    fingerprint='',
    console=None,
    stop=threading.Event(),
  )


def in_turns(
  steps: Mapping[str, Callable[[], None]], repeats: int
) -> dict[str, dict]:
  """CPU seconds of steps that take turns in random order, after one each."""
  for step in steps.values():
    step()  # compiles
  samples: dict[str, list[float]] = {name: [] for name in steps}
  for _ in range(repeats):
    for name in random.sample(list(steps), len(steps)):
      before = time.process_time()
      steps[name]()
      samples[name].append(time.process_time() - before)
  return {
    name: {
      'cpu_seconds': seconds,
      'least': min(seconds),
      'median': statistics.median(seconds),
    }
    for name, seconds in samples.items()
  }
