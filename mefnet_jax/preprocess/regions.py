"""Finds the regions of face, eyes and mouth, and cuts them out of a frame.

A region is a 2 x 3 matrix that takes the centres of the pixels of the crop to
points of the frame in which the landmarks were found. All crops stand upright:
the line between the eyes is horizontal.
"""

import typing

import cv2
import numpy as np

from mefnet_jax.preprocess import spline

if typing.TYPE_CHECKING:
  from mefnet_jax.preprocess import faces

# Face crop: distance of the eyes, and height of their line, in its sides.
_EYES_APART, _EYE_LINE = 0.38, 0.33
# Boxes around points: margins in widths of the box, and least height.
_EYES_POINTS = (*range(17, 27), *range(36, 48))
_MOUTH_POINTS = tuple(range(48, 68))
_EYES_MARGIN, _EYES_HEIGHT = 0.12, 0.4
_MOUTH_MARGIN, _MOUTH_HEIGHT = 0.25, 0.75
# Left, top, right, bottom of the crops of an image that is a face crop.
_WHOLE = {
  'face': (0.0, 0.0, 1.0, 1.0),
  'eyes': (0.1, 0.15, 0.9, 0.5),
  'mouth': (0.2, 0.6, 0.8, 0.95),
}
# A pixel at this distance changes a spline by less than 1e-6 of its value.
_REACH = 12


def face(landmarks: 'faces.Landmarks', size: int) -> np.ndarray:
  """Returns the region (2, 3) of the whole face, `size` pixels a side."""
  centre, turn, apart = _eye_line(landmarks)
  side = apart / _EYES_APART
  # By the distance of the eyes alone: a box around all points would grow with
  # an open mouth.
  top_left = np.array([-0.5, -_EYE_LINE]) * side
  return _region(centre, turn, top_left, (side, side), size)


def eyes(landmarks: 'faces.Landmarks', size: int) -> np.ndarray:
  """Returns the region (2, 3) of eyes and brows, squeezed into a square."""
  return _around(landmarks, _EYES_POINTS, _EYES_MARGIN, _EYES_HEIGHT, size)


def mouth(landmarks: 'faces.Landmarks', size: int) -> np.ndarray:
  """Returns the region (2, 3) of the mouth, squeezed into a square."""
  return _around(landmarks, _MOUTH_POINTS, _MOUTH_MARGIN, _MOUTH_HEIGHT, size)


def whole_crop(name: str, shape: tuple[int, ...], size: int) -> np.ndarray:
  """Returns a region (2, 3) of an image that is a face crop.

  The face is the whole image, squeezed into a square; eyes and mouth lie where
  they do in a common face crop.

  Args:
    name: 'face', 'eyes' or 'mouth'.
    shape: (H, W) of the image.
    size: pixels a side of the region.
  """
  sides = np.array([shape[1], shape[0]])
  low, high = np.split(np.array(_WHOLE[name]), 2)
  extent = sides * (high - low)
  return _region(np.zeros(2), np.eye(2), sides * low - 0.5, extent, size)


def chain(registration: np.ndarray, region: np.ndarray) -> np.ndarray:
  """Returns the region as it lies in a frame registered to the landmarks'."""
  chained = registration[:, :2] @ region
  chained[:, 2] += registration[:, 2]
  return chained


def cut(frame: np.ndarray, region: np.ndarray, size: int) -> np.ndarray:
  """Cuts a region out of a frame with one interpolation, a cubic spline.

  Where a pixel of the crop covers several of the frame, as many points as it
  covers are read and averaged, so that fine texture does not alias.

  Args:
    frame: (H, W) or (H, W, C), uint8 or float32; beyond its edge the edge is
      repeated.
    region: (2, 3), crop to frame.
    size: pixels a side.

  Returns:
    (size, size) or (size, size, C) float32.
  """
  if frame.ndim == 3:
    channels = np.moveaxis(frame, -1, 0)
    return np.stack([cut(one, region, size) for one in channels], axis=-1)
  steps = np.linalg.norm(region[:, :2], axis=0)
  across, down = np.maximum(1, np.ceil(steps - 1e-3)).astype(int)
  x, y = _centres(size, across)[None, :], _centres(size, down)[:, None]
  columns, rows = (
    _reached(region[axis], x, y, frame.shape[1 - axis]) for axis in (0, 1)
  )
  at = (
    np.float32(a * x) + np.float32(b * y + (c - part.start))
    for (a, b, c), part in zip(region, (columns, rows), strict=True)
  )
  fine = spline.read(frame[rows, columns], *at)
  # INTER_AREA is the plain mean where the factors are whole numbers.
  return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)


def _eye_line(landmarks):
  """The eyes' middle, the rotation (2, 2) of their line, and their distance."""
  left = landmarks.points[36:42].mean(0)
  right = landmarks.points[42:48].mean(0)
  apart = np.linalg.norm(right - left)
  cosine, sine = (right - left) / max(apart, 1e-6)
  turn = np.array([[cosine, -sine], [sine, cosine]])
  return (left + right) / 2, turn, apart


def _around(landmarks, points, margin, least_height, size):
  """The upright box around some points, with a margin."""
  centre, turn, _ = _eye_line(landmarks)
  upright = (landmarks.points[list(points)] - centre) @ turn
  low, high = upright.min(0), upright.max(0)
  width = (high[0] - low[0]) * (1 + 2 * margin)
  height = high[1] - low[1] + 2 * margin * (high[0] - low[0])
  height = max(height, least_height * width)
  extent = np.array([width, height])
  return _region(centre, turn, (low + high) / 2 - extent / 2, extent, size)


def _region(centre, turn, top_left, extent, size):
  """Matrix of an upright box given in coordinates of the eye line."""
  step = np.asarray(extent) / size
  matrix = np.zeros((2, 3))
  matrix[:, :2] = turn * step
  matrix[:, 2] = centre + turn @ (top_left + step / 2)
  return matrix


def _reached(line, x, y, length):
  """The range of rows or columns that a spline at these points depends on.

  The spline of a whole large frame would take longer than all the rest. The
  points are an affine map of a grid, so the outermost ones are its corners.
  """
  a, b, c = line
  ends = [a * i + b * j + c for i in x.flat[[0, -1]] for j in y.flat[[0, -1]]]
  low, high = int(min(ends)) - _REACH, int(max(ends)) + _REACH + 2
  low = min(max(low, 0), length - 2)
  return slice(low, max(min(high, length), low + 2))


def _centres(size, per_pixel):
  """Centres of the points read, in pixels of the crop."""
  return (np.arange(size * per_pixel) + 0.5) / per_pixel - 0.5
