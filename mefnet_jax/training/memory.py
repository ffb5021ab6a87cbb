"""How much memory a training needs, and how much there is."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import network_cache
from mefnet_jax.runs import errors

_SHARE = 0.8  # share of the free memory that a training may use
_CLIPS = 0.5  # share of that which the clips may use; larger sets are streamed


def fits(
  model: nn.Module,
  state: Any,
  sample: dict,
  *,
  kernels: str,
  clip_bytes: float,
  copies: int,
  budget: float,
) -> Callable[[int, int], bool]:
  """Returns a function (seeds, folds) -> bool: whether so many fit.

  It compares an upper bound of what a training step needs with `budget`.

  Args:
    model: the network.
    state: shapes of one member's state.
    sample: shapes of the batch of one device.
    kernels: as `ops.resolve` takes them.
    clip_bytes: size of the clips, on all devices together.
    copies: number of devices that hold each member's state (`Plan.copies`).
    budget: bytes available on all devices together.
  """
  # The old and the new state exist at the same time.
  states = 2 * _size(jax.tree.leaves(state))
  member = copies * (states + maps(model, state.params, sample, kernels))
  return lambda seeds, folds: clip_bytes + seeds * folds * member <= budget


def check(state: Any) -> None:
  """Raises UserError if not even the state of one member fits in memory."""
  need, free = 2 * _size(jax.tree.leaves(state)), budget(0.0)
  if need > free:
    raise errors.UserError(
      f'one training of this network needs {need / 1e9:.1f} GB, but '
      f'{free / 1e9:.1f} GB are free: set a lower --config.model.filters or '
      '--config.model.hidden'
    )


def clips_fit(clip_bytes: float, budget: float) -> bool:
  """Returns whether clips of so many bytes, on all devices, may stay there.

  Args:
    clip_bytes: size of the clips, on all devices together.
    budget: bytes available for training on all devices together.
  """
  return clip_bytes <= _CLIPS * budget


def maps(model: nn.Module, params: Any, sample: dict, kernels: str) -> int:
  """Returns the bytes of all arrays of a forward pass, an upper bound.

  Those that the gradient needs are among them. XLA fuses operations and frees
  arrays early, so that a whole step needs less.

  Args:
    model: the network.
    params: shapes of its weights.
    sample: shapes of a batch.
    kernels: as `ops.resolve` takes them: they store other arrays than XLA.
  """
  return _computed(_forward(model, kernels).trace(params, sample).jaxpr.jaxpr)


@network_cache.cached
def _forward(model, kernels):
  """A program that returns what a forward pass stores for the gradient."""

  def logits(params, sample):
    (count,) = {len(x) for x in sample.values()}
    # As `train_step` gives them.
    keys = jax.random.split(jax.random.key(0), count)
    batch = {**sample, 'key': keys, 'used': jnp.ones(count)}
    return model.apply({'params': params}, batch, train=True)[0]

  def stored(params, sample):
    return jax.vjp(lambda some: logits(some, sample), params)[1]

  return jax.jit(ops.using(stored, kernels))


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
  """Bytes of the results of all equations, including inner programs.

  Of a loop those of one turn, and those of all turns that it returns.
  """
  total = 0
  for equation in jaxpr.eqns:
    inner = [v for v in equation.params.values() if hasattr(v, 'eqns')]
    inner += [v.jaxpr for v in equation.params.values() if hasattr(v, 'jaxpr')]
    total += sum(_computed(one) for one in inner)
    if not inner or equation.primitive.name == 'scan':
      total += _size(v.aval for v in equation.outvars)
  return total


def _size(arrays):
  return sum(
    int(np.prod(x.shape)) * np.dtype(x.dtype).itemsize
    for x in arrays
    # NumPy does not know the dtype of a key.
    if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
  )
