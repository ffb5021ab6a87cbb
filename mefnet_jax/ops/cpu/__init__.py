"""Kernels for CPUs, compiled by Numba; only `ops` imports this package.

Each function has the signature of its namesake in `ops`, and its module's
`takes` says which arrays it accepts. `register` registers the kernels with XLA.
"""

import importlib

from mefnet_jax.ops.cpu import kernel_cache

# Before the imports below, whose decorators read Numba's cache setting.
_FOLDER = kernel_cache.begin()
NOT_CACHED = _FOLDER.why_not

with kernel_cache.filled(_FOLDER), kernel_cache.helped(_FOLDER):
  if _FOLDER.is_helper:  # it begins where the other process will come last
    for name in ('pools', 'max_pool', 'convolve_relu_handlers', 'relu'):
      importlib.import_module(f'{__name__}.{name}')
  from mefnet_jax.ops.cpu import (
    adam,
    convolve,
    convolve_handlers,
    convolve_relu,
    convolve_relu_handlers,
    custom_calls,
    max_pool,
    planes,
    pools,
    relu,
  )

  # At once: other processes wait for these kernels.
  kernel_cache.seal(_FOLDER)

# name: (implementation, whether it accepts these arrays)
FORMS = {
  'adam': (adam.adam, adam.takes),
  'convolve': (convolve.convolve, convolve.takes),
  'convolve_max_pool': (max_pool.convolve_max_pool, max_pool.takes),
  'convolve_relu': (convolve_relu.convolve_relu, convolve_relu.takes),
  'max_pools': (pools.max_pools, pools.takes),
  'relu': (relu.relu, relu.takes),
}
_WITH_HANDLERS = (
  adam,
  convolve_handlers,
  convolve_relu_handlers,
  max_pool,
  planes,
  pools,
  relu,
)


def register() -> None:
  """Registers the kernels with XLA.

  Raises:
    jax.errors.JaxRuntimeError: XLA's interface has another version.
  """
  for module in _WITH_HANDLERS:
    custom_calls.register(module.HANDLERS)
