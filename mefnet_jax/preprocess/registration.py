"""Registers the frames of a clip to its first one.

Landmarks found anew in each frame jitter by 0.1-0.7 pixels, as much as a
micro-expression moves. The whole face registered to the onset frame by its
grey values (ECC, Evangelidis & Psarakis 2008) is steady to 0.002 pixels.
A registration is a 2 x 3 matrix that maps points of the first frame to their
places in another.
"""

import typing

import cv2
import numpy as np

from mefnet_jax.preprocess import regions

if typing.TYPE_CHECKING:
  from collections.abc import Sequence

  from mefnet_jax.preprocess import faces

METHODS = ('ecc', 'landmarks', 'none')
# Pixels of the longer side at which ECC compares faces.
SIDE = 128
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-6)
# From the place on the frame before, twelve steps are as exact as fifty.
_QUICK_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 1e-4)
# Eyes' corners, bridge and base of the nose: these move least on a face.
_RIGID = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)


class Anchor:
  """A face on the frame where it was found, which others are registered to.

  A place is a (2, 3) matrix from the upright square around the face, as
  `regions.face` cuts it, to the image.

  Attributes:
    place: place of the face on the frame where it was found.
  """

  def __init__(self, image: np.ndarray, landmarks: 'faces.Landmarks'):
    self.place = regions.face(landmarks, SIDE)
    self._template = square(image, self.place)

  def renew(self, image: np.ndarray, place: np.ndarray) -> None:
    """Makes another frame the one that later frames are registered to.

    Args:
      image: (H, W) uint8, the frame.
      place: place of the face on it.
    """
    self._template = square(image, place)

  def locate(
    self, image: np.ndarray, place: np.ndarray
  ) -> tuple[np.ndarray, float] | None:
    """Finds the face near a place; None where ECC does not converge.

    Args:
      image: (H, W) uint8.
      place: where it was on the frame before.

    Returns:
      Its place, turned and shifted but not scaled, and how well it fits: the
      correlation of the grey values.
    """
    found = square(image, place)
    try:
      fit, warp = cv2.findTransformECC(
        self._template,
        found,
        np.eye(2, 3, dtype=np.float32),
        cv2.MOTION_EUCLIDEAN,
        _QUICK_STOP,
        None,
        1,
      )
    except cv2.error:
      return None
    if not np.isfinite(warp).all():
      return None
    return regions.chain(place, warp.astype(np.float64)), float(fit)


def identity() -> np.ndarray:
  """Returns the registration of a frame to itself, (2, 3) float64."""
  return np.eye(2, 3)


def ecc(
  frames: 'Sequence[np.ndarray]',
  box: tuple[int, int, int, int],
  reference: int = 0,
) -> tuple[list[np.ndarray], list[int]]:
  """Registers each frame to one of them by a rotation and a shift.

  Args:
    frames: (H, W) uint8 images, all of one size.
    box: left, top, right, bottom of the face in the reference frame.
    reference: index of the frame the others are registered to.

  Returns:
    One matrix a frame (the reference's is the identity), and the indices of
    frames for which ECC did not converge: those keep their neighbour's matrix.
  """
  left, top, right, bottom = box
  scale = min(1.0, SIDE / max(right - left, bottom - top))
  crops = [_crop(frame, box, scale) for frame in frames]
  warps, failed = {reference: np.eye(2, 3, dtype=np.float32)}, []
  for step, end in ((1, len(frames)), (-1, -1)):
    for i in range(reference + step, end, step):
      warps[i] = _ecc(crops[reference], crops[i], warps[i - step])
      if warps[i] is None:
        warps[i] = warps[i - step]
        failed.append(i)
  matrices = [_at_full_size(warps[i], box, scale) for i in range(len(frames))]
  return matrices, sorted(failed)


def box(
  landmarks: 'faces.Landmarks | None', shape: tuple[int, int]
) -> tuple[int, int, int, int]:
  """Returns the face with its forehead, in whole pixels within the image.

  Without landmarks the image is a face crop: all of it.
  """
  height, width = shape
  if landmarks is None:
    return (0, 0, width, height)
  left, top, right, bottom = landmarks.box
  top -= 0.2 * (bottom - top)
  low = np.floor([left, top]).astype(int)
  high = np.ceil([right, bottom]).astype(int)
  low = np.clip(low, 0, [width - 2, height - 2])
  high = np.clip(high, low + 2, [width, height])
  return (*low.tolist(), *high.tolist())


def by_landmarks(
  first: 'faces.Landmarks', other: 'faces.Landmarks'
) -> np.ndarray:
  """Returns the similarity transform between the rigid landmarks, (2, 3)."""
  rigid = list(_RIGID)
  source = first.points[rigid].astype(np.float32)
  target = other.points[rigid].astype(np.float32)
  matrix, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.LMEDS)
  # LMEDS finds nothing where points coincide.
  return identity() if matrix is None else matrix


def square(image: np.ndarray, place: np.ndarray) -> np.ndarray:
  """Cuts out the square at a place, (SIDE, SIDE), averaging finer pixels.

  Args:
    image: (H, W) uint8.
    place: (2, 3), as for `Anchor`.
  """
  step = float(np.hypot(*place[:, 0]))
  # Read at a multiple of the resolution and averaged: INTER_LINEAR alone reads
  # four pixels, and would skip those between.
  finer = max(1, int(step + 0.5))
  fine = np.hstack([place[:, :2] / finer, place[:, 2:]])
  fine[:, 2] += place[:, :2] @ np.full(2, 0.5 / finer - 0.5)
  read = cv2.warpAffine(
    image,
    fine,
    (SIDE * finer, SIDE * finer),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )
  if finer == 1:
    return read
  return cv2.resize(read, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _ecc(template, image, start):
  """ECC's result from a start (2, 3) float32; None if it does not converge."""
  try:
    _, warp = cv2.findTransformECC(
      template, image, start.copy(), cv2.MOTION_EUCLIDEAN, _STOP, None, 1
    )
  except cv2.error:
    return None
  return warp if np.isfinite(warp).all() else None


def _crop(frame, box, scale):
  """The face of a frame, at the scale at which ECC compares."""
  left, top, right, bottom = box
  crop = frame[top:bottom, left:right]
  if scale == 1.0:
    return crop
  return cv2.resize(
    crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
  )


def _at_full_size(warp, box, scale):
  """A registration of scaled crops, in pixels of the frames."""
  into = np.array([[scale, 0, 0], [0, scale, 0], [0, 0, 1.0]])
  # cv2.resize aligns the edges of pixels, not their centres: hence the half.
  into[:2, 2] = (scale - 1) / 2 - scale * np.array(box[:2])
  whole = np.vstack([warp.astype(np.float64), [0, 0, 1]])
  return (np.linalg.inv(into) @ whole @ into)[:2]
