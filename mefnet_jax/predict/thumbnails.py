"""The signal and the pictures of a timeline, in constant memory.

The signal is kept in bins, pictures at intervals, which grow as the video does.
"""

import dataclasses
import math
import typing

import cv2
import numpy as np

from mefnet_jax.predict import track

_BINS = 1500
_FIRST = 0.05  # seconds of a bin at first, so that no bin is without a frame
_EARLY = 1e-3  # of a bin, lest a rounded time fall into the one before
_PICTURES = 8  # at least, of long videos; at most twice as many
_HEIGHT = 120  # pixels of a kept picture


class Signal:
  """The largest expression signal and motion of each face in bins of time."""

  def __init__(self) -> None:
    self.step = _FIRST
    self._bins: dict[int, dict[int, tuple[float, float]]] = {}

  def add(self, row: dict[str, typing.Any]) -> None:
    """Adds a row of frames.csv."""
    if 'motion' not in row:
      return
    at = self._bin(row['timestamp'])
    while at >= _BINS:
      self._halve()
      at = self._bin(row['timestamp'])
    score = max(row['expression'], row['returning'])
    face = self._bins.setdefault(row['face_id'], {})
    before = face.get(at, (0.0, 0.0))
    face[at] = max(before[0], score), max(before[1], row['motion'])

  def of_faces(self) -> dict[int, np.ndarray]:
    """The signal (n, 3) of each face: seconds, probability, and motion in
    shares of the eye distance; nan where the face is not seen."""
    made = {}
    for face, bins in self._bins.items():
      whole = np.full((max(bins) + 1, 3), np.nan)
      whole[:, 0] = (np.arange(len(whole)) + 0.5) * self.step
      for at, values in bins.items():
        whole[at, 1:] = values
      made[face] = whole
    return made

  def _bin(self, time):
    return int(time / self.step + _EARLY)

  def _halve(self):
    self.step *= 2
    for face, bins in self._bins.items():
      joined: dict[int, tuple[float, float]] = {}
      for at, (score, motion) in bins.items():
        old = joined.get(at // 2, (0.0, 0.0))
        joined[at // 2] = max(old[0], score), max(old[1], motion)
      self._bins[face] = joined


@dataclasses.dataclass(frozen=True)
class Picture:
  """A frame in a timeline.

  Attributes:
    time: seconds.
    size: (H, W) of the frame.
    outlines: number and landmarks (68, 2) of each face.
    image: the frame, smaller; None if faces are hidden.
  """

  time: float
  size: tuple[int, int]
  outlines: tuple[tuple[int, np.ndarray], ...]
  image: np.ndarray | None


class Pictures:
  """Keeps frames at even intervals of a video of unknown length.

  Args:
    show_faces: whether to keep their pixels, or outlines alone.

  Attributes:
    chosen: the frames kept so far.
  """

  def __init__(self, *, show_faces: bool):
    self._show = show_faces
    self._every = 0.25
    self._next = -math.inf
    self.chosen: list[Picture] = []

  def add(
    self, time: float, image: np.ndarray, faces: list[track.Sighting]
  ) -> None:
    """Keeps a frame and the faces in it, if the next interval has begun."""
    if time < self._next or not faces:
      return
    self._next = time + self._every
    outlines = tuple((one.face, one.outline) for one in faces)
    small = None
    if self._show:
      scale = _HEIGHT / image.shape[0]
      width = max(1, round(image.shape[1] * scale))
      small = cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    self.chosen.append(Picture(time, image.shape[:2], outlines, small))
    if len(self.chosen) == 2 * _PICTURES:
      self.chosen = self.chosen[::2]
      self._every *= 2
