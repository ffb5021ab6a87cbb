"""Renders a person's performance frame by frame.

The first pose is rasterised once, finely. Each frame then moves those pixels
by the exact displacement of the surface, and draws anew only what covers or
uncovers something: eyes and mouth. Image coordinates: x right, y down, pixels.
"""

import dataclasses

import cv2
import numpy as np
import scipy.sparse

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

FINE = 3  # samples a pixel and axis
DISTANCE = 14.0  # of the camera, dm
PIVOT = np.array([0.0, -0.9, -0.8])  # of the head's turns, dm


@dataclasses.dataclass(frozen=True)
class Camera:
  """An image of `size` (rows, columns) with the eyes' middle at `eyes`."""

  size: tuple[int, int]
  scale: float  # pixels a dm at the eyes' distance
  eyes: tuple[float, float]  # x, y of the eyes' middle


@dataclasses.dataclass(frozen=True)
class Scene:
  """A person before a camera: what all the person's clips share.

  Attributes:
    person: an `identity.Person`.
    texture: (rows, columns, channels) linear reflectances.
    camera: a Camera.
    shadow: (V,) share of the key light that reaches each vertex.
  """

  person: object
  texture: np.ndarray
  camera: Camera
  shadow: np.ndarray


def scene(person, texture, camera) -> Scene:
  """Prepares a person for `clip`; texture as from `paint.texture`."""
  head = heads.load()
  jitter = 0.12 * np.random.default_rng(0).standard_normal((8, 3))
  shadow = np.mean(
    [raster.lit(person.points, head.triangles, person.light + d)
     for d in jitter], axis=0)
  return Scene(person, np.ascontiguousarray(texture, np.float32), camera,
               shadow.astype(np.float32))


def surface(scene, units, pose):
  """Vertices (V, 3) of one frame: face units' weights, then the head's pose."""
  points = scene.person.points
  moved = points.copy()
  for name, weight in units.items():
    if weight:
      moved += np.float32(weight) * heads.load().units[name]
  yaw, pitch, roll, x, y = pose
  turn = _rotation(yaw, pitch, roll).astype(np.float32)
  # The neck follows the head less and less; the shoulders only shift.
  follow = np.clip((points[:, 1:2] + 2.0) / 0.9, 0, 1)
  pivot = PIVOT.astype(np.float32)
  turned = (moved - pivot) @ turn.T + pivot
  moved = moved + follow * (turned - moved)
  shift = np.array([x, -y, 0], np.float32) / scene.camera.scale
  return moved + shift * (0.4 + 0.6 * follow)


def project(points, camera):
  """Image coordinates (V, 2) of points; nearness is their z."""
  near = DISTANCE / (DISTANCE - points[:, 2])
  x = camera.eyes[0] + camera.scale * near * points[:, 0]
  y = camera.eyes[1] - camera.scale * near * points[:, 1]
  return np.stack([x, y], axis=1)


def clip(scene, units, pose, gain, rng):
  """Renders the frames of a clip.

  Args:
    scene: a Scene.
    units: face unit -> weights (T,).
    pose: (T, 5) as in `emotions.Performance`.
    gain: (T,) factor on the light.
    rng: numpy Generator of the sensor's noise.

  Yields:
    frames (rows, columns, channels) uint8.
  """
  stage = _Stage(scene, _at(units, 0), pose[0])
  for t in range(len(pose)):
    linear = stage.frame(_at(units, t), pose[t])
    yield _develop(linear * gain[t], scene, rng)


def flow(scene, units, pose, first, last):
  """Displacement of each pixel of frame `first` to `last`, exact.

  Returns (rows, columns, 2) in pixels, x then y, and where the person is.
  """
  stage = _Stage(scene, _at(units, first), pose[first], light=False)
  moved = stage.displacement(surface(scene, _at(units, last), pose[last]))
  return moved, stage.ids >= 0


def _at(units, t):
  return {name: weight[t] for name, weight in units.items()}


def _rotation(yaw, pitch, roll):
  cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
  cr, sr = np.cos(roll), np.sin(roll)
  about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
  about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
  about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
  return about_z @ about_x @ about_y


