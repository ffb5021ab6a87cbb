r"""The study of 3D kernel sizes: how long in time, how wide in space.

python -m experiments.kernel_size --out=runs/kernel_size
python -m experiments.kernel_size --out=runs/kernel_small --small

Each cell of the grid (network, 3D or (2+1)D, T, kernel) is a whole run of an
honest protocol with its own folder below OUT/cells; cells that are finished
are not run again, one that was stopped goes on. The table and the figures are
written anew after each cell. The full grid takes a GPU or a night; --small is
a look at it for a laptop: minutes, and no conclusions.
"""

import argparse
import dataclasses
import importlib
import itertools
import json
import os
import pathlib
import sys

import rich.console

from configs import base
from experiments import kernel_figures
from mefnet_jax import (
  commands,
  compilation,
  errors,
  folds,
  models,
  protocol,
  settings,
  workdirs,
)

SPATIAL, TEMPORAL, FRAMES = (1, 3, 5, 7), (1, 3, 5, 7, 9, 11, 15), (18, 32)
CONVOLUTIONS = ('3d', '2plus1d')
NETWORKS = ('mecnn', 'mfcnn')


@dataclasses.dataclass(frozen=True)
class Cell:
  """One point of the grid."""

  model: str
  convolution: str
  frames: int
  spatial: int
  temporal: int

  @property
  def name(self) -> str:
    """The name of its folder."""
    return (
      f'{self.model}-{self.convolution}-T{self.frames}'
      f'-k{self.temporal}x{self.spatial}x{self.spatial}'
    )


def main(argv=None) -> int:
  args = _arguments().parse_args(argv)
  try:
    compilation.prepare()
    with commands.stop_signals() as stop:
      study(args, stop)
  except errors.UserError as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  except errors.Stopped as stopped:
    print(f'{stopped}', file=sys.stderr)
    return commands.STOPPED
  return 0


def study(args, stop) -> list[dict]:
  """Runs what is left of the grid; the rows of the table.

  Raises:
    UserError: a leaky protocol, or a value that no run can take.
    errors.Stopped: the process was asked to leave; run it again to go on.
  """
  if reason := folds.is_leaky(args.protocol):
    raise errors.UserError(f'--protocol={args.protocol} is leaky: {reason}')
  cells = grid(args)
  rows = []
  for number, cell in enumerate(cells, 1):
    config = config_of(cell, args)
    settings.check(config)
    print(f'[{number}/{len(cells)}] {cell.name}', flush=True)
    report = _run(config, args.out / 'cells' / cell.name, stop)
    rows.append(_row(cell, config, report))
    kernel_figures.write(args.out, rows)
    if stop.is_set():
      raise errors.Stopped('stopped between two cells; run it again to go on')
  print(kernel_figures.table(rows))
  print(f'written: {args.out / "kernel_size.md"}')
  return rows


def grid(args) -> list[Cell]:
  """The cells, those that cannot be left out: kernel and pooling must fit T."""
  cells = itertools.product(
    args.models, args.convolutions, args.frames, args.spatial, args.temporal
  )
  made = [Cell(*cell) for cell in cells]
  pool = base.get_config().model.pool[0]
  return [c for c in made if c.frames - c.temporal + 1 >= pool]


def config_of(cell: Cell, args):
  """The run's config: configs/<model>.py, with the cell's kernel."""
  module = importlib.import_module(f'configs.{cell.model}')
  config = module.get_config()
  config.dataset.name, config.dataset.release = args.dataset, args.release
  config.dataset.frames = cell.frames
  config.protocol.name, config.protocol.folds = args.protocol, args.folds
  config.model.kernel = (cell.temporal, cell.spatial, cell.spatial)
  if 'conv' in config.model:
    config.model.conv = cell.convolution
  elif cell.convolution != '3d':
    raise errors.UserError(
      'this version has no config.model.conv: set --convolutions=3d'
    )
  config.train.epochs, config.seeds = args.epochs, args.seeds
  config.train.evaluate_every = 0
  if args.filters:
    config.model.filters = args.filters
    config.model.hidden = (4 * args.filters,)
  return config


