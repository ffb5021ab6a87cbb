"""Measures the steps, and writes what each kernel gains."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable
from unittest import mock

import jax

from benchmarks import noise, record
from mefnet_jax import ops
from mefnet_jax.runs import cli, errors, outputs, xla
from mefnet_jax.training import compiled_steps, jobs

# Name: a config's module, its variant, other values of its fields.
CONFIGS = {
  'base_cnn': ('base_cnn', (), {}),
  'mecnn': ('mecnn', (), {}),
  'mecnn_group': ('mecnn', (), {'model.normalisation': 'group'}),
  'mfcnn': ('mfcnn', (), {}),
  'mfcnn:intermediate': ('mfcnn', ('intermediate',), {}),
  'residual': ('residual', (), {}),
  'mefnet_flow': ('mefnet_flow', (), {}),
}
ALL, NONE = 'all kernels', 'none'


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
    module, variant, changes = CONFIGS[name]
    job = noise.job(module, args.folds, variant, changes)
    found[name] = measure(job, args.repeats)
    for one, row in found[name].items():
      print(f'{name:20s} {one:28s} {_said(row)}', flush=True)
    jax.clear_caches()
  result = {'folds': args.folds, 'configs': found}
  record.write('kernels', result, load, args.out)


def _said(row):
  if 'cpu_seconds' not in row:
    return 'not used'
  return f'{row["least"]:.3f} s  {row["gain"]:+.0%}'


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
  if NONE not in steps:
    raise errors.UserError(
      'no kernel is used: benchmarks.kernels compares kernels of a CPU with XLA'
    )
  rows = {name: {} for name in variants}
  rows |= noise.in_turns(steps, repeats)
  least = rows[ALL]['least']
  for name in steps:
    rows[name]['gain'] = rows[name]['least'] / least - 1
  return rows


def variant(
  one: jobs.Job, without: tuple[str, ...], shared: Shared
) -> tuple[Callable[[], None], str]:
  """A step that leaves some kernels to XLA, and its program as text."""
  using = functools.partial(ops.using, without=without)
  # Equal networks share their steps; here the step of each is its own.
  afresh = compiled_steps._compiled.__wrapped__
  with (
    mock.patch.object(ops, 'using', using),
    mock.patch.object(compiled_steps, '_compiled', afresh),
  ):
    steps = compiled_steps.CompiledSteps(one, one.splits)
  if shared.state is None:
    shared.state = steps.initial((0,))
  args = next(steps.batches((0,), 0))

  def step():
    shared.state, _ = steps.step_all(shared.state, *args)
    jax.block_until_ready(shared.state)

  lowered = steps.step_all.__wrapped__.lower(shared.state, *args)
  return step, lowered.as_text()


if __name__ == '__main__':
  sys.exit(cli.status(main))
