"""A z-buffer rasteriser in numpy: the visible triangle at each pixel.

Pixel (x, y) samples the point (x, y). Triangles face the camera if they are
counter-clockwise with y up, that is clockwise in image coordinates.
"""

import cv2
import numpy as np
import numpy.typing as npt

SLACK = 1e-3  # pixels by which a triangle's rows are widened, to avoid cracks


def draw(
  xy: np.ndarray,
  depth: np.ndarray,
  triangles: np.ndarray,
  size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
  """Rasterises a mesh.

  Args:
    xy: (V, 2) image coordinates of the vertices, in pixels.
    depth: (V,) nearness; larger values are in front.
    triangles: (M, 3) vertex numbers.
    size: (rows, columns) of the image.

  Returns:
    ids (rows, columns): the visible triangle, -1 for none; and
    weights (rows, columns, 3) float32: barycentric coordinates within it.
  """
  columns = size[1]
  front, line, y, first, planes = _rows(xy, triangles, size)
  (slope_a, rest_a), (slope_b, rest_b) = planes
  start, stop = _span(
    (slope_a, slope_b, -slope_a - slope_b),
    (rest_a, rest_b, 1 - rest_a - rest_b),
  )
  start = np.clip(np.ceil(start + first - SLACK), 0, columns)
  stop = np.clip(np.floor(stop + first + SLACK), -1, columns - 1)
  wide = np.maximum(stop - start + 1, 0).astype(np.int32)
  some = np.flatnonzero(wide)
  row, x = _expand(some, wide[some], start[some].astype(np.int32))

  u = x.astype(np.float32) - first[row]
  a = rest_a[row] + slope_a[row] * u
  b = rest_b[row] + slope_b[row] * u
  c = 1 - a - b
  which, pixel = line[row], y[row] * columns + x
  z = depth[triangles[front]].astype(np.float32)
  z = c * z[which, 0] + a * z[which, 1] + b * z[which, 2]
  return _nearest(size, pixel, z, front[which], (c, a, b))


def _rows(xy, triangles, size):
  """The image rows of each triangle that faces the camera.

  Returns:
    The numbers of these triangles (F,); for each row (R,) the triangle it
    belongs to, its y, and the x of the triangle's first corner; and for the
    second and third barycentric weight (slope, rest) such that the weight at x
    is slope * (x - first x) + rest.
  """
  corners = xy[triangles].astype(np.float32)
  area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
  top = np.maximum(np.ceil(corners[..., 1].min(axis=1)), 0).astype(np.int32)
  end = np.minimum(np.floor(corners[..., 1].max(axis=1)), size[0] - 1)
  high = np.maximum(end.astype(np.int32) - top + 1, 0)
  front = np.flatnonzero(high * (area < -1e-9))
  first, area = corners[front, 0], area[front]
  e1 = (corners[front, 1] - first) / area[:, None]
  e2 = (corners[front, 2] - first) / area[:, None]
  line, y = _expand(np.arange(len(front)), high[front], top[front])
  v = y.astype(np.float32) - first[line, 1]
  second = e2[line, 1], -v * e2[line, 0]
  third = -e1[line, 1], v * e1[line, 0]
  return front, line, y, first[line, 0], (second, third)


def _cross(one, two):
  return one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]


def _expand(items, count, start):
  """Repeats item k count[k] times, with a counter that begins at start[k]."""
  before = np.cumsum(count) - count
  items = np.repeat(items, count)
  return items, np.arange(len(items)) + np.repeat(start - before, count)


def _span(slopes, rests):
  """The interval of u in which slope * u + rest >= 0 for all pairs."""
  start, stop = np.float32(-np.inf), np.float32(np.inf)
  for slope, rest in zip(slopes, rests, strict=True):
    flat = np.abs(slope) < 1e-9
    zero = -rest / np.where(flat, 1, slope)
    rising = (slope > 0) & ~flat
    start = np.maximum(start, np.where(rising, zero, np.float32(-np.inf)))
    stop = np.minimum(stop, np.where(rising | flat, np.float32(np.inf), zero))
  return start, stop


def _nearest(size, pixel, z, which, weights):
  """Keeps the front sample of each pixel."""
  count = size[0] * size[1]
  # maximum.at replaces a loop over samples that compete for the same pixel.
  front = np.full(count, -np.inf, np.float32)
  np.maximum.at(front, pixel, z)
  seen = np.flatnonzero(z == front[pixel])
  ids = np.full(count, -1, np.int32)
  ids[pixel[seen]] = which[seen]
  kept = np.zeros((count, 3), np.float32)
  for k in range(3):
    kept[pixel[seen], k] = weights[k][seen]
  return ids.reshape(size), kept.reshape(*size, 3)


def nearest(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns for each pixel the nearest one with a triangle, and its distance.

  Args:
    ids: (rows, columns) as from `draw`.

  Returns:
    source (rows * columns,): flat pixel numbers; and
    distance (rows, columns) in pixels.
  """
  empty = (ids < 0).astype(np.uint8)
  distance, label = cv2.distanceTransformWithLabels(
    empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
  )
  source = np.zeros(label.max() + 1, np.int64)
  source[label[empty == 0]] = np.flatnonzero(empty.ravel() == 0)
  return source[label.ravel()], distance


def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
  """Returns unit normals (V, 3) of vertices, means over their triangles."""
  corners = points[triangles]
  face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
  total = np.empty_like(points)
  for axis in range(3):
    total[:, axis] = np.bincount(
      triangles.ravel(), np.repeat(face[:, axis], 3), len(points)
    )
  length = np.linalg.norm(total, axis=1, keepdims=True)
  return total / np.maximum(length, 1e-12)


def lit(
  points: np.ndarray,
  triangles: np.ndarray,
  direction: npt.ArrayLike,
  *,
  bias: float = 0.03,
) -> np.ndarray:
  """Returns (V,) 1 for vertices lit by a distant light, 0 for those in shadow.

  Args:
    points: (V, 3), dm.
    triangles: (M, 3) vertex numbers.
    direction: towards the light.
    bias: depth up to which a vertex behind a surface counts as lit, dm.
  """
  ids, weights, xy, depth = view(points, triangles, direction, pixel=0.02)
  surface = (depth[triangles[ids]] * weights).sum(axis=-1)
  surface[ids < 0] = -np.inf
  column, row = np.round(xy).astype(int).T
  return (depth + bias >= surface[row, column]).astype(np.float32)


def view(
  points: np.ndarray,
  triangles: np.ndarray,
  direction: npt.ArrayLike,
  *,
  pixel: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Rasterises a mesh in an orthographic view.

  Args:
    points: (V, 3).
    triangles: (M, 3) vertex numbers.
    direction: towards the viewer.
    pixel: side of a pixel, in the unit of the points.

  Returns:
    ids and weights as `draw`, and the image coordinates (V, 2) and nearness
    (V,) of the vertices.
  """
  direction = np.asarray(direction) / np.linalg.norm(direction)
  helper = np.eye(3)[np.argmin(np.abs(direction))]
  right = np.cross(helper, direction)
  right /= np.linalg.norm(right)
  up = np.cross(direction, right)
  xy = np.stack([points @ right, -(points @ up)], axis=1) / pixel
  xy -= xy.min(axis=0) - 2
  size = tuple(int(n) for n in np.ceil(xy.max(axis=0))[::-1] + 3)
  depth = points @ direction
  return *draw(xy, depth, triangles, size), xy, depth
