"""A z-buffer rasteriser in numpy: which triangle each pixel sees, and where.

Pixel (x, y) samples the point (x, y); triangles face the camera when they turn
counter-clockwise with y up, that is clockwise in image coordinates.
"""

import numpy as np


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
  first, one, two = corners[:, 0], corners[:, 1], corners[:, 2]
  e1, e2 = one - first, two - first
  area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
  low = np.ceil(np.minimum(np.minimum(first, one), two))
  high = np.floor(np.maximum(np.maximum(first, one), two))
  low = np.clip(low, 0, (columns, rows)).astype(np.int32)
  high = np.clip(high, -1, (columns - 1, rows - 1)).astype(np.int32)
  span = np.maximum(high - low + 1, 0)
  count = span[:, 0] * span[:, 1] * (area < 0)
  used = np.flatnonzero(count)
  count, span = count[used], span[used]

  which = np.repeat(np.arange(len(used)), count)
  step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
  across = span[which, 0]
  down = step // across
  x = low[used, 0][which] + (step - down * across)
  y = low[used, 1][which] + down
  # Both weights are affine in the offset from the first corner; the offset
  # keeps 32-bit floats exact enough for small triangles.
  e1, e2, area, first = e1[used], e2[used], area[used], first[used]
  u = x.astype(np.float32) - first[which, 0]
  v = y.astype(np.float32) - first[which, 1]
  a = u * (e2[:, 1] / area)[which] - v * (e2[:, 0] / area)[which]
  b = v * (e1[:, 0] / area)[which] - u * (e1[:, 1] / area)[which]
  c = 1 - a - b
  inside = np.flatnonzero((a > -1e-5) & (b > -1e-5) & (c > -1e-5))
  which, a, b, c = which[inside], a[inside], b[inside], c[inside]
  pixel = y[inside] * columns + x[inside]
  z = depth[triangles[used]].astype(np.float32)
  z = c * z[which, 0] + a * z[which, 1] + b * z[which, 2]

  nearest = np.full(rows * columns, -np.inf, np.float32)
  np.maximum.at(nearest, pixel, z)
  seen = np.flatnonzero(z == nearest[pixel])
  ids = np.full(rows * columns, -1, np.int32)
  weights = np.zeros((rows * columns, 3), np.float32)
  ids[pixel[seen]] = used[which[seen]]
  weights[pixel[seen]] = np.stack([c[seen], a[seen], b[seen]], axis=1)
  return ids.reshape(size), weights.reshape(*size, 3)


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


def lit(points, triangles, direction, *, pixel=0.02, bias=0.03):
  """Whether nothing stands between each vertex and a far light, (V,) 0 or 1."""
  direction = direction / np.linalg.norm(direction)
  helper = np.eye(3)[np.argmin(np.abs(direction))]
  right = np.cross(helper, direction)
  right /= np.linalg.norm(right)
  up = np.cross(direction, right)
  xy = np.stack([points @ right, -(points @ up)], axis=1) / pixel
  xy -= xy.min(axis=0) - 2
  size = tuple(int(n) for n in np.ceil(xy.max(axis=0))[::-1] + 3)
  depth = points @ direction
  ids, weights = draw(xy, depth, triangles, size)
  surface = (depth[triangles[ids]] * weights).sum(axis=-1)
  surface[ids < 0] = -np.inf
  column, row = np.round(xy).astype(int).T
  return (depth + bias >= surface[row, column]).astype(np.float32)
