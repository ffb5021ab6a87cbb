"""The layers as primitives of their own, for who translates a traced network.

Each function has the signature of its namesake in `ops`. They can be traced
and not run: what stands for them in another runtime is for the translator.
"""

import jax
from jax.extend import core

from mefnet_jax.ops import convolution, maps, pooling, xla

CONVOLUTION = core.Primitive('mefnet_convolution')
POOLING = core.Primitive('mefnet_max_pool')


def convolve(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  padding: str = 'VALID',
  *,
  relu: bool = False,
) -> jax.Array:
  """A convolution of stride 1, and a bias."""
  y = CONVOLUTION.bind(x_BTHWC, kernel, padding=padding)
  y = y + bias.reshape(1, 1, 1, 1, -1)
  return jax.nn.relu(y) if relu else y


def max_pool(x_BTHWC: jax.Array, window: tuple[int, int, int]) -> jax.Array:
  """Non-overlapping VALID max-pooling."""
  return POOLING.bind(x_BTHWC, window=window)


def convolve_max_pool(
  x_BTHWC: jax.Array, kernel: jax.Array, window: tuple[int, int, int]
) -> jax.Array:
  """A VALID convolution of what a VALID max-pooling of it reads."""
  x_BTHWC = convolution.read_by_pooling(x_BTHWC, kernel.shape[:3], window)
  y = CONVOLUTION.bind(x_BTHWC, kernel, padding='VALID')
  return max_pool(y, window)


def convolve_relu(
  x_BTHWC: jax.Array, kernel: jax.Array, bias: jax.Array
) -> maps.Maps:
  """VALID convolution, bias and ReLU."""
  return relu(convolve(x_BTHWC, kernel, bias))


def relu(x_BTHWD: jax.Array) -> maps.Maps:
  """ReLU."""
  return xla.relu(x_BTHWD)


def max_pools(
  found: maps.Maps, weight: jax.Array | None, window: tuple[int, int, int]
) -> tuple[jax.Array, jax.Array | None]:
  """The pooled maps, and the pooled weighed ones."""
  plain = max_pool(found.y, window)
  if weight is None:
    return plain, None
  return plain, max_pool(found.y * weight, window)


def dense(x_BK: jax.Array, kernel_KN: jax.Array) -> jax.Array:
  """x_BK @ kernel_KN."""
  return x_BK @ kernel_KN


@CONVOLUTION.def_abstract_eval
def _convolved(x, kernel, *, padding):
  sizes = x.shape[1:4]
  if padding == 'VALID':
    convolution.check(sizes, kernel.shape[:3])
    pairs = zip(sizes, kernel.shape[:3], strict=True)
    sizes = tuple(n - k + 1 for n, k in pairs)
  shape = (x.shape[0], *sizes, kernel.shape[4])
  return jax.core.ShapedArray(shape, x.dtype)


@POOLING.def_abstract_eval
def _pooled(x, *, window):
  pooling.check(x.shape[1:4], window)
  sizes = [n // w for n, w in zip(x.shape[1:4], window, strict=True)]
  return jax.core.ShapedArray((x.shape[0], *sizes, x.shape[4]), x.dtype)
