"""Which members train together: as many as the memory holds.

A member is a fold with a seed. All of them together are the fastest; where
their states or activations do not fit, blocks of them train one after another.
What a member learns does not depend on its block.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax.runs import errors, files, multihost

_SHARE = 0.8  # of the free memory, that a training may take
_CLIPS = 0.5  # of that, which all clips may take; larger sets are streamed
_FILE = 'blocks.json'


@dataclasses.dataclass(frozen=True)
class Block:
  """Seeds and a range of folds, of `folds` in all."""

  seeds: tuple[int, ...]
  start: int
  stop: int
  folds: int

  @property
  def name(self) -> str:
    """Its folder of checkpoints: seed0, seeds0-2, seed0.folds5-8."""
    first, last = self.seeds[0], self.seeds[-1]
    name = f'seed{first}' if first == last else f'seeds{first}-{last}'
    if self.stop - self.start < self.folds:
      name += f'.folds{self.start + 1}-{self.stop}'
    return name


def blocks(
  seeds: tuple[int, ...], folds: int, fits: Callable[[int, int], bool]
) -> list[Block]:
  """The fewest blocks, alike in size, that each fit.

  Args:
    seeds: in ascending order.
    folds: of the protocol.
    fits: whether so many seeds with so many folds fit in memory; one member
      alone is tried even if it says no.
  """
  s, f = len(seeds), folds
  while (s, f) != (1, 1) and not fits(s, f):
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
  """The blocks that a workdir's run began with; none if it has not begun.

  A run that goes on on a machine with more or less memory keeps to them, for
  its checkpoints do.

  Args:
    workdir: of the run.
    seeds: of the run.
    folds: of its protocol.

  Raises:
    UserError: the file that says so is damaged, or of another run.
  """
  path = workdir / 'checkpoints' / _FILE
  try:
    made = [_block(row) for row in json.loads(path.read_text())]
    _check_members(made, seeds, folds)
    return made
  except FileNotFoundError:
    return []
  except (OSError, ValueError, TypeError, RecursionError) as error:
    raise errors.UserError(
      f'{path}: not the blocks of this run ({error}): delete {path.parent} to '
      'train anew'
    ) from error


def _block(row):
  """A block out of JSON; ValueError or TypeError if it is none."""
  block = Block(**row)
  numbers = (*block.seeds, block.start, block.stop, block.folds)
  if not block.seeds or any(type(x) is not int for x in numbers):
    raise ValueError(f'{row}: seeds and folds are whole numbers')
  if not 0 <= block.start < block.stop <= block.folds:
    raise ValueError(f'{row}: no range of its folds')
  return dataclasses.replace(block, seeds=tuple(block.seeds))


def _check_members(made, seeds, folds):
  """Raises ValueError unless each seed has each fold in exactly one block."""
  if any(block.folds != folds for block in made):
    raise ValueError(f'of another number of folds than {folds}')
  members = sorted(
    (seed, fold)
    for block in made
    for seed in block.seeds
    for fold in range(block.start, block.stop)
  )
  if members != sorted((s, f) for s in seeds for f in range(folds)):
    raise ValueError('not each seed and fold once')


def write(workdir: pathlib.Path, made: list[Block]) -> list[Block]:
  """Writes them where `read` finds them, and gives back what it finds.

  Of several processes the first writes, once none looks for the file any
  more; the others, which may have less memory, take its blocks.
  """
  path = workdir / 'checkpoints' / _FILE
  seeds = tuple(sorted({seed for block in made for seed in block.seeds}))
  multihost.wait('blocks are made')
  if multihost.is_first():
    files.write_json(path, [dataclasses.asdict(b) for b in made], indent=None)
  multihost.wait('blocks are written')
  return read(workdir, seeds, made[0].folds)


def fitting(
  model: nn.Module,
  state,
  sample: dict,
  batch: int,
  clips: int,
  copies: int,
  budget: float,
) -> Callable[[int, int], bool]:
  """The `fits` of `blocks`: an upper bound of what a step needs.

  Args:
    model: the network.
    state: shapes of one member's state.
    sample: shapes of one clip's batch.
    batch: clips of a step.
    clips: bytes of them on a device.
    copies: devices that each hold a member's state (`Plan.copies`).
    budget: bytes that there are, on all devices together.
  """
  states = 2 * _size(jax.tree.leaves(state))  # old and new
  maps = activations(model, state.params, sample)
  if jax.default_backend() != 'cpu':  # there clips go one after another
    maps *= batch / copies
  spent = clips * jax.device_count()

  def fits(seeds, folds):
    return spent + seeds * folds * copies * (states + maps) <= budget

  return fits


def check(state):
  """Raises UserError if not even the state of one member fits anywhere."""
  need, free = 2 * _size(jax.tree.leaves(state)), budget(0.0)
  if need > free:
    raise errors.UserError(
      f'one training of this network takes {need / 1e9:.1f} GB, '
      f'{free / 1e9:.1f} are free: set a lower --config.model.filters or '
      '--config.model.hidden'
    )


def clips_fit(size: float, budget: float) -> bool:
  """Whether clips of so many bytes may lie on each device."""
  return size * jax.device_count() <= _CLIPS * budget


def activations(model: nn.Module, params, sample: dict) -> int:
  """Bytes of all that a pass forward computes: more than is ever kept."""

  def forward(params, sample):
    return model.apply({'params': params}, sample, train=False)[0]

  return _computed(jax.make_jaxpr(forward)(params, sample).jaxpr)


def budget(gigabytes: float) -> float:
  """Bytes to train in: as given, or if 0 a share of what is free."""
  if gigabytes:
    return gigabytes * 1e9
  stats = [device.memory_stats() for device in jax.local_devices()]
  if all(stats):
    free = sum(s['bytes_limit'] - s['bytes_in_use'] for s in stats)
    return _SHARE * free * jax.process_count()
  return _SHARE * _free()


def host_memory(gigabytes: float) -> float:
  """Bytes of the host that all clips may take, as `budget` for a device."""
  return _CLIPS * (gigabytes * 1e9 or _SHARE * _free())


def _free():
  """Free bytes of this machine, or of the container that we are in."""
  found = []
  try:
    for line in pathlib.Path('/proc/meminfo').read_text().splitlines():
      if line.startswith('MemAvailable:'):
        found.append(int(line.split()[1]) * 1024)
    limit = pathlib.Path('/sys/fs/cgroup/memory.max').read_text().strip()
    used = pathlib.Path('/sys/fs/cgroup/memory.current').read_text()
    if limit.isdecimal():
      found.append(int(limit) - int(used))
  except (OSError, ValueError):
    pass
  if found:
    return min(found)
  return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2


def _computed(jaxpr):
  """Bytes of the results of all equations, those of inner programs too."""
  total = 0
  for equation in jaxpr.eqns:
    inner = [v for v in equation.params.values() if hasattr(v, 'eqns')]
    inner += [v.jaxpr for v in equation.params.values() if hasattr(v, 'jaxpr')]
    if inner:
      total += sum(_computed(one) for one in inner)
    else:
      total += _size(v.aval for v in equation.outvars)
  return total


def _size(arrays):
  return sum(
    int(np.prod(x.shape)) * np.dtype(x.dtype).itemsize
    for x in arrays
    if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
  )
