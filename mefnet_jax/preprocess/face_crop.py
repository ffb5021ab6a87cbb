"""The face as motion maps show it: a grey square from brow to chin.

Eyes and mouth lie where the crops of the public maps of MEGC2019 have them, in
cells of 28 a side: the eyes at columns 6.3 and 21 of row 7.7, the mouth in row
20.3. A cell is 4 x 4 pixels of the crop. Across and down are scaled apart, as
they are there: the crops are squeezed into squares.

A matrix (2, 3) takes the centres of the crop's pixels to points of the image,
as in `regions`.
"""

import cv2
import numpy as np

from mefnet_jax.preprocess import regions

CELLS, CELL = 28, 4
SIDE = CELLS * CELL
_LEFT, _RIGHT, _EYE_ROW, _MOUTH_ROW = 6.3, 21.0, 7.7, 20.3
EYES = (_RIGHT - _LEFT) * CELL  # distance of the eyes, pixels of the crop
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_MOUTH = slice(48, 68)


def matrix(points: np.ndarray) -> np.ndarray:
  """Returns where the crop of a face lies in its image, (2, 3).

  Args:
    points: (68, 2) landmarks, as from `faces.find`, x and y in pixels.

  Raises:
    ValueError: the eyes are in one place, or the mouth is not below them.
  """
  left, right, mouth = (
    points[part].mean(0) for part in (_LEFT_EYE, _RIGHT_EYE, _MOUTH)
  )
  apart = np.linalg.norm(right - left)
  if apart == 0:
    raise ValueError('landmarks of no face: both eyes are in one place')
  across = (right - left) / apart
  down = np.array([-across[1], across[0]])
  middle = (left + right) / 2
  deep = (mouth - middle) @ down
  if deep <= 0:
    raise ValueError('landmarks of no face: the mouth is not below the eyes')
  step_x = across * apart / EYES
  step_y = down * deep / ((_MOUTH_ROW - _EYE_ROW) * CELL)
  eyes_x, eyes_y = _pixel((_LEFT + _RIGHT) / 2), _pixel(_EYE_ROW)
  return np.column_stack(
    [step_x, step_y, middle - eyes_x * step_x - eyes_y * step_y]
  )


def cut(
  image: np.ndarray,
  matrix: np.ndarray,
  registration: np.ndarray | None = None,
) -> np.ndarray:
  """Cuts the face out of an image, (SIDE, SIDE) uint8.

  Read linearly, which on a face is as good as a spline once the flow is
  averaged over cells (.005 pixels) and ten times as fast. Where a pixel of the
  crop covers several of the image they are averaged.

  Args:
    image: (H, W) uint8, grey; beyond its edge the edge is repeated.
    matrix: from `matrix`, for the image on which the face was found.
    registration: maps points of that image to this one (`registration`); by
      default the two are the same image.
  """
  if registration is not None:
    matrix = regions.chain(registration, matrix)
  steps = np.linalg.norm(matrix[:, :2], axis=0)
  finer = np.maximum(1, np.ceil(steps - 1e-3)).astype(int)
  fine = matrix.copy()
  fine[:, :2] /= finer
  fine[:, 2] += matrix[:, :2] @ (0.5 / finer - 0.5)
  read = cv2.warpAffine(
    image,
    fine,
    (SIDE * finer).tolist(),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )
  return cv2.resize(read, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _pixel(cell):
  """The pixel of the crop at a place given in cells; centres are whole."""
  return CELL * (cell + 0.5) - 0.5
