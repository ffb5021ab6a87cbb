"""How much memory a training needs, and how much there is."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax.models import by_network, streams
from mefnet_jax.runs import errors

_SHARE = 0.8  # share of the free memory that a training may use
_CLIPS = 0.5  # share of that which the clips may use; larger sets are streamed


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


@by_network.kept
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