def operations(config, classes: int = 3) -> int:
  """Multiplications and additions of one clip's forward pass.

  By the definition of each layer, so that a cell's number does not hang on
  how fast the product behind it is.
  """
  import jax
  import numpy as np
  from flax import linen as nn

  from mefnet_jax.models import layers

  model, total = settings.network(config, classes), []

  def count(call, args, kwargs, context):
    y = call(*args, **kwargs)
    module = context.module
    if context.method_name == '__call__':
      if isinstance(module, layers.Conv3D):
        kernel = np.prod(module.kernel) * args[0].shape[-1]
        places = _places(module, args[0].shape)
        total.append(2 * kernel * places * module.features)
      elif isinstance(module, layers.Dense):
        total.append(2 * sum(x.size for x in args) * module.features)
    return y

  size = config.dataset
  views = {
    name: jax.ShapeDtypeStruct(
      (1, size.frames, size[name], size[name], 1), np.float32
    )
    for name in models.views(config.model.name)
  }
  with nn.intercept_methods(count):
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x), views)
  return int(sum(total))


def _places(module, shape):
  """Output positions of a convolution before any pooling."""
  made = 1
  for n, k in zip(shape[1:4], module.kernel, strict=True):
    made *= n if module.padding == 'SAME' else n - k + 1
  return made


def _run(config, workdir, stop):
  """report.json of the cell, run now or in an earlier call."""
  with workdirs.locked(workdir):
    workdirs.claim(config, workdir)
    report = workdir / 'report.json'
    if not report.exists():
      with open(os.devnull, 'w') as nothing:
        console = rich.console.Console(file=nothing)
        protocol.run(config, workdir, console=console, stop=stop)
    return json.loads(report.read_text())


def _row(cell, config, report):
  row = {**dataclasses.asdict(cell), 'release': report['release']}
  row |= {'protocol': report['protocol'], 'seeds': len(report['seeds'])}
  for key in ('accuracy', 'uf1', 'uar'):
    row[key] = report['metrics'][key]
    low, high = report['intervals'][key] or (None, None)
    row |= {f'{key}_low': low, f'{key}_high': high}
  row['parameters'] = report['parameters']
  row['flops'] = operations(config, len(report['classes']))
  row['seconds'] = report['seconds']['train']
  return row


def _arguments():
  parser = argparse.ArgumentParser(
    prog='python -m experiments.kernel_size',
    description=__doc__.splitlines()[0],
  )
  add = parser.add_argument
  add('--out', type=pathlib.Path, required=True, help='where the runs go')
  small = _Small
  add('--small', action=small, nargs=0, help='few cells, for a laptop')
  add('--dataset', default='smic', help='smic or cas_me2')
  add('--release', default='', help='its folder; synthetic if not given')
  add('--protocol', default='kfold', help='loso or kfold')
  add('--folds', type=int, default=6)
  add('--models', type=_words(NETWORKS), default=NETWORKS)
  add('--convolutions', type=_words(CONVOLUTIONS), default=CONVOLUTIONS)
  add('--spatial', type=_numbers, default=SPATIAL)
  add('--temporal', type=_numbers, default=TEMPORAL)
  add('--frames', type=_numbers, default=FRAMES, help='T after interpolation')
  add('--epochs', type=int, default=30)
  add('--seeds', type=int, default=3)
  add('--filters', type=int, default=0, help="0: the config's own")
  return parser


class _Small(argparse.Action):
  """Sets what a laptop can do; flags after it change it again."""

  def __call__(self, parser, namespace, values, option_string=None):
    namespace.spatial, namespace.temporal = (1, 3), (1, 5, 15)
    namespace.frames, namespace.seeds, namespace.epochs = (18,), 1, 6
    namespace.folds, namespace.filters = 3, 8


def _numbers(text):
  return tuple(int(word) for word in text.split(','))


def _words(known):
  def parse(text):
    words = tuple(text.split(','))
    if wrong := [word for word in words if word not in known]:
      raise argparse.ArgumentTypeError(
        f'{wrong[0]!r}: choose of {", ".join(known)}'
      )
    return words

  return parse


if __name__ == '__main__':
  sys.exit(main())
