"""Measures the steps, and writes what each kernel gains."""

import dataclasses
import functools
import importlib
import os
import pathlib
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from unittest import mock

import jax
import numpy as np

from benchmarks import record
from mefnet_jax import ops
from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config
from mefnet_jax.runs import cli, outputs, xla
from mefnet_jax.training import compiled_steps, config_check, jobs

CONFIGS = {
  'base_cnn': ('base_cnn', ()),
  'mecnn': ('mecnn', ()),
  'mfcnn': ('mfcnn', ()),
  'mfcnn:intermediate': ('mfcnn', ('intermediate',)),
  'residual': ('residual', ()),
  'mefnet_flow': ('mefnet_flow', ()),
}
ALL, NONE = 'all kernels', 'none'
CLIPS, CLASSES = 128, 3


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument(
    '--repeats', type=cli.count, default=12, help='turns of each'
  )
  parser.add_argument('--folds', type=cli.count, default=6)
  parser.add_argument(
    '--configs', type=cli.names(CONFIGS), default=tuple(CONFIGS)
  )
  parser.add_argument('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  xla.tune_cpu()
  found = {}
  for name in args.configs:
    found[name] = measure(job(name, args.folds), args.repeats)
    for variant, row in found[name].items():
      print(f'{name:20s} {variant:28s} {_said(row)}', flush=True)
    jax.clear_caches()
  result = {'folds': args.folds, 'configs': found}
  record.write('kernels', result, load, args.out)


def _said(row):
  if 'cpu_seconds' not in row:
    return 'not used'
  return f'{row["least"]:.3f} s  {row["gain"]:+.0%}'


def job(name: str, count: int) -> jobs.Job:
  """A shipped config on noise, with so many folds."""
  module, variant = CONFIGS[name]
  config = importlib.import_module(f'configs.{module}').get_config(*variant)
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


@dataclasses.dataclass
class Shared:
  """The state that all variants move in turn; two of them may not fit."""

  state: object = None


def measure(one: jobs.Job, repeats: int) -> dict[str, dict]:
  """CPU seconds of a step of each variant, and what its kernel gains."""
  variants = {ALL: (), NONE: ops.KERNELS}
  variants |= {f'without {name}': (name,) for name in ops.KERNELS}
  shared, steps, texts = Shared(), {}, set()
  for name, without in variants.items():
    step, text = variant(one, without, shared)
    if text not in texts:
      texts.add(text)
      steps[name] = step
      step()  # compiles
  samples = {name: [] for name in steps}
  for _ in range(repeats):
    for name in random.sample(list(steps), len(steps)):
      before = time.process_time()
      steps[name]()
      samples[name].append(time.process_time() - before)
  least = min(samples[ALL])
  rows = {name: {} for name in variants}
  for name, seconds in samples.items():
    rows[name] = {
      'cpu_seconds': seconds,
      'least': min(seconds),
      'median': statistics.median(seconds),
      'gain': min(seconds) / least - 1,
    }
  return rows


def variant(
  one: jobs.Job, without: tuple[str, ...], shared: Shared
) -> tuple[Callable[[], None], str]:
  """A step that leaves some kernels to XLA, and its program as text."""
  using = functools.partial(ops.using, without=without)
  with mock.patch.object(ops, 'using', using):
    steps = compiled_steps.CompiledSteps(one, one.splits)
  if shared.state is None:
    shared.state = steps.initial((0,))
  args = next(steps.batches((0,), 0))

  def step():
    shared.state, _ = steps.train_step(shared.state, *args)
    jax.block_until_ready(shared.state)

  return step, steps.train_step.lower(shared.state, *args).as_text()


if __name__ == '__main__':
  sys.exit(cli.status(main))
