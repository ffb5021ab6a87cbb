"""Measures steps of several networks in random turns, in one process."""

import os
import sys

import jax

from benchmarks import noise, record
from mefnet_jax import ops
from mefnet_jax.models import describe
from mefnet_jax.runs import cli, outputs, xla
from mefnet_jax.training import compiled_steps, config_check

_FACTORISED = {'model.conv': '2plus1d'}
_FLOW = {'dataset.flow': 'dis', 'input': 'flow'}
_LONG = {'dataset.frames': 32}
# network:form, the shipped config, and what of it is another
FORMS = {
  'mecnn:3d': ('mecnn', {}),
  'mecnn:2plus1d': ('mecnn', _FACTORISED),
  'mecnn:group': ('mecnn', {'model.normalisation': 'group'}),
  'mecnn:flow': ('mecnn', _FLOW),
  'mecnn:flow2plus1d': ('mecnn', _FLOW | _FACTORISED),
  'mfcnn:3d': ('mfcnn', {}),
  'mfcnn:2plus1d': ('mfcnn', _FACTORISED),
  'residual:3d': ('residual', {'model.conv': '3d'}),
  'residual:2plus1d': ('residual', {}),
  'mecnn32:3d': ('mecnn', _LONG),
  'mecnn32:2plus1d': ('mecnn', _LONG | _FACTORISED),
}


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--forms', type=cli.names(FORMS), default=tuple(FORMS))
  parser.add_argument(
    '--repeats', type=cli.count, default=8, help='turns of each'
  )
  parser.add_argument('--folds', type=cli.count, default=2)
  parser.add_argument(
    '--kernels', choices=ops.CHOICES, default='auto', help='of the layers'
  )
  parser.add_argument('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  xla.tune_cpu()
  asked = [name for name in FORMS if name in args.forms]
  jobs = {name: job_of(name, args) for name in asked}
  steps = {name: step_of(job) for name, job in jobs.items()}
  found = {}
  for name, row in noise.in_turns(steps, args.repeats).items():
    network, form = name.split(':')
    forms = found.setdefault(network, {})
    forms[form] = row
    row['megaflops'] = megaflops(jobs[name])
    said = f'{row["least"]:.3f} s'
    if '3d' in forms:  # its name is the first of a network's
      row['to_3d'] = row['least'] / forms['3d']['least']
      more = row['megaflops'] / forms['3d']['megaflops']
      row['to_3d_of_equal_flops'] = row['to_3d'] / more
      said += (
        f', {row["to_3d"]:.2f} times the 3D form, with {more:.2f} times its '
        f'FLOPs: {row["to_3d_of_equal_flops"]:.2f} times for equal FLOPs'
      )
    print(f'{name:20s} {said}', flush=True)
  result = {'folds': args.folds, 'kernels': args.kernels, 'networks': found}
  record.write('forms', result, load, args.out)


def job_of(name, args):
  """The training of a form, on noise."""
  config, changes = FORMS[name]
  changes = {**changes, 'train.kernels': args.kernels}
  return noise.job(config, args.folds, changes=changes)


def megaflops(job) -> float:
  """Millions of operations of a training step, for each clip and fold.

  A layer's gradients of its weights and of its input take as many as the layer.
  What reads the clips needs none of its input.
  """
  shapes = config_check.shapes(job.config, job.model)
  total = 0
  for layer in describe.describe(job.model, shapes):
    path = '/'.join(layer.path)
    reads = path.endswith(('trunk/conv', 'trunk/conv/space'))
    total += (layer.flops or 0) * (2 if reads else 3)
  return total / 1e6


def step_of(job):
  """One training step, on a state of its own."""
  steps = compiled_steps.CompiledSteps(job, job.splits)
  states = [steps.initial((0,))]
  batch = next(steps.batches((0,), 0))

  def step():
    states[0], _ = steps.step_all(states[0], *batch)
    jax.block_until_ready(states[0])

  return step


if __name__ == '__main__':
  sys.exit(cli.status(main))
