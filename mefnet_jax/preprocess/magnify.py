"""Magnifies the small motions of a registered clip.

Linear Eulerian magnification (Wu et al., SIGGRAPH 2012): each level of a
Laplacian pyramid is filtered in time, enlarged and added again. A change of
grey values stands for a motion as long as the motion is small against the
detail, so the finest level, which is mostly noise, is left alone, and the
next is enlarged by half.
"""

import cv2
import numpy as np

# Enlargement of the levels, finest first, as shares of the factor.
_SHARES = (0.0, 0.5, 1.0, 1.0)


def clip(frames: np.ndarray, factor: float) -> np.ndarray:
  """Returns the clip with its changes since the onset enlarged by 1 + factor.

  Args:
    frames: (n, S, S, C) registered crops, 0..255.
    factor: 0 changes nothing.

  Returns:
    float32 of the same shape; the first frame stays. Values may leave 0..255.
  """
  frames = frames.astype(np.float32)
  if not factor or len(frames) < 2:
    return frames
  change = _smooth(frames - frames[:1])
  # The filter has mixed the second frame into the first.
  change -= change[:1]
  coarse = np.stack([_coarse_levels(c) for c in change])
  return frames + np.float32(factor) * coarse


def _smooth(change):
  """A low-pass filter over three frames, so that noise is not magnified."""
  before = np.concatenate([change[:1], change[:-1]])
  after = np.concatenate([change[1:], change[-1:]])
  return (before + 2 * change + after) / 4


def _coarse_levels(change):
  """The part of a change (S, S, C) that is magnified: its coarser levels."""
  level, details = change, []
  for _ in _SHARES[:-1]:
    if min(level.shape[:2]) < 4:
      break
    small = cv2.pyrDown(level).reshape(*_half(level), -1)
    details.append(level - _up(small, level))
    level = small
  for detail, share in reversed(list(zip(details, _SHARES, strict=False))):
    level = _up(level, detail) + np.float32(share) * detail
  return level


def _half(level):
  """Rows and columns of the next level, as cv2.pyrDown rounds them."""
  return [(side + 1) // 2 for side in level.shape[:2]]


def _up(small, like):
  """A level enlarged to the size of the finer one."""
  size = like.shape[1::-1]
  return cv2.pyrUp(small, dstsize=size).reshape(like.shape)