def _develop(linear, scene, rng):
  """What the sensor makes of linear light: blur, gamma, noise, 8 bits."""
  image = cv2.GaussianBlur(linear, (3, 3), 0.5)
  image = 255 * np.clip(image, 0, 1) ** np.float32(1 / 2.2)
  noise = rng.standard_normal(image.shape, np.float32)
  image = image + np.float32(scene.person.noise) * noise
  return np.clip(np.rint(image), 0, 255).astype(np.uint8)


class _Stage:
  """A scene at its first pose, ready to be moved."""

  def __init__(self, scene, units, pose, *, light=True):
    self.scene, head = scene, heads.load()
    self.triangles = head.triangles
    self.points = surface(scene, units, pose)
    self.xy = project(self.points, scene.camera)
    size = scene.camera.size
    self.ids, weights = raster.draw(
      self.xy, self.points[:, 2], self.triangles, size)
    self.spread = self._spread(weights)
    rows, columns = size
    self.grid = np.stack(np.meshgrid(
      np.arange(columns, dtype=np.float32),
      np.arange(rows, dtype=np.float32)), axis=-1)
    if light:
      self.light = self._light(self.points)
      self.fine = self._fine()
      self.boxes = [self._box(name) for name in ('left', 'right', 'mouth')]

  def _spread(self, weights):
    """Sparse (pixels, V): from vertices to the pixels that show them.

    Pixels beside the person take what the nearest one shows, less and less.
    """
    empty = (self.ids < 0).astype(np.uint8)
    gap, label = cv2.distanceTransformWithLabels(
      empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    source = np.zeros(label.max() + 1, np.int64)
    source[label[empty == 0]] = np.flatnonzero(empty.ravel() == 0)
    source = source[label.ravel()]
    corners = self.triangles[self.ids.ravel()[source]]
    self.falloff = np.exp(-((gap / 12) ** 2)).astype(np.float32)
    values = weights.reshape(-1, 3)[source]
    start = np.arange(0, 3 * len(source) + 1, 3)
    return scipy.sparse.csr_matrix(
      (values.ravel(), corners.ravel(), start),
      shape=(len(source), len(self.points)))

  def _light(self, points):
    """Diffuse and specular light of each vertex, (V, 2)."""
    person, head = self.scene.person, heads.load()
    normal = raster.normals(points, self.triangles)
    wrap = 0.3
    facing = np.clip((normal @ person.light + wrap) / (1 + wrap), 0, 1)
    key = person.key * facing * (0.15 + 0.85 * self.scene.shadow)
    sky = person.ambient * head.occlusion * (0.8 + 0.2 * normal[:, 1])
    half = person.light + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = 0.05 * np.clip(normal @ half, 0, 1) ** 18 * self.scene.shadow
    return np.stack([key + sky, shine], axis=1).astype(np.float32)

  def _shade(self, ids, weights, light):
    """Linear colour of rasterised samples; ids must all be >= 0."""
    head = heads.load()
    corners = self.triangles[ids]
    values = np.concatenate([head.texture, light], axis=1)[corners]
    at = np.einsum('...ck,...c->...k', values, weights)
    colour = cv2.remap(
      self.scene.texture, at[..., :2], None, cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE)
    colour = colour.reshape(*ids.shape, -1)
    return colour * at[..., 2:3] + at[..., 3:4]

  def _fine(self):
    """The first pose, FINE samples a pixel, averaged over a pixel's width."""
    rows, columns = self.scene.camera.size
    xy = (self.xy + 0.5) * FINE - 0.5
    ids, weights = raster.draw(
      xy, self.points[:, 2], self.triangles, (FINE * rows, FINE * columns))
    image = self._shade(ids, weights, self.light)
    image[ids < 0] = self._background(ids.shape, image.shape[-1])[ids < 0]
    return cv2.blur(image, (FINE, FINE), borderType=cv2.BORDER_REPLICATE)

  def _background(self, size, channels):
    rows, columns = size
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    u, v = u / columns - 0.5, v / rows - 0.4
    wall = self.scene.person.background * (1.1 - 0.5 * (u * u + v * v))
    return np.repeat(wall[..., None], channels, axis=-1)

  def _box(self, name):
    """Where eyes or mouth are drawn anew: slices, triangles, soft mask."""
    low, high = {
      'left': ((0.06, -0.17), (0.52, 0.17)),
      'right': ((-0.52, -0.17), (-0.06, 0.17)),
      'mouth': ((-0.4, -1.05), (0.4, -0.5)),
    }[name]
    rest = heads.load().rest
    inside = ((rest[:, :2] > low) & (rest[:, :2] < high)).all(axis=1)
    inside &= rest[:, 2] > -0.35
    rows, columns = self.scene.camera.size
    xy = self.xy[inside]
    x0, y0 = np.floor(np.clip(xy.min(axis=0) - 1, 0, None)).astype(int)
    x1, y1 = np.ceil(xy.max(axis=0) + 2).astype(int)
    x1, y1 = min(x1, columns), min(y1, rows)
    mask = np.ones((y1 - y0, x1 - x0), np.float32)
    for axis in (0, 1):
      n = mask.shape[axis]
      edge = np.minimum(np.arange(n), np.arange(n)[::-1])
      ramp = np.clip((edge + 0.5) / 4, 0, 1).astype(np.float32)
      mask *= ramp[:, None] if axis == 0 else ramp
    near = heads.load().rest[:, 2] > -0.75
    corners = self.xy[self.triangles]
    reach = 0.15 * self.scene.camera.scale
    hit = ((corners.max(axis=1) > (x0 - reach, y0 - reach))
           & (corners.min(axis=1) < (x1 + reach, y1 + reach))).all(axis=1)
    hit &= near[self.triangles].all(axis=1)
    return (y0, y1, x0, x1), np.flatnonzero(hit), mask

  def displacement(self, points):
    """Where each pixel of the first pose goes, (rows, columns, 2) pixels."""
    moved = project(points, self.scene.camera) - self.xy
    rows, columns = self.scene.camera.size
    return (self.spread @ moved).reshape(rows, columns, 2)

  def frame(self, units, pose):
    """The linear image of another moment."""
    points = surface(self.scene, units, pose)
    xy = project(points, self.scene.camera)
    light = self._light(points)
    image = self._moved(xy, light)
    for box in self.boxes:
      self._redraw(image, box, xy, points[:, 2], light)
    return image

  def _moved(self, xy, light):
    """The first pose's pixels at their new place, in the new light."""
    rows, columns = self.scene.camera.size
    ratio = light[:, :1] / np.maximum(self.light[:, :1], 1e-3)
    values = np.concatenate([xy - self.xy, ratio - 1], axis=1)
    field = (self.spread @ values).reshape(rows, columns, 3)
    field = field * self.falloff[..., None]
    field = field.astype(np.float32)
    source = self.grid - field[..., :2]
    for _ in range(3):
      moved = cv2.remap(field, source, None, cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE)
      source = self.grid - moved[..., :2]
    image = cv2.remap(self.fine, (source + 0.5) * FINE - 0.5, None,
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return image.reshape(rows, columns, -1) * (1 + moved[..., 2:])

  def _redraw(self, image, box, xy, depth, light):
    """Draws one box anew, finely, and blends it over the moved image."""
    (y0, y1, x0, x1), chosen, mask = box
    rows, columns = y1 - y0, x1 - x0
    at = (xy - (x0, y0) + 0.5) * FINE - 0.5
    ids, weights = raster.draw(
      at, depth, self.triangles[chosen], (FINE * rows, FINE * columns))
    seen = ids >= 0
    colour = self._shade(chosen[ids], weights, light) * seen[..., None]
    shape = (rows, FINE, columns, FINE, -1)
    share = seen.reshape(shape).mean(axis=(1, 3)).astype(np.float32)
    colour = colour.reshape(shape).mean(axis=(1, 3))
    mask = (mask[..., None] * (share > 0.99))
    part = image[y0:y1, x0:x1]
    part += mask * (colour - part)
