"""Interpolates an image with a cubic spline, by linear reads.

OpenCV's bicubic interpolation shifts a gradient to and fro by up to .04 pixels,
as much as the motions that are looked for. Its linear remap is exact (from
OpenCV 5 on), and four linear reads of the spline's coefficients are the spline:
two neighbours weighted w0, w1 are one linear read at w1 / (w0 + w1) between
them, times w0 + w1 (Sigg & Hadwiger, GPU Gems 2, chapter 20).
"""

import cv2
import numpy as np


def read(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Returns the image's values at points between its pixels.

  The same as SciPy's map_coordinates of order 3, within a hundredth of a grey
  value, in less than half of the time.

  Args:
    image: (H, W), at least 2 x 2; beyond its edge the edge is repeated.
    x, y: (h, w) float32; whole numbers are the centres of pixels.

  Returns:
    (h, w) float32.
  """
  from scipy import ndimage  # not asked for where clips are prepared already

  coefficients = ndimage.spline_filter(image, 3, np.float32, 'mirror')
  share_x, *columns = _pairs(x)
  share_y, *rows = _pairs(y)
  upper, lower = (
    _mixed(*(_linear(coefficients, at, row) for at in columns), share_x)
    for row in rows
  )
  return _mixed(upper, lower, share_y)


def _pairs(at):
  """(share, first, last) of points between four neighbours each.

  `share` is the joint weight of the first two neighbours, `first` the position
  at which those are read, `last` that of the other two.
  """
  whole = np.floor(at)
  f = at - whole
  last = f * f * f / 6
  first = 1 - f
  first = first * first * first / 6
  second = np.float32(2 / 3) - f * f + 3 * last
  share = first + second
  return share, whole - 1 + second / share, whole + 1 + last / (1 - share)


def _linear(image, x, y):
  return cv2.remap(
    image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
  )


def _mixed(one, other, share):
  """share * one + (1 - share) * other, in the memory of `one`."""
  one -= other
  one *= share
  one += other
  return one
