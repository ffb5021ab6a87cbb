r"""A study of 3D kernel sizes, in time and in space.

python -m experiments.kernel_size --out=runs/kernel_size [--small]

Each cell of the grid (network, 3D or (2+1)D, T, kernel) is a whole run of an
honest protocol below OUT/cells; finished cells are not run again, and a stopped
one is resumed. Table and figures are written after each new cell, and
kernel_margins.md at the end. The full grid needs a GPU or a night; --small is a
version of it for a laptop.
"""

import dataclasses
import functools
import importlib
import itertools
import sys

from configs import base
from experiments import (
  cells,
  kernel_figures,
  kernel_margins,
  running,
  seals,
)
from mefnet_jax import models
from mefnet_jax.evaluation import folds
from mefnet_jax.models import describe, from_config
from mefnet_jax.runs import cli, errors, outputs, stopping, workdirs, xla
from mefnet_jax.training import config_check

SPATIAL, TEMPORAL, FRAMES = (1, 3, 5, 7), (1, 3, 5, 7, 9, 11, 15), (18, 32)
CONVOLUTIONS = ('3d', '2plus1d')
NETWORKS = ('mecnn', 'mfcnn')
SMALL = {
  'spatial': (1, 3),
  'temporal': (1, 5, 15),
  'frames': (18,),
  'seeds': 1,
  'epochs': 6,
  'folds': 3,
  'filters': 8,
  'pixels': 32,
  'attention': 'pool',
}


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


def main(argv: list[str] | None = None) -> int:
  """Runs the study that the command line asks for; its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = arguments(argv)
  xla.prepare()
  with stopping.signals() as stop:
    study(args, stop)


def study(args, stop) -> list[dict]:
  """Runs the unfinished cells of the grid; returns the rows of the table.

  Raises:
    UserError: a leaky protocol, a value that no run can take, or no cell.
    errors.Stopped: the process was asked to stop; run it again to go on.
    SystemExit: as of `cells.run`.
  """
  if reason := folds.why_leaky(args.protocol):
    raise errors.UserError(f'--protocol={args.protocol} is leaky: {reason}')
  points = grid(args)
  if not points:
    raise errors.UserError(
      f'--temporal={args.temporal}, --frames={args.frames}: no kernel fits '
      'into so few frames with the pooling behind it: choose a shorter one'
    )
  configs = {cell.name: config_of(cell, args) for cell in points}
  for config in configs.values():
    config_check.settle(config)
  folders = {name: args.out.absolute() / 'cells' / name for name in configs}

  def is_done(name):
    return seals.is_run(folders[name], configs[name])

  @functools.cache
  def row(cell):
    return _row(cell, configs[cell.name], folders[cell.name])

  def after(_):
    done = [cell for cell in points if is_done(cell.name)]
    kernel_figures.write(args.out, [*map(row, done)])
    if stop.is_set():
      raise errors.Stopped('stopped between two cells; run it again to go on')

  cells.run(
    {
      name: functools.partial(running.alone, config, folders[name])
      for name, config in configs.items()
    },
    is_done,
    cluster=args.cluster,
    stop=stop,
    after=after,
  )
  rows = [*map(row, points)]
  kernel_figures.write(args.out, rows)
  kernel_margins.write(args.out, rows, [*folders.values()])
  print(kernel_figures.table(rows))
  print(f'written: {args.out / "kernel_size.md"}')
  return rows


def grid(args) -> list[Cell]:
  """Returns the possible cells, in which kernel and pooling fit T."""
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
  if args.pixels:
    half = args.pixels // 2
    config.dataset.update(face=args.pixels, eyes=half, mouth=half)
  config.protocol.name, config.protocol.folds = args.protocol, args.folds
  config.model.kernel = (cell.temporal, cell.spatial, cell.spatial)
  if 'conv' in config.model:
    config.model.conv = cell.convolution
  elif cell.convolution != '3d':
    raise errors.UserError(
      'this version has no config.model.conv: set --convolutions=3d'
    )
  config.model.attention_place = args.attention
  config.train.epochs, config.seeds = args.epochs, args.seeds
  config.train.evaluate_every = 0
  if args.filters:
    config.model.filters = args.filters
    config.model.hidden = (4 * args.filters,)
  return config


def operations(config, classes: int = 3) -> int:
  """Returns the multiplications and additions of one clip's forward pass.

  Counted by the definition of each layer (`describe`), whatever implementation
  computes it.
  """
  import jax
  import numpy as np

  size = config.dataset
  views = {
    name: jax.ShapeDtypeStruct(
      (1, size.frames, size[name], size[name], 1), np.float32
    )
    for name in models.input_streams(config.model.name)
  }
  found = describe.describe(from_config.network(config, classes), views)
  return sum(layer.flops for layer in found)


def _row(cell, config, folder):
  report = workdirs.read_report(folder)
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


def arguments(argv=None):
  """Parses the flags; --small only changes defaults."""
  parser = _parser()
  if parser.parse_args(argv).small:
    parser.set_defaults(**SMALL)
  return parser.parse_args(argv)


def _parser():
  parser = cli.Parser(
    prog='python -m experiments.kernel_size',
    description=cli.first_line(__doc__),
  )
  add = parser.add_argument
  add('--out', type=outputs.folder, required=True, help='where the runs go')
  add('--small', action='store_true', help='few small cells, for a laptop')
  add('--cluster', default='', help=cells.HELP)
  add('--dataset', default='smic', help='smic or cas_me2')
  add('--release', default='', help='its folder; synthetic if not given')
  add('--protocol', default='kfold', help='loso or kfold')
  add('--folds', type=cli.count, default=6, help='of kfold')
  add('--models', type=cli.names(NETWORKS), default=NETWORKS)
  add('--convolutions', type=cli.names(CONVOLUTIONS), default=CONVOLUTIONS)
  add(
    '--spatial',
    type=_numbers,
    default=SPATIAL,
    help='kernel sizes in rows, which are those in columns',
  )
  add(
    '--temporal', type=_numbers, default=TEMPORAL, help='kernel sizes in frames'
  )
  add('--frames', type=_numbers, default=FRAMES, help='T after interpolation')
  add('--epochs', type=cli.count, default=30, help='of each training')
  add('--seeds', type=cli.count, default=3, help='of each cell')
  add('--filters', type=int, default=0, help="0: the config's own")
  add('--attention', default='conv', help='conv (the paper) or pool (fast)')
  add('--pixels', type=int, default=0, help="of a face; 0: the config's own")
  return parser


def _numbers(text):
  return tuple(int(word) for word in text.split(','))


if __name__ == '__main__':
  sys.exit(main())
