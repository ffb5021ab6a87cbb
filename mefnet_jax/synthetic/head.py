"""Reads the CC0 head from head.npz: a mesh, its face units and its shapes."""

import dataclasses
import functools
import pathlib

import numpy as np
import numpy.typing as npt

SKIN, LEFT_EYE, RIGHT_EYE, TEETH, TONGUE = range(5)
# The texture, in texels: a cylinder around the head with a stretched front, and
# beside it a strip with an eye, teeth and tongue.
AXIS = -0.8  # z of the cylinder's axis, dm
TOP, BOTTOM = 1.45, -2.75  # y, dm
WIDTH, HEIGHT, STRIP = 640, 840, 128
EYE = (WIDTH + 64, 64, 56)  # centre and radius of the painted eye
TEETH_AT, TONGUE_AT = (WIDTH + 64, 200), (WIDTH + 64, 320)


@dataclasses.dataclass(frozen=True)
class Head:
  """A head of V vertices and M triangles.

  Lengths are in dm; the origin is midway between the eyes.

  Attributes:
    rest: (V, 3) the mean head; x to its left, y up, z to the front.
    triangles: (M, 3) vertex numbers, counter-clockwise from outside.
    part: (V,) SKIN, LEFT_EYE, RIGHT_EYE, TEETH or TONGUE.
    texture: (V, 2) texel coordinates.
    lids: (V, 2) distance to the edge of upper and lower lid, dm, at most .5.
    occlusion: (V,) share of the sky that is visible from a vertex.
    units: (V, 3) displacement of each face unit at full strength.
    shapes: (V, 3) displacement of each shape at full strength.
  """

  rest: np.ndarray
  triangles: np.ndarray
  part: np.ndarray
  texture: np.ndarray
  lids: np.ndarray
  occlusion: np.ndarray
  units: dict[str, np.ndarray]
  shapes: dict[str, np.ndarray]


@functools.lru_cache(maxsize=1)
def load() -> Head:
  """Reads the head that is shipped with the package."""
  path = pathlib.Path(__file__).with_name('head.npz')
  with np.load(path, allow_pickle=False) as stored:
    arrays = dict(stored)
  rest, part = arrays['rest'], arrays['part']
  return Head(
    rest=rest,
    triangles=arrays['triangles'].astype(np.int64),
    part=part,
    texture=_texture(rest, part),
    lids=arrays['lids'].astype(np.float32) / 500,
    occlusion=arrays['occlusion'].astype(np.float32) / 255,
    units=_unpacked(arrays, 'unit', len(rest)),
    shapes=_unpacked(arrays, 'shape', len(rest)),
  )


def cylinder(
  x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike
) -> np.ndarray:
  """Returns the texel coordinates (..., 2) of skin at (x, y, z) (...), dm."""
  theta = np.arctan2(x, z - AXIS)
  limit = np.pi / (1 + 0.4 * np.pi)
  across = theta / (1 + 0.4 * np.abs(theta)) / limit
  down = (TOP - y) / (TOP - BOTTOM)
  return np.stack([(across + 1) / 2 * (WIDTH - 1), down * (HEIGHT - 1)], -1)


def _texture(rest, part):
  texel = cylinder(*rest.T).astype(np.float32)
  for eye in (LEFT_EYE, RIGHT_EYE):
    ball = rest[part == eye]
    middle = (ball.min(axis=0) + ball.max(axis=0)) / 2
    radius = (ball[:, 0].max() - ball[:, 0].min()) / 2
    across, down = (ball[:, 0] - middle[0], middle[1] - ball[:, 1]) / radius
    texel[part == eye, 0] = EYE[0] + EYE[2] * across
    texel[part == eye, 1] = EYE[1] + EYE[2] * down
  texel[part == TEETH] = TEETH_AT
  texel[part == TONGUE] = TONGUE_AT
  return texel


def _unpacked(arrays, kind, count):
  """Expands the sparse 16-bit displacements in the file."""
  dense = {}
  start = arrays[f'{kind}_start']
  for k, name in enumerate(arrays[f'{kind}_names']):
    own = slice(start[k], start[k + 1])
    moved = np.zeros((count, 3), np.float32)
    moved[arrays[f'{kind}_index'][own]] = (
      arrays[f'{kind}_delta'][own] * arrays[f'{kind}_scale'][k]
    )
    dense[str(name)] = moved
  return dense
