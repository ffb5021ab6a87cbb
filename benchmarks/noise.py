"""Shipped configs on SYNTHETIC clips of noise, and steps that take turns."""

import importlib
import math
import pathlib
import random
import statistics
import threading
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from mefnet_jax.datasets import streaming
from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config
from mefnet_jax.training import config_check, jobs

CLIPS, CLASSES = 128, 3


def job(
  module: str,
  count: int,
  variant: tuple[str, ...] = (),
  changes: Mapping[str, Any] | None = None,
  *,
  clips: int = CLIPS,
  disk: pathlib.Path | None = None,
) -> jobs.Job:
  """A shipped config on noise, with so many folds.

  Args:
    module: name of the config's module in `configs`.
    count: number of folds.
    variant: variant of the config.
    changes: other values of its fields, by name.
    clips: number of clips.
    disk: folder that the clips are written to, and read from step by step.
  """
  config = importlib.import_module(f'configs.{module}').get_config(*variant)
  config.update_from_flattened_dict(changes or {})
  model = from_config.network(config, CLASSES)
  shapes = {
    stream: x.shape[1:]
    for stream, x in config_check.shapes(config, model).items()
  }
  made = on_disk(shapes, clips, disk) if disk else in_memory(shapes, clips)
  made['label'] = np.arange(clips, dtype=np.int32) % CLASSES
  everybody = np.arange(clips, dtype=np.int32)
  splits = tuple(
    folds.Fold(f'{i}', np.setdiff1d(everybody, test), test, everybody[:0])
    for i, test in enumerate(np.array_split(everybody, count))
  )
  return jobs.Job(
    model=model,
    arrays=made,
    splits=splits,
    config=config,
    workdir=pathlib.Path(),
    fingerprint='',
    console=None,
    stop=threading.Event(),
  )


def in_memory(shapes: Mapping[str, tuple[int, ...]], clips: int) -> dict:
  """Streams (N, T, H, W, C) uint8."""
  draw = np.random.default_rng(0)
  return {
    stream: draw.integers(0, 256, (clips, *shape), np.uint8)
    for stream, shape in shapes.items()
  }


class File:
  """Clips of one stream in a file, as `streaming.Source` gives them."""

  def __init__(self, path: pathlib.Path, shape: tuple[int, ...]):
    self._path, self._shape = path, shape

  def __len__(self) -> int:
    return self._shape[0]

  def read(self, index: int, streams: Iterable[str]) -> dict[str, np.ndarray]:
    size = math.prod(self._shape[1:])
    clip = np.fromfile(self._path, np.uint8, size, offset=index * size)
    return {stream: clip.reshape(self._shape[1:]) for stream in streams}


def on_disk(
  shapes: Mapping[str, tuple[int, ...]], clips: int, folder: pathlib.Path
) -> dict:
  """The same as `streaming.Stream`s; no more than one clip is in memory."""
  draw, made = np.random.default_rng(0), {}
  for stream, shape in shapes.items():
    path = folder / stream
    with path.open('wb') as file:
      for _ in range(clips):
        file.write(draw.bytes(math.prod(shape)))
    source = File(path, (clips, *shape))
    made[stream] = streaming.Stream(typing.cast(Any, source), stream, shape)
  return made


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
