"""A z-buffer rasteriser in numpy: which triangle each pixel sees, and where.

Pixel (x, y) samples the point (x, y); triangles face the camera when they turn
counter-clockwise with y up, that is clockwise in image coordinates.
"""

import functools

import numpy as np

SLACK = 1e-3  # pixels by which a triangle's rows are widened: no cracks


def draw(xy, depth, triangles, size):
  """Rasterises a mesh.

  Args:
    xy: (V, 2) image coordinates of the vertices, in pixels.
    depth: (V,) nearness; the larger is in front.
    triangles: (M, 3) vertex numbers.
    size: (rows, columns) of the image.

  Returns:
    ids (rows, columns): the triangle seen, -1 for none; and
    weights (rows, columns, 3) float32: barycentric coordinates within it.
  """
  rows, columns = size
  corners = xy[triangles].astype(np.float32)
  first, e1 = corners[:, 0], corners[:, 1] - corners[:, 0]
  e2 = corners[:, 2] - corners[:, 0]
  area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
  top = np.maximum(np.ceil(corners[..., 1].min(axis=1)), 0).astype(np.int32)
  end = np.minimum(np.floor(corners[..., 1].max(axis=1)), rows - 1)
  high = np.maximum(end.astype(np.int32) - top + 1, 0) * (area < 0)
  used = np.flatnonzero(high)
  line, y = _expand(used, high[used], top[used])  # one entry a triangle's row

  # Second and third weight at (x, y): slope * (x - x of the first) + rest.
  v = y.astype(np.float32) - first[line, 1]
  slope_a, rest_a = (e2[:, 1] / area)[line], -v * (e2[:, 0] / area)[line]
  slope_b, rest_b = (-e1[:, 1] / area)[line], v * (e1[:, 0] / area)[line]
  spans = (
    _positive(slope_a, rest_a),
    _positive(slope_b, rest_b),
    _positive(-slope_a - slope_b, 1 - rest_a - rest_b),
  )
  origin = first[line, 0]
  start = functools.reduce(np.maximum, [s for s, _ in spans]) + origin
  stop = functools.reduce(np.minimum, [s for _, s in spans]) + origin
  start = np.clip(np.ceil(start - SLACK), 0, columns)
  stop = np.clip(np.floor(stop + SLACK), -1, columns - 1)
  wide = np.maximum(stop - start + 1, 0).astype(np.int32)
  some = np.flatnonzero(wide)
  row, x = _expand(some, wide[some], start[some].astype(np.int32))

  u = x.astype(np.float32) - origin[row]
  a = rest_a[row] + slope_a[row] * u
  b = rest_b[row] + slope_b[row] * u
  c = 1 - a - b
  which, pixel = line[row], y[row] * columns + x
  z = depth[triangles].astype(np.float32)
  z = c * z[which, 0] + a * z[which, 1] + b * z[which, 2]
  return _nearest(size, pixel, z, which, (c, a, b))


def _expand(items, count, start):
  """Repeats item k count[k] times, counting up from start[k] beside it."""
  before = np.cumsum(count) - count
  items = np.repeat(items, count)
  return items, np.arange(len(items)) + np.repeat(start - before, count)


def _positive(slope, rest):
  """Where slope * u + rest >= 0: from, to."""
  flat = np.abs(slope) < 1e-12
  zero = -rest / np.where(flat, 1, slope)
  infinite = np.float32(np.inf)
  start = np.where((slope > 0) & ~flat, zero, -infinite)
  return start, np.where((slope < 0) & ~flat, zero, infinite)


def _nearest(size, pixel, z, which, weights):
  """Keeps of all samples of a pixel the one in front."""
  count = size[0] * size[1]
  front = np.full(count, -np.inf, np.float32)
  np.maximum.at(front, pixel, z)
  seen = np.flatnonzero(z == front[pixel])
  ids = np.full(count, -1, np.int32)
  ids[pixel[seen]] = which[seen]
  kept = np.zeros((count, 3), np.float32)
  for k in range(3):
    kept[pixel[seen], k] = weights[k][seen]
  return ids.reshape(size), kept.reshape(*size, 3)


def normals(points, triangles):
  """Unit normals (V, 3) of vertices: the mean of their triangles' normals."""
  corners = points[triangles]
  face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
  total = np.empty_like(points)
  for axis in range(3):
    total[:, axis] = np.bincount(
      triangles.ravel(), np.repeat(face[:, axis], 3), len(points)
    )
  length = np.linalg.norm(total, axis=1, keepdims=True)
  return total / np.maximum(length, 1e-12)


def lit(points, triangles, direction, *, bias=0.03):
  """Whether nothing stands between each vertex and a far light, (V,) 0 or 1."""
  ids, weights, xy, depth = view(points, triangles, direction, pixel=0.02)
  surface = (depth[triangles[ids]] * weights).sum(axis=-1)
  surface[ids < 0] = -np.inf
  column, row = np.round(xy).astype(int).T
  return (depth + bias >= surface[row, column]).astype(np.float32)


def view(points, triangles, direction, *, pixel):
  """Draws a mesh as seen from far away along `direction`.

  Returns ids and weights as `draw`, and the vertices' image coordinates (V, 2)
  and nearness (V,); `pixel` is a pixel's side in the points' unit.
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
