"""How a frame is turned, by the display matrix of its container."""

import typing

import numpy as np

from mefnet_jax.preprocess import containers

if typing.TYPE_CHECKING:
  import av

# The results of `turn`, in words.
TURNS = {
  (True, False, True): 'by 90 degrees',
  (False, True, True): 'by 180 degrees',
  (True, True, False): 'by 270 degrees',
  (False, True, False): 'mirrored',
  (False, False, True): 'mirrored upside down',
  (True, False, False): 'by 90 degrees and mirrored',
  (True, True, True): 'by 270 degrees and mirrored',
}


def turn(frame: 'av.VideoFrame') -> tuple[bool, bool, bool]:
  """Returns whether to transpose a frame, then mirror it, then turn it over.

  The matrix maps a pixel to its place: x' = a x + c y, y' = b x + d y.
  """
  a, b, c, d = _matrix(frame)
  if abs(b) + abs(c) > abs(a) + abs(d):
    return True, c < 0, b < 0
  return False, a < 0, d < 0


def is_oblique(frame: 'av.VideoFrame') -> bool:
  """Returns whether the angle of a frame is no multiple of 90 degrees."""
  a, b, c, d = map(abs, _matrix(frame))
  return min(a + d, b + c) > 0.02 * max(a + d, b + c)


def _matrix(frame):
  """The numbers a, b, c, d of a frame's matrix; the identity without one."""
  matrix = containers.side_data(frame).get('DISPLAYMATRIX')
  if matrix is None:
    return 1, 0, 0, 1
  a, b, _, c, d = (int(v) for v in np.frombuffer(matrix, np.int32)[:5])
  return a, b, c, d
