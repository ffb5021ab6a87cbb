"""Cuts of a video: where the picture changes at once, as a whole.

A face that moves, a blink or a lamp changes part of a small picture, or all of
it evenly; a cut changes how grey values are spread and where they lie.
"""

import cv2
import numpy as np

_SIZE = (32, 24)  # columns, rows of the small picture
_BINS = 32
# Mean change of a cell in grey values once the mean grey is the same, and the
# share of all cells whose grey value has another bin.
_LEAST_CHANGE, _LEAST_MOVED = 14.0, 0.18
_OVER_USUAL = 4.0  # times the usual change of the frames before


class Cuts:
  """Asked frame by frame whether it is the first one after a cut."""

  def __init__(self) -> None:
    self._before: np.ndarray | None = None
    self._usual = 0.0

  def is_cut(self, image: np.ndarray) -> bool:
    """Whether this frame does not follow from the one before.

    Args:
      image: (H, W) uint8; frames of another size follow from none.
    """
    small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
    small, before = small.astype(np.float32), self._before
    self._before = small
    if before is None:
      return False
    level = small - small.mean() - (before - before.mean())
    change = float(np.abs(level).mean())
    found = (
      change > max(_LEAST_CHANGE, _OVER_USUAL * self._usual)
      and _moved(small, before) > _LEAST_MOVED
    )
    if not found:
      self._usual += 0.1 * (change - self._usual)
    return found


def _moved(small, before):
  """How far two histograms lie apart, 0 to 1; light moves both as a whole."""
  spread = [
    np.histogram(x - x.mean(), _BINS, (-128, 128))[0] / x.size
    for x in (small, before)
  ]
  return float(np.abs(spread[0] - spread[1]).sum() / 2)
