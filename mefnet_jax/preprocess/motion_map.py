"""Motion maps: the flow between two crops of one face, on 28 x 28 cells.

Motion is given in shares of the distance between the eyes, x to the right and y
down, so that maps of faces of different sizes can be compared.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mefnet_jax.preprocess import face_crop, flow

SIDE = face_crop.CELLS
_MOST = 15  # frames whose median is taken


def between(
  first: np.ndarray, second: np.ndarray, method: str = 'dis'
) -> np.ndarray:
  """Returns the motion from one crop to another, (SIDE, SIDE, 2) float32.

  Args:
    first, second: registered crops of one face, from `face_crop.cut`.
    method: one of `flow.METHODS`, but not 'none'.
  """
  pair = np.stack([first, second])
  share = np.float32(face_crop.SIDE / face_crop.EYES)
  exact = flow.to_each(pair, method)[1] * share
  return cv2.resize(exact, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def middle(flows: np.ndarray) -> np.ndarray:
  """Returns the motion (SIDE, SIDE, 2) of an expression of unknown apex.

  It is the median of each cell over the middle half of the expression, which is
  better than the frame that moves most: that is often a blink or an error of
  the flow.

  Args:
    flows: (n, SIDE, SIDE, 2) from the onset to each frame up to the offset;
      n at least 1.
  """
  skipped = len(flows) // 4
  return np.median(flows[skipped : len(flows) - skipped], axis=0)


def of_frames(
  frames: Sequence[np.ndarray],
  where: np.ndarray,
  registrations: Sequence[np.ndarray],
  method: str = 'dis_fine',
) -> np.ndarray:
  """Returns the map of an expression from its frames; all maps are made here.

  It is the median of the flows from the onset to frames of the middle half.

  Args:
    frames: (H, W) uint8, grey, from the onset to the offset; at least one.
    where: matrix of the crop on the frame where the face was found, from
      `face_crop.matrix`.
    registrations: from that frame to each of `frames`, (2, 3).
    method: one of `flow.METHODS`, but not 'none'.

  Returns:
    (SIDE, SIDE, 2) float32; zeros of a single frame.
  """
  onset = face_crop.cut(frames[0], where, registrations[0])
  flows = [
    between(onset, face_crop.cut(frames[k], where, registrations[k]), method)
    for k in _counted(len(frames))
  ]
  return np.median(flows, axis=0)


def _counted(count):
  """Numbers of the frames of the middle half; of many only some."""
  skipped = count // 4
  places = np.linspace(skipped, count - skipped - 1, _MOST)
  return np.unique(np.rint(places).astype(int))
