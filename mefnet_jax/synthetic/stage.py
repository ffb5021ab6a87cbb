"""A person in front of a camera, rendered once and then warped.

The first frame is rasterised with supersampling. For every other frame its
pixels are moved by the exact displacement of the surface and relit; regions
with occlusions, the eyes and the mouth, are rendered again.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np
import scipy.sparse

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

FINE = 3  # samples a pixel and axis
BOXES = {  # rendered again: minimum and maximum x and y on the mean head, dm
  'left eye': ((0.06, -0.17), (0.52, 0.17)),
  'right eye': ((-0.52, -0.17), (-0.06, 0.17)),
  'mouth': ((-0.4, -1.05), (0.4, -0.5)),
}
# The outline of long hair: half its width relative to the skull's, by height.
MANE_HEIGHT = (-2.4, -1.3, -0.5, 0.1, 0.35, 0.6)
MANE_HALF = (0.98, 1.1, 1.08, 1.0, 0.94, 0.6)


@dataclasses.dataclass(frozen=True)
class Scene:
  """A person in front of a camera, the same in all clips of the person.

  Attributes:
    person: an `identity.Person`.
    texture: (rows, columns, channels) linear reflectances.
    camera: a `camera.Camera`.
    shadow: (V,) share of the key light that reaches each vertex.
    exposure: factor from light to sensor values.
  """

  person: object
  texture: np.ndarray
  camera: cameras.Camera
  shadow: np.ndarray
  exposure: float


class Stage:
  """A scene rendered at its first frame, ready to be warped."""

  def __init__(self, scene: Scene, moments: Sequence[np.ndarray]):
    """Renders the first frame.

    Args:
      scene: the scene to film.
      moments: the surfaces (V, 3) of all frames that will be rendered.
    """
    self.scene = scene
    self.triangles = heads.load().triangles
    self.points = moments[0]
    places = np.stack([scene.camera.project(points) for points in moments])
    self.xy = places[0]
    self.low, self.high = places.min(axis=0), places.max(axis=0)
    rows, columns = scene.camera.size
    self.grid = np.stack(
      np.meshgrid(
        np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
      ),
      axis=-1,
    )
    self.spread, self.falloff = self._spread()
    self.light = self._light(self.points)
    self.fine = self._fine()
    self.boxes = [self._box(name) for name in BOXES]

  def frame(self, points: np.ndarray) -> np.ndarray:
    """Returns the linear image of a surface (V, 3)."""
    xy = self.scene.camera.project(points)
    # Light is recomputed, since a face that moves changes its shading.
    light = self._light(points)
    image = self.at(self.grid, self._field(xy, light))
    for box in self.boxes:
      self._redraw(image, box, xy, points[:, 2], light)
    return image

  def field(self, points: np.ndarray) -> np.ndarray:
    """How a surface (V, 3) differs from the first frame.

    Returns:
      (rows, columns, 3) for `at`: motion x, y in pixels, and the relative
      gain of light. Small fields add up, as small motions do.
    """
    return self._field(self.scene.camera.project(points), self._light(points))

  def at(
    self, grid: np.ndarray, field: np.ndarray | None, steps: int = 3
  ) -> np.ndarray:
    """The linear image of the first frame, moved and relit by a `field`.

    Eyes and mouth are moved too, not rendered again as in `frame`.

    Args:
      grid: (rows, columns, 2) x, y of the point that each pixel would show if
        the face did not move.
      field: a field from `field`, or None for none.
      steps: number of fixed-point steps that invert the motion; small motions
        need few.
    """
    # remap needs the inverse of the motion; fixed-point steps find it.
    source, moved = grid, None
    for _ in range(0 if field is None else steps):
      last = moved[..., :2] if moved is not None else field[..., :2]
      moved = cv2.remap(
        field,
        grid - last,
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
      )
      source = grid - moved[..., :2]
    image = cv2.remap(
      self.fine,
      (source + 0.5) * FINE - 0.5,
      None,
      cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
    image = image.reshape(*grid.shape[:2], -1)
    return image if moved is None else image * (1 + moved[..., 2:])

  def _spread(self):
    """Sparse matrix (pixels, V) from vertices to pixels, and its falloff.

    Pixels outside the person follow the nearest one, with a strength that
    decreases with their distance.
    """
    ids, weights = raster.draw(
      self.xy, self.points[:, 2], self.triangles, self.scene.camera.size
    )
    source, gap = raster.nearest(ids)
    corners = self.triangles[ids.ravel()[source]]
    falloff = np.exp(-((gap / 12) ** 2)).astype(np.float32)
    values = weights.reshape(-1, 3)[source]
    start = np.arange(0, 3 * len(source) + 1, 3)
    return scipy.sparse.csr_matrix(
      (values.ravel(), corners.ravel(), start),
      shape=(len(source), len(self.points)),
    ), falloff

  def _light(self, points):
    """Diffuse and specular light of each vertex, (V, 2)."""
    person, head = self.scene.person, heads.load()
    normal = raster.normals(points, self.triangles)
    wrap = 0.3
    facing = np.clip((normal @ person.light + wrap) / (1 + wrap), 0, 1)
    key = person.key * facing * (0.15 + 0.85 * self.scene.shadow)
    key *= 0.6 + 0.4 * head.occlusion
    sky = person.ambient * head.occlusion**1.5 * (0.8 + 0.2 * normal[:, 1])
    half = person.light + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = 0.06 * np.clip(normal @ half, 0, 1) ** 18 * self.scene.shadow
    shine *= head.part == heads.SKIN
    return np.stack([key + sky, shine], axis=1).astype(np.float32)

  def _shade(self, ids, weights, light):
    """Linear colour of rasterised samples; ids must all be >= 0."""
    head = heads.load()
    values = np.concatenate([head.texture, light], axis=1)
    corners = [values[self.triangles[:, k]] for k in range(3)]
    at = np.take(corners[0], ids, axis=0) * weights[..., 0, None]
    at += np.take(corners[1], ids, axis=0) * weights[..., 1, None]
    at += np.take(corners[2], ids, axis=0) * weights[..., 2, None]
    colour = cv2.remap(
      self.scene.texture,
      at[..., :2],
      None,
      cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
    colour = colour.reshape(*ids.shape, -1)
    return colour * at[..., 2:3] + at[..., 3:4]

  def _fine(self):
    """The first frame with FINE samples per pixel, blurred by one pixel."""
    rows, columns = self.scene.camera.size
    xy = (self.xy + 0.5) * FINE - 0.5
    ids, weights = raster.draw(
      xy, self.points[:, 2], self.triangles, (FINE * rows, FINE * columns)
    )
    image = self._shade(ids, weights, self.light)
    image[ids < 0] = self._background(ids.shape, image.shape[-1])[ids < 0]
    return cv2.blur(image, (FINE, FINE), borderType=cv2.BORDER_REPLICATE)

  def _background(self, size, channels):
    """A plain wall and, for long hair, the part behind the neck."""
    rows, columns = size
    camera, looks = self.scene.camera, self.scene.person.looks
    eyes = self.xy[np.isin(heads.load().part, (1, 2))].mean(axis=0)
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32) / FINE
    x, y = (u - eyes[0]) / camera.scale, (eyes[1] - v) / camera.scale
    wall = self.scene.person.background / self.scene.exposure
    wall = wall * (1.1 - 0.03 * (x * x + y * y))
    image = np.repeat(wall[..., None], channels, axis=-1)
    if looks.hair_length:
      rest = heads.load().rest
      beside = (rest[:, 1] > 0.3) & (rest[:, 1] < 0.5)
      skull = np.abs(self.scene.person.points[beside, 0]).max()
      half = skull * np.interp(y, MANE_HEIGHT, MANE_HALF)
      end = looks.hair_length * (1 - 0.1 * (x / skull) ** 2)
      inside = np.minimum(half - np.abs(x), 0.5 * (y + end))
      inside = np.minimum(inside, 0.6 - y)
      mane = self.scene.texture[2:60, : heads.WIDTH]
      mane = cv2.resize(mane, (columns, rows)).reshape(image.shape)
      share = np.clip(inside / 0.06, 0, 1)[..., None]
      image += share * (0.55 * mane - image)
    return image

  def _box(self, name):
    """The region of eyes or mouth: its slices, triangles and soft mask."""
    low, high = BOXES[name]
    rest = heads.load().rest
    inside = ((rest[:, :2] > low) & (rest[:, :2] < high)).all(axis=1)
    inside &= rest[:, 2] > -0.35
    rows, columns = self.scene.camera.size
    corner = self.low[inside].min(axis=0) - 1
    x0, y0 = np.floor(np.clip(corner, 0, None)).astype(int)
    x1, y1 = np.ceil(self.high[inside].max(axis=0) + 2).astype(int)
    x1, y1 = min(x1, columns), min(y1, rows)
    mask = np.ones((y1 - y0, x1 - x0), np.float32)
    for axis in (0, 1):
      n = mask.shape[axis]
      edge = np.minimum(np.arange(n), np.arange(n)[::-1])
      ramp = np.clip((edge + 0.5) / 4, 0, 1).astype(np.float32)
      mask *= ramp[:, None] if axis == 0 else ramp
    low = self.low[self.triangles].min(axis=1)
    high = self.high[self.triangles].max(axis=1)
    hit = ((high > (x0 - 1, y0 - 1)) & (low < (x1, y1))).all(axis=1)
    return (y0, y1, x0, x1), np.flatnonzero(hit), mask

  def _field(self, xy, light):
    """How pixels move (x, y) and what light they gain, (rows, columns, 3)."""
    rows, columns = self.scene.camera.size
    # Only the change of light is interpolated over the surface; the texture
    # stays as sharp as it was rendered.
    ratio = light[:, :1] / np.maximum(self.light[:, :1], 1e-3)
    values = np.concatenate([xy - self.xy, ratio - 1], axis=1)
    field = (self.spread @ values).reshape(rows, columns, 3)
    field = field * self.falloff[..., None]
    return field.astype(np.float32)

  def _redraw(self, image, box, xy, depth, light):
    """Renders one box again, and blends it over the warped image."""
    (y0, y1, x0, x1), chosen, mask = box
    rows, columns = y1 - y0, x1 - x0
    at = (xy - (x0, y0) + 0.5) * FINE - 0.5
    ids, weights = raster.draw(
      at, depth, self.triangles[chosen], (FINE * rows, FINE * columns)
    )
    seen = (ids >= 0).astype(np.float32)
    colour = self._shade(chosen[ids], weights, light) * seen[..., None]
    small = functools.partial(
      cv2.resize, dsize=(columns, rows), interpolation=cv2.INTER_AREA
    )
    mask = mask * (small(seen) > 0.99)
    part = image[y0:y1, x0:x1]
    colour = small(colour).reshape(part.shape)
    part += mask[..., None] * (colour - part)
