"""Motion maps: the flow between two crops of one face, on 28 x 28 cells.

In shares of the distance between the eyes, x to the right and y down, so that
a map means the same whatever the size of the face.
"""

import cv2
import numpy as np

from mefnet_jax.preprocess import face_crop, flow

SIDE = face_crop.CELLS


def between(
  first: np.ndarray, second: np.ndarray, method: str = 'dis'
) -> np.ndarray:
  """The motion from one crop to another, (SIDE, SIDE, 2) float32.

  Args:
    first, second: crops of `face_crop.cut` of one face, registered.
    method: of `flow.METHODS`, but not 'none'.
  """
  pair = np.stack([first, second])
  share = np.float32(face_crop.SIDE / face_crop.EYES)
  exact = flow.to_each(pair, method)[1] * share
  return cv2.resize(exact, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def middle(flows: np.ndarray) -> np.ndarray:
  """The motion of an expression whose apex nobody knows.

  Cell by cell the median over the middle half of the expression: better than
  the frame that moves most, which is often a blink or an error of the flow.

  Args:
    flows: (n, SIDE, SIDE, 2) from the onset to each frame up to the offset;
      n at least 1.
  """
  skipped = len(flows) // 4
  return np.median(flows[skipped : len(flows) - skipped], axis=0)
