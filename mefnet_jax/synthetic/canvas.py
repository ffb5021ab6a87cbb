"""Helpers for painting textures: positions of texels, noise and blending."""

import functools

import cv2
import numpy as np
import numpy.typing as npt

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

SIZE = (heads.HEIGHT, heads.WIDTH)


@functools.lru_cache(maxsize=1)
def places() -> dict[str, np.ndarray]:
  """Returns maps (HEIGHT, WIDTH) float32 of the position of each skin texel.

  `x`, `y`, `z` on the mean head, and the distances `lid_up`, `lid_low` to the
  edges of the lids, all in dm. Texels outside the skin get the nearest value.
  """
  head = heads.load()
  skin = head.triangles[(head.part[head.triangles] == heads.SKIN).all(axis=1)]
  # Triangles that cross the seam at the back would cover the whole texture.
  across = head.texture[skin, 0]
  seam = across.max(axis=1) - across.min(axis=1) > heads.WIDTH / 2
  skin = skin[~seam]
  radius = np.hypot(head.rest[:, 0], head.rest[:, 2] - heads.AXIS)
  ids, weights = raster.draw(head.texture, radius, skin, SIZE)
  source, _ = raster.nearest(ids)
  corners = skin[ids.ravel()[source]]
  weights = weights.reshape(-1, 3)[source]
  values = np.concatenate([head.rest, head.lids], axis=1)
  maps = (values[corners] * weights[..., None]).sum(axis=1).reshape(*SIZE, 5)
  names = ('x', 'y', 'z', 'lid_up', 'lid_low')
  return {name: maps[..., k].copy() for k, name in enumerate(names)}


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
  """Returns a smooth step from 0 at low to 1 at high; low may be larger."""
  t = np.clip((value - low) / (high - low), 0, 1)
  return t * t * (3 - 2 * t)


def spot(*offsets: np.ndarray) -> np.ndarray:
  """Returns a Gaussian spot; offsets are distances to its centre in widths."""
  return np.exp(-sum(offset * offset for offset in offsets))


def noise(
  grain: float | tuple[float, float],
  rng: np.random.Generator,
  size: tuple[int, int] = SIZE,
) -> np.ndarray:
  """Returns smooth noise with a standard deviation of about 1.

  Args:
    grain: size of its structure in texels, or (down, across).
    rng: numpy Generator.
    size: (rows, columns).
  """
  down, across = grain if isinstance(grain, tuple) else (grain, grain)
  # Drawn coarsely and enlarged: the structure then has the size of the grain.
  small = (int(size[0] / down) + 4, int(size[1] / across) + 4)
  field = rng.standard_normal(small, np.float32)
  return cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)


def mix(
  base: np.ndarray, colour: npt.ArrayLike, amount: np.ndarray
) -> np.ndarray:
  """Blends a colour (3,) over base (..., 3), with opacity `amount` (...)."""
  return base + amount[..., None] * (np.asarray(colour, np.float32) - base)
