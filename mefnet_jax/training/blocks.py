"""Divides the members of a run into blocks that fit in memory.

A member is a fold with a seed. Training all members together is fastest; if
their states and activations do not fit, blocks of members are trained one
after another. The result of a member does not depend on its block.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax.models import by_network, streams
from mefnet_jax.runs import errors, files, json_file, multihost

_SHARE = 0.8  # share of the free memory that a training may use
_CLIPS = 0.5  # share of that which the clips may use; larger sets are streamed
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


def blocks(
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
    workdir: of the run.
    seeds: of the run.
    folds: of its protocol.

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


def tell_unused(
  workdir: pathlib.Path, planned: list[Block], tell: Callable[[str], object]
) -> None:
  """Tells of checkpoints of no block: those of this run are divided anew."""
  used = {block.name for block in planned}
  for folder in sorted((workdir / 'checkpoints').glob('seed*')):
    if folder.is_dir() and folder.name not in used:
      tell(f'{folder}: of no block of {_FILE}: it is not used')


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


def fitting(
  model: nn.Module,
  state: Any,
  sample: dict,
  batch: int,
  clips: int,
  copies: int,
  budget: float,
) -> Callable[[int, int], bool]:
  """Returns the `fits` of `blocks`, from an upper bound of a step's memory.

  Args:
    model: the network.
    state: shapes of one member's state.
    sample: shapes of a batch of one clip.
    batch: number of clips in a step.
    clips: bytes of the clips on all devices together.
    copies: number of devices that hold each member's state (`Plan.copies`).
    budget: bytes available on all devices together.
  """
  # The old and the new state exist at the same time.
  states = 2 * _size(jax.tree.leaves(state))
  maps = activations(model, state.params, sample)
  # On a CPU our networks process clips one by one.
  one_by_one = isinstance(model, streams.Options)
  if jax.default_backend() != 'cpu' or not one_by_one:
    maps *= batch / copies

  def fits(seeds, folds):
    return clips + seeds * folds * copies * (states + maps) <= budget

  return fits


def check(state: Any) -> None:
  """Raises UserError if not even the state of one member fits in memory."""
  need, free = 2 * _size(jax.tree.leaves(state)), budget(0.0)
  if need > free:
    raise errors.UserError(
      f'one training of this network needs {need / 1e9:.1f} GB, but '
      f'{free / 1e9:.1f} GB are free: set a lower --config.model.filters or '
      '--config.model.hidden'
    )


def clips_fit(size: float, budget: float) -> bool:
  """Returns whether clips of so many bytes, on all devices, may be kept."""
  return size <= _CLIPS * budget


def activations(model: nn.Module, params: Any, sample: dict) -> int:
  """Returns the bytes of all arrays in a forward pass, an upper bound.

  XLA fuses operations and frees arrays early, so that it needs less.
  """
  return _computed(_forward(model).trace(params, sample).jaxpr.jaxpr)


@by_network.cached
def _forward(model):
  def forward(params, sample):
    return model.apply({'params': params}, sample, train=False)[0]

  return jax.jit(forward)


def budget(gigabytes: float) -> float:
  """Returns the bytes available for training.

  Args:
    gigabytes: as configured; 0 takes a share of the free memory.
  """
  if gigabytes:
    return gigabytes * 1e9
  stats = [device.memory_stats() for device in jax.local_devices()]
  # A CPU device gives None.
  if all(stats):
    free = sum(s['bytes_limit'] - s['bytes_in_use'] for s in stats)
    return _SHARE * free * jax.process_count()
  return _SHARE * _free()


def host_memory(gigabytes: float) -> float:
  """Returns the bytes of host memory available for clips; see `budget`."""
  return _CLIPS * (gigabytes * 1e9 or _SHARE * _free())


def _free():
  """Free bytes of this machine, or of the container."""
  found = []
  try:
    for line in pathlib.Path('/proc/meminfo').read_text().splitlines():
      if line.startswith('MemAvailable:'):
        found.append(int(line.split()[1]) * 1024)
    # A container's limit can be far below the memory of the machine.
    limit = pathlib.Path('/sys/fs/cgroup/memory.max').read_text().strip()
    used = pathlib.Path('/sys/fs/cgroup/memory.current').read_text()
    if limit.isdecimal():
      found.append(int(limit) - int(used))
  except (OSError, ValueError):
    pass
  if found:
    return min(found)
  # Without /proc (macOS) half of the machine's memory is taken for free.
  return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2


def _computed(jaxpr):
  """Bytes of the results of all equations, including inner programs."""
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
    # NumPy does not know the dtype of a key.
    if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
  )
