"""A motion map as a network's input, without its unknown zero and scale.

The public maps are stretched to 0..255 channel by channel, so that neither
their zero nor their scale has a meaning. Most cells of a map hardly move: the
median is taken as its zero, and the root mean square as its scale. The strain
channel is not used.
"""

import jax
import jax.numpy as jnp

_HALVINGS = 16  # of the median's bounds: one part in 65,536 of the range
_LEAST = 1e-6  # of a scale, so that a map without motion becomes zeros
_PLACES = (-3, -2)


def standardise(maps: jax.Array) -> jax.Array:
  """Maps (..., H, W, C >= 2) as (..., H / 2, W / 2, 2) float32.

  Means of 2 x 2 cells of u and v, `scaled`.

  Args:
    maps: flow to the right and down in the first two channels, in any unit,
      each with its own zero and scale; H and W even.
  """
  return scaled(halved(maps))


def halved(maps: jax.Array) -> jax.Array:
  """Means of 2 x 2 cells of u and v, (..., H / 2, W / 2, 2) float32."""
  *front, height, width, _ = maps.shape
  x = maps[..., :2].astype(jnp.float32)
  x = x.reshape(*front, height // 2, 2, width // 2, 2, 2)
  return x.mean(axis=(-4, -2))


def scaled(x: jax.Array) -> jax.Array:
  """Each channel of each (..., H, W, C) minus its median, over its RMS."""
  x = x - _median(x, _PLACES)
  square = (x**2).mean(axis=_PLACES, keepdims=True)
  return x / jnp.maximum(jnp.sqrt(square), _LEAST)


def scale(x: jax.Array) -> jax.Array:
  """The unit (...) of a network's levels, in the unit of maps (..., H, W, C).

  It is the RMS of both channels together, each minus its median; it is only
  defined before `scaled` removes it.
  """
  x = x - _median(x, _PLACES)
  return jnp.sqrt((x**2).mean(axis=(-3, -2, -1)))


def strongest(x: jax.Array) -> jax.Array:
  """The largest displacement (...) of a cell, in maps (..., H, W, 2)."""
  x = x - _median(x, _PLACES)
  return jnp.sqrt((x**2).sum(-1).max(axis=(-2, -1)))


def mirrored(x: jax.Array) -> jax.Array:
  """Standardised maps (..., H, W, 2) of the same motion seen in a mirror."""
  x = jnp.flip(x, axis=-2)
  return jnp.stack([-x[..., 0], x[..., 1]], axis=-1)


def _median(x, axes):
  """The median by bisection, which takes a tenth of a sort's time on a CPU."""
  low, high = x.min(axes, keepdims=True), x.max(axes, keepdims=True)

  def halve(_, bounds):
    low, high = bounds
    middle = (low + high) / 2
    below = (x <= middle).mean(axes, keepdims=True) >= 0.5
    return jnp.where(below, low, middle), jnp.where(below, middle, high)

  return jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))[1]
