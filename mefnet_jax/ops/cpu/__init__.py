"""The layers by kernels of a CPU, compiled by Numba: for `ops` alone.

Each function has the signature of its namesake in `ops`; its module's `takes`
says what it is made for. `register` makes the kernels known to XLA.
"""

from mefnet_jax.ops.cpu import kept

_FOLDER = kept.begin()  # before anything is compiled
KEPT_NOT = _FOLDER.why_not

from mefnet_jax.ops.cpu import (  # noqa: E402
  adam,
  convolve_relu,
  custom_calls,
  dense,
  max_pool,
  planes,
  pools,
  relu,
)

FORMS = {
  'adam': (adam.adam, adam.takes),
  'convolve': (planes.convolve, planes.takes),
  'convolve_max_pool': (max_pool.convolve_max_pool, max_pool.takes),
  'convolve_relu': (convolve_relu.convolve_relu, convolve_relu.takes),
  'dense': (dense.dense, dense.takes),
}
max_pools = pools.max_pools


def register() -> None:
  """Makes the kernels known to XLA, and keeps them as they were compiled.

  Raises:
    jax.errors.JaxRuntimeError: XLA's interface has another version.
  """
  for module in (adam, dense, max_pool, planes, pools, relu):
    custom_calls.register(module.HANDLERS)
  kept.seal(_FOLDER)
