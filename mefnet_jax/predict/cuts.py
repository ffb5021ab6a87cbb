"""Cuts of a video: where another picture begins at once, by PySceneDetect.

Its detector by perceptual hashes compares where a picture is light and dark,
whatever the light is: of its detectors on grey frames the one that passes over
a lamp, a hand and a head that moves (`tests/predict/test_cuts.py`).
"""

import itertools
import typing

import cv2
import numpy as np

if typing.TYPE_CHECKING:
  import scenedetect

_SIZE = (64, 48)  # columns, rows of the small picture
# Grey values' standard deviation; below it a hash would be one of noise.
_LEAST_SPREAD = 4.0
_COUNTED = 30.0  # frames a second of a clock that only counts them


class Cuts:
  """Asked frame by frame whether it is the first one after a cut."""

  def __init__(self) -> None:
    self._detector = _detector()
    self._numbers = itertools.count()
    self._was_flat = False

  def is_cut(self, image: np.ndarray) -> bool:
    """Whether this frame does not follow from the one before.

    Args:
      image: (H, W) uint8.
    """
    from scenedetect import common

    small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
    is_flat, was_flat = small.std() < _LEAST_SPREAD, self._was_flat
    self._was_flat = bool(is_flat)
    now = common.FrameTimecode(next(self._numbers), _COUNTED)
    found = self._detector.process_frame(now, np.dstack([small] * 3))
    return bool(found) and not (is_flat and was_flat)


def _detector() -> 'scenedetect.SceneDetector':
  from scenedetect.detectors import hash_detector  # imports much

  return hash_detector.HashDetector(min_scene_len=1)
