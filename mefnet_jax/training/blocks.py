"""Divides the members of a run into blocks that fit in memory.

A member is a fold with a seed. Training all members together is fastest; if
their states and activations do not fit, blocks of members are trained one
after another. The result of a member does not depend on its block.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from mefnet_jax.runs import errors, files, json_file, multihost

_FILE = 'blocks.json'


@dataclasses.dataclass(frozen=True)
class Block:
  """The members with some seeds and a range of folds, out of `folds` in all."""

  seeds: tuple[int, ...]
  start: int
  stop: int
  folds: int

  @property
  def name(self) -> str:
    """The name of its checkpoints: seed0, seeds0-2 or seed0.folds5-8."""
    first, last = self.seeds[0], self.seeds[-1]
    name = f'seed{first}' if first == last else f'seeds{first}-{last}'
    if self.stop - self.start < self.folds:
      name += f'.folds{self.start + 1}-{self.stop}'
    return name


def divide(
  seeds: tuple[int, ...], folds: int, fits: Callable[[int, int], bool]
) -> list[Block]:
  """Returns the fewest blocks of similar size that each fit in memory.

  Args:
    seeds: in ascending order.
    folds: number of folds of the protocol.
    fits: whether a number of seeds with a number of folds fits in memory; a
      single member is trained even if it does not.
  """
  s, f = len(seeds), folds
  while (s, f) != (1, 1) and not fits(s, f):
    # Seeds are divided first: the folds of a seed share their batches, and so
    # the patches of the first convolution; two seeds share nothing.
    if s > 1:
      s = -(-s // 2)
    else:
      f = -(-f // 2)
  return [
    Block(tuple(seeds[i] for i in some), int(part[0]), int(part[-1]) + 1, folds)
    for some in np.array_split(np.arange(len(seeds)), -(-len(seeds) // s))
    for part in np.array_split(np.arange(folds), -(-folds // f))
  ]


def read(
  workdir: pathlib.Path, seeds: tuple[int, ...], folds: int
) -> list[Block]:
  """Reads the blocks of a run that has begun; [] if it has not.

  A run that is resumed on a machine with more or less memory keeps its blocks,
  because its checkpoints depend on them.

  Args:
    workdir: the run's folder.
    seeds: its seeds.
    folds: number of folds of its protocol.

  Raises:
    UserError: the file is damaged, or belongs to another run.
  """
  path = workdir / 'checkpoints' / _FILE
  try:
    planned = [_block(row) for row in json_file.load(path)]
    _check_members(planned, seeds, folds)
    return planned
  except FileNotFoundError:
    return []
  except (OSError, ValueError, TypeError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(
      f'{path}: not the blocks of this run ({why}): delete {path.parent} to '
      'train anew'
    ) from error


def _block(row):
  """Parses a block; ValueError or TypeError if it is invalid."""
  block = Block(**row)
  numbers = (*block.seeds, block.start, block.stop, block.folds)
  # Not isinstance: JSON's true is an int to Python.
  if not block.seeds or any(type(x) is not int for x in numbers):
    raise ValueError(f'{row}: seeds and folds are whole numbers')
  if not 0 <= block.start < block.stop <= block.folds:
    raise ValueError(f'{row}: start and stop lie outside its folds')
  return dataclasses.replace(block, seeds=tuple(block.seeds))


def _check_members(planned, seeds, folds):
  """Raises ValueError unless each seed has each fold in exactly one block."""
  if any(block.folds != folds for block in planned):
    raise ValueError(f'not of {folds} folds')
  members = sorted(
    (seed, fold)
    for block in planned
    for seed in block.seeds
    for fold in range(block.start, block.stop)
  )
  if members != sorted((s, f) for s in seeds for f in range(folds)):
    raise ValueError('some seed and fold is missing, or there twice')


def report_unused(
  workdir: pathlib.Path, planned: list[Block], report: Callable[[str], object]
) -> None:
  """Reports checkpoints that belong to none of the run's blocks.

  They stay behind where blocks.json was deleted and the members were divided in
  another way.
  """
  used = {block.name for block in planned}
  for folder in sorted((workdir / 'checkpoints').glob('seed*')):
    if folder.is_dir() and folder.name not in used:
      report(f'{folder}: of no block of {_FILE}: it is not used')


def write(workdir: pathlib.Path, planned: list[Block]) -> list[Block]:
  """Writes the blocks of a run, and returns those that all processes use.

  With several processes the first one writes, after all have tried to read the
  file; the others, which may have less memory, use its blocks.
  """
  path = workdir / 'checkpoints' / _FILE
  seeds = tuple(sorted({seed for block in planned for seed in block.seeds}))
  # Before this point every process has found no file. Without the wait a slow
  # one could find the one that is written below, and skip this function.
  multihost.wait('blocks are made')
  if multihost.is_first():
    rows = [dataclasses.asdict(block) for block in planned]
    files.write_json(path, rows, indent=None)
  multihost.wait('blocks are written')
  return read(workdir, seeds, planned[0].folds)
