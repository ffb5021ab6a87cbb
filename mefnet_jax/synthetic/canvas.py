"""What the painters share: where a texel lies on the head, noise, mixing."""

import functools

import cv2
import numpy as np
import numpy.typing as npt

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

SIZE = (heads.HEIGHT, heads.WIDTH)


@functools.lru_cache(maxsize=1)
def places() -> dict[str, np.ndarray]:
  """What lies under each texel of the skin, maps (HEIGHT, WIDTH) float32.

  `x`, `y`, `z` in the middle head and the distances `lid_up`, `lid_low` to the
  edges of the lids, all in dm. Texels beside the skin take the nearest one's.
  """
  head = heads.load()
  skin = head.triangles[(head.part[head.triangles] == heads.SKIN).all(axis=1)]
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
  """0 at low, 1 at high, a smooth step between; low may be the larger."""
  t = np.clip((value - low) / (high - low), 0, 1)
  return t * t * (3 - 2 * t)


def spot(*offsets: np.ndarray) -> np.ndarray:
  """A soft spot: 1 where all offsets, in widths from its middle, are 0."""
  return np.exp(-sum(offset * offset for offset in offsets))


def noise(
  grain: float | tuple[float, float],
  rng: np.random.Generator,
  size: tuple[int, int] = SIZE,
) -> np.ndarray:
  """Smooth noise of about unit spread; grain (down, across) in texels."""
  down, across = grain if isinstance(grain, tuple) else (grain, grain)
  small = (int(size[0] / down) + 4, int(size[1] / across) + 4)
  field = rng.standard_normal(small, np.float32)
  return cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)


def mix(
  base: np.ndarray, colour: npt.ArrayLike, amount: np.ndarray
) -> np.ndarray:
  """Base (..., 3) covered by a colour to the share `amount` (...)."""
  return base + amount[..., None] * (np.asarray(colour, np.float32) - base)
