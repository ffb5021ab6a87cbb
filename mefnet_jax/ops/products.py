"""The matrix product, with a gradient whose factors are in the fast order.

Automatic differentiation puts the gradient of the output first in both of its
products. XLA then transposes that gradient, which under a convolution is the
largest array there is; or it leaves the gradient of a kernel transposed (under
`vmap`, that is with folds), and each pass of the optimizer over it is four
times slower.
"""

import jax
import jax.numpy as jnp

_TINY = 1024  # multiplications
_VECTOR = 16  # numbers of the widest vector


@jax.custom_vjp
def product(x_PK: jax.Array, kernel_KN: jax.Array) -> jax.Array:
  """x_PK @ kernel_KN: (P, N). For gradients in reverse mode only."""
  return _dot(x_PK, kernel_KN)


def _dot(a_MK, b_KN):
  """a @ b. A tiny one, such as that of attention weights, calls no library."""
  (m, k), n = a_MK.shape, b_KN.shape[1]
  if isinstance(m, int) and m * k * n <= _TINY:
    return (a_MK[:, :, None] * b_KN[None]).sum(1)
  return a_MK @ b_KN


def _forward(x_PK, kernel_KN):
  return _dot(x_PK, kernel_KN), (x_PK, kernel_KN)


def _backward(factors, y_bar_PN):
  x_PK, kernel_KN = factors
  tiny = len(x_PK) * kernel_KN.size <= _TINY
  if not tiny and len(x_PK) < min(kernel_KN.shape):
    # A dense layer: the arrays of a few clips are transposed, not its kernel.
    lay, count = jax.lax.optimization_barrier, len(x_PK)
    # Columns in whole vectors: 64 take three quarters of the time of 55.
    down_PN = jnp.pad(y_bar_PN, [(0, -count % _VECTOR), (0, 0)])
    to_x = lay(kernel_KN @ lay(down_PN.T))[:, :count].T
    return to_x, lay(x_PK.T) @ y_bar_PN
  to_x = _dot(y_bar_PN, kernel_KN.T)
  if y_bar_PN.shape[1] == 1:
    # XLA multiplies by a column number by number, by a row with vectors.
    return to_x, _dot(y_bar_PN.T, x_PK).T
  return to_x, _dot(x_PK.T, y_bar_PN)


product.defvjp(_forward, _backward)


@jax.custom_vjp
def weigh(x: jax.Array, map_1: jax.Array) -> jax.Array:
  """x * map_1, where map_1 has one channel: a weight for each position.

  The gradient of the map sums over the channels; as a product with ones that
  is five times faster on CPU than as XLA's reduction of the last axis.
  """
  return x * map_1


def _weigh_forward(x, map_1):
  return x * map_1, (x, map_1)


def _weigh_backward(factors, y_bar):
  x, map_1 = factors
  return y_bar * map_1, sum_channels(y_bar * x)


weigh.defvjp(_weigh_forward, _weigh_backward)


@jax.custom_vjp
def scale(x_BPC: jax.Array, factor_BC: jax.Array) -> jax.Array:
  """x_BPC * factor_BC: a factor for each channel of a clip.

  The gradient of the factors sums over the places; as a product that is ten
  times faster on CPU than as XLA's sum of what it multiplies.
  """
  return x_BPC * factor_BC[:, None]


def _scale_forward(x, factor):
  return scale(x, factor), (x, factor)


def _scale_backward(factors, y_bar):
  x, factor = factors
  to_factor = jnp.einsum('bpc,bpc->bc', y_bar, x, precision='highest')
  return scale(y_bar, factor), to_factor


scale.defvjp(_scale_forward, _scale_backward)


def sum_channels(x: jax.Array) -> jax.Array:
  """The sum over the last axis, which stays with size 1."""
  ones = jnp.ones((x.shape[-1], 1), x.dtype)
  sums = jnp.matmul(x.reshape(-1, x.shape[-1]), ones, precision='highest')
  return sums.reshape(*x.shape[:-1], 1)
