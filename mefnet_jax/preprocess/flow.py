"""Optical flow from the onset to each frame, and how it is stored.

Flow is computed on registered face crops, so head motion is out of it. It is
stored at a fixed scale, not stretched to the extremes of each image, because
the size of a motion distinguishes micro-expressions from larger ones and none.

Axes: T frames, H rows, W columns. Displacements are in shares of the side of
the face crop, so they mean the same at any size and in any stream.
"""

import functools
import threading

import cv2
import numpy as np

from mefnet_jax.runs import errors

METHODS = ('none', 'dis', 'dis_fine', 'farneback', 'tvl1')
NEUTRAL = 128  # the stored value of no motion
# 127 levels stand for 4 % of the face's side, and for a strain of 15 %.
MOTION_RANGE, STRAIN_RANGE = 0.04, 0.15
_LEVELS = 127


def check(method: str) -> None:
  """Raises errors.UserError for a method that is not there."""
  if method not in METHODS:
    known = ', '.join(METHODS)
    raise errors.UserError(
      f'--config.dataset.flow={method!r}: must be one of {known}'
    )


def to_each(crops: np.ndarray, method: str) -> np.ndarray:
  """Returns the flow from the first crop to each of them.

  Args:
    crops: (n, S, S) registered face crops, 0..255.
    method: 'dis', 'dis_fine' (at full resolution: less of a motion is lost,
      and noise is three times as large), 'farneback' or 'tvl1'.

  Returns:
    (n, S, S, 2) float32: x then y, in shares of the side S; the first is zero.
  """
  between = {
    'dis': _dis,
    'dis_fine': _dis_fine,
    'farneback': _farneback,
    'tvl1': _tvl1,
  }[method]
  grey = np.asarray(crops)
  if grey.dtype != np.uint8:
    grey = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
  flows = np.zeros((*grey.shape, 2), np.float32)
  for own, other in zip(flows[1:], grey[1:], strict=True):
    np.divide(between(grey[0], other), np.float32(grey.shape[1]), out=own)
  return flows


def strain(flow_THW2: np.ndarray) -> np.ndarray:
  """Returns the optical strain (T, H, W): how far skin is stretched or sheared.

  The length of the symmetric gradient: sqrt(e_xx^2 + e_yy^2 + 2 e_xy^2).
  """
  # In pixels, so that the gradient over pixels has no unit.
  side = flow_THW2.shape[1]
  down, across = np.gradient(flow_THW2 * np.float32(side), axis=(1, 2))
  shear = (across[..., 1] + down[..., 0]) / 2
  return np.sqrt(across[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)


def encode(flow_THW2: np.ndarray, strain_THW: np.ndarray) -> np.ndarray:
  """Stores flow and strain as (T, H, W, 3) uint8; no motion is `NEUTRAL`.

  Values beyond MOTION_RANGE and STRAIN_RANGE are clipped.
  """
  parts = [flow_THW2 / MOTION_RANGE, strain_THW[..., None] / STRAIN_RANGE]
  levels = np.concatenate(parts, axis=-1) * _LEVELS
  levels = np.clip(np.rint(levels), -_LEVELS, _LEVELS)
  return (levels + NEUTRAL).astype(np.uint8)


def decode(stored_THW3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns flow (T, H, W, 2) in shares of the side, and strain (T, H, W)."""
  levels = (stored_THW3.astype(np.float32) - NEUTRAL) / _LEVELS
  return levels[..., :2] * MOTION_RANGE, levels[..., 2] * STRAIN_RANGE


def colours(flow_HW2: np.ndarray, most: float) -> np.ndarray:
  """Returns a picture (H, W, 3) of a flow: its direction as hue.

  White is no motion; the full colour is a displacement of `most`.
  """
  x, y = flow_HW2[..., 0], flow_HW2[..., 1]
  hue = (np.degrees(np.arctan2(y, x)) % 360) / 2  # OpenCV's hues end at 180
  share = np.clip(np.hypot(x, y) / most, 0, 1)
  whole = np.full_like(share, 255)
  picture = np.stack([hue, 255 * share, whole], axis=-1).astype(np.uint8)
  return cv2.cvtColor(picture, cv2.COLOR_HSV2RGB)


def _dis(first, other):
  return _by_dis(_engine(first.shape, finest=1, stride=3), first, other)


def _dis_fine(first, other):
  # The preset stops at half the resolution: on rendered faces whose eyes are 41
  # pixels apart it finds .6 of a motion, at full resolution .85.
  return _by_dis(_engine(first.shape, finest=0, stride=6), first, other)


def _by_dis(engine, first, other):
  quiet = (cv2.GaussianBlur(image, (0, 0), 1.0) for image in (first, other))
  return engine.calc(*quiet, None)


def _engine(shape, **settings):
  # An engine holds the memory that it computes in: each thread has its own.
  return _dis_engine(threading.get_ident(), shape, **settings)


# One for each size of image: for a small one OpenCV changes the settings of an
# engine, and its later answers to larger ones would depend on that.
@functools.lru_cache(maxsize=64)
def _dis_engine(thread, shape, *, finest, stride):
  del thread, shape
  engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  engine.setFinestScale(finest)
  # With the preset's patches of 8 pixels, sensor noise makes flows of .08
  # pixels on a face at rest; with 12 and a blur of 1 pixel, .04.
  engine.setPatchSize(12)
  engine.setPatchStride(stride)
  return engine


def _farneback(first, other):
  # A small window and many iterations: at the usual 15 and 3 it gives half of
  # a motion of one pixel.
  return cv2.calcOpticalFlowFarneback(
    first, other, None, 0.5, 4, 11, 10, 7, 1.5, 0
  )


def _tvl1(first, other):
  # From scikit-image: only the wheel opencv-contrib-python has it, and only one
  # wheel of OpenCV may be installed.
  from skimage import registration  # needed by few

  down, across = registration.optical_flow_tvl1(first, other, dtype=np.float32)
  return np.stack([across, down], axis=-1)
