"""The operators as XLA computes them, on any device and in any type.

Each function has the signature of its namesake in `ops`.
"""

import jax
import jax.numpy as jnp

from mefnet_jax.ops import convolution, maps, pooling, products

convolve_max_pool = convolution.conv3d_max_pool3d
dense = products.product
max_pool = pooling.max_pool3d


def convolve(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  padding: str = 'VALID',
  *,
  relu: bool = False,
) -> jax.Array:
  """As `ops.convolve`."""
  y = convolution.conv3d(x_BTHWC, kernel, padding=padding)
  y = y + bias.reshape(1, 1, 1, 1, -1)
  return jax.nn.relu(y) if relu else y


def convolve_relu(
  x_BTHWC: jax.Array, kernel: jax.Array, bias: jax.Array
) -> maps.Maps:
  """As `ops.convolve_relu`."""
  return relu(convolve(x_BTHWC, kernel, bias))


def relu(x_BTHWD: jax.Array) -> maps.Maps:
  """As `ops.relu`."""
  return maps_of(jax.nn.relu(x_BTHWD))


def maps_of(y: jax.Array) -> maps.Maps:
  """As `ops.maps_of`, of an array."""
  # The barriers keep XLA from computing the maps again for each use.
  y = jax.lax.optimization_barrier(y)
  places = tuple(range(1, y.ndim - 1))
  return maps.Maps(
    y,
    y.mean(places),
    pooling.peak(y, places),
    y.mean(-1, keepdims=True),
    pooling.peak(y, (y.ndim - 1,))[..., None],
  )


def max_pools(
  found: maps.Maps, weight: jax.Array | None, window: tuple[int, int, int]
) -> tuple[jax.Array, jax.Array | None]:
  """As `ops.max_pools`; the second result is None without a weight."""
  plain = pooling.max_pool3d(found.y, window)
  if weight is None:
    return plain, None
  weighed = jax.lax.optimization_barrier(products.weigh(found.y, weight))
  return plain, pooling.max_pool3d(weighed, window)


def adam(
  params: jax.Array,
  mean: jax.Array,
  square: jax.Array,
  gradient: jax.Array,
  numbers: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """As `ops.adam`."""
  rate, b1, a1, b2, a2, c1, c2, epsilon = numbers
  mean = a1 * gradient + b1 * mean
  square = a2 * gradient**2 + b2 * square
  step = mean / c1 / (jnp.sqrt(square / c2) + epsilon)
  return params - rate * step, mean, square
