"""Enlarges small motions of a registered clip, after Euler's way.

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
  """Returns the clip with its changes since the onset 1 + factor times as big.

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
  change -= change[:1]
  return frames + np.float32(factor) * np.stack([_kept(c) for c in change])


def _smooth(change):
  """A low-pass over three frames: noise is not to be enlarged."""
  before = np.concatenate([change[:1], change[:-1]])
  after = np.concatenate([change[1:], change[-1:]])
  return (before + 2 * change + after) / 4


def _kept(change):
  """What of a change (S, S, C) is enlarged: its coarser levels."""
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
  return [(side + 1) // 2 for side in level.shape[:2]]


def _up(small, like):
  size = like.shape[1::-1]
  return cv2.pyrUp(small, dstsize=size).reshape(like.shape)
