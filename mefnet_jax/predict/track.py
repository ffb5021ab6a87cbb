"""Faces with identities that last, from frame to frame.

A detector's landmarks jitter by as much as a micro-expression moves. So a face
is detected where its track begins, and registration carries it from there
(`preprocess.registration.Anchor`). The detector runs again once a second, and
when registration has lost a face. Its detections are assigned to the tracks; a
track is moved to its detection only if it has drifted away.
"""

import dataclasses
import functools
import itertools
import typing
from concurrent import futures

import numpy as np

from mefnet_jax.predict import cuts, face_finder, matching, optional_executor
from mefnet_jax.preprocess import face_crop, faces, regions, registration

LOOK_EVERY = 1.0  # seconds from one detection to the next
_LOOK_AGAIN = 0.2  # where a face is missing
LOST_FOR = 1.0  # seconds in which a lost face may come back as its track
# Correlation below which the face is lost, and below which a face that the
# detector does not see either is given up.
_LOST, _DOUBTFUL = 0.6, 0.85
_MISSES = 5  # detections in a row without the face that registration holds
_LEAP = 0.35  # eye distances from one frame to the next; more is no head
# Differences from registration beyond which the detector is right: eye
# distances, share of the size, radians.
_DRIFT, _GROWTH, _TURN = 0.25, 0.12, 0.2
_ANCHOR_FOR = 10.0  # seconds; then a newer frame becomes the anchor


@dataclasses.dataclass(frozen=True)
class Sighting:
  """A face on one frame.

  Attributes:
    face: the number of its person, from 1.
    crop: (2, 3) affine map from pixels of `face_crop` to the image.
    square: (2, 3) the same from the upright square of `registration.Anchor`.
    box: left, top, right, bottom in pixels of the image.
    eyes: distance between the eyes in pixels of the image.
    points: (68, 2) landmarks in pixels of the square.
    fit: correlation with its anchor, 0 to 1.
    since: the second at which its unbroken track began.
  """

  face: int
  crop: np.ndarray
  square: np.ndarray
  box: tuple[float, float, float, float]
  eyes: float
  points: np.ndarray
  fit: float
  since: float

  @property
  def outline(self) -> np.ndarray:
    """The landmarks (68, 2) as they lie in the image."""
    return self.points @ self.square[:, :2].T + self.square[:, 2]

  @property
  def head(self) -> np.ndarray:
    """Place of the head (3,): x and y in eye distances, angle in radians."""
    step = self.square[:, 0]
    middle = self.square @ [registration.SIDE / 2, registration.SIDE / 2, 1]
    return np.array([*(middle / self.eyes), np.arctan2(step[1], step[0])])


class Track:
  """One face that is followed."""

  def __init__(self, face: int, person: matching.Person):
    self.face, self.person = face, person
    self.lost: float | None = None  # since when
    self.misses, self.fit = 0, 1.0

  def anchor_at(
    self, image: np.ndarray, landmarks: faces.Landmarks, time: float
  ) -> None:
    """Begins anew from landmarks in an image (H, W) uint8 at `time` (seconds);
    later crops cannot be compared with earlier ones."""
    self._anchor = registration.Anchor(image, landmarks)
    self.place, self.since, self._anchored = self._anchor.place, time, time
    into = np.linalg.inv(_square(self.place))
    self._crop = (into @ _square(face_crop.matrix(landmarks.points)))[:2]
    self._points = (into[:2, :2] @ landmarks.points.T + into[:2, 2:]).T
    self.lost, self.misses, self.fit = None, 0, 1.0

  def carry(self, image: np.ndarray, time: float) -> bool:
    """Finds the face on the next frame, (H, W) uint8 at `time` (seconds).

    Returns:
      False if the face is lost; its place then stays the last known one.
    """
    found = self._anchor.locate(image, self.place)
    if found is None:
      return False
    place, fit = found
    leap = np.linalg.norm(_middle(place) - _middle(self.place)) / self.eyes
    if fit < _LOST or leap > _LEAP:
      return False
    self.place, self.fit = place, fit
    if time - self._anchored > _ANCHOR_FOR and fit > _DOUBTFUL:
      self._anchor.renew(image, place)
      self._anchored = time
    return True

  @property
  def eyes(self) -> float:
    """Distance of the eyes in pixels of the image."""
    step = np.linalg.norm(self.crop[:, 0])
    return float(step * face_crop.EYES)

  @property
  def crop(self) -> np.ndarray:
    """(2, 3) affine map from pixels of `face_crop` to the image."""
    return regions.chain(self.place, self._crop)

  @property
  def middle(self) -> np.ndarray:
    """(2,) middle of the face, x and y in pixels of the image."""
    return _middle(self.place)

  def drifted(self, landmarks: faces.Landmarks) -> bool:
    """Whether the detector sees the face elsewhere than registration does."""
    seen = face_crop.matrix(landmarks.points)
    own = self.crop
    ratio = np.linalg.norm(seen[:, 0]) / np.linalg.norm(own[:, 0])
    turn = np.arctan2(*seen[::-1, 0]) - np.arctan2(*own[::-1, 0])
    eyes = np.array([(face_crop.SIDE - 1) / 2, 31.0])
    apart = regions.chain(seen, np.c_[np.eye(2), eyes])[:, 2]
    apart -= regions.chain(own, np.c_[np.eye(2), eyes])[:, 2]
    return bool(
      np.linalg.norm(apart) > _DRIFT * self.eyes
      or abs(np.log(ratio)) > _GROWTH
      or abs(turn) > _TURN
    )

  def sighting(self) -> Sighting:
    """The face on the current frame."""
    at = self._points @ self.place[:, :2].T + self.place[:, 2]
    return Sighting(
      self.face,
      self.crop,
      self.place,
      (*at.min(0).tolist(), *at.max(0).tolist()),
      self.eyes,
      self._points,
      self.fit,
      self.since,
    )


class _Asked(typing.NamedTuple):
  """A frame given to the detector, and the places of the tracks on it."""

  faces: futures.Future
  image: np.ndarray
  time: float
  places: dict[Track, np.ndarray]


class Tracker:
  """Follows all faces of one video.

  Args:
    detector: face detector.
    find: replaces it by one in a process of its own, a `face_finder.Finder`.
    later: executor that runs the detector in the background, while faces are
      followed on further frames. By default each frame waits for it.

  Attributes:
    tracks: all tracks, those lost within the last second included.
    cut: whether the last frame was the first one after a cut.
  """

  def __init__(
    self,
    detector: str = 'dlib',
    find: face_finder.Find | None = None,
    later: futures.Executor | None = None,
  ):
    self.tracks: list[Track] = []
    self.cut = False
    self._find = find or functools.partial(faces.find_all, detector=detector)
    self._later = later
    self._asked: _Asked | None = None
    self._numbers = itertools.count(1)
    self._gallery: list[tuple[int, matching.Person]] = []
    self._cuts = cuts.Cuts()
    self._size: tuple[int, ...] | None = None
    self._looked: float | None = None

  def step(self, image: np.ndarray, time: float) -> list[Sighting]:
    """Returns the faces on the next frame, in the order of their tracks.

    Args:
      image: (H, W) uint8.
      time: seconds, later than that of the frame before.

    Raises:
      errors.UserError: the detector is not installed.
    """
    self._begin(image)
    for track in self._held():
      if not track.carry(image, time):
        track.lost = time
    self._part(time)
    if self._asked is None and self._must_look(time):
      self._looked = time
      found = optional_executor.submit(self._later, self._find, image)
      places = {track: track.place for track in self._held()}
      self._asked = _Asked(found, image, time, places)
    if self._asked is not None and self._asked.faces.done():
      asked, self._asked = self._asked, None
      self._match_late(asked, image, time)
    for track in self.tracks:
      if track.lost is not None and time - track.lost > LOST_FOR:
        self._retire(track)
    return [track.sighting() for track in self._held()]

  def _begin(self, image):
    """Ends all tracks at a cut, or where the size of the frames changes."""
    self.cut = self._cuts.is_cut(image)
    self.cut |= self._size not in (None, image.shape)
    self._size = image.shape
    if self.cut:
      for track in list(self.tracks):
        self._retire(track)
      self._looked = self._asked = None

  def _held(self):
    return [track for track in self.tracks if track.lost is None]

  def _retire(self, track):
    self.tracks = [t for t in self.tracks if t is not track]
    self._gallery = matching.remembered(
      self._gallery, (track.face, track.person)
    )

  def _part(self, time):
    """Loses the worse one of two tracks on one face."""
    for a, b in itertools.combinations(self._held(), 2):
      near = np.linalg.norm(a.middle - b.middle) / min(a.eyes, b.eyes)
      if near < matching.ONE_PLACE:
        (a if a.fit < b.fit else b).lost = time
      if near < matching.TOUCHING:
        a.person.doubted = b.person.doubted = True

  def _must_look(self, time):
    if self._looked is None:
      return True
    held = self._held()
    soon = not held or len(held) < len(self.tracks)
    soon |= any(track.person.doubted for track in held)
    return time - self._looked >= (_LOOK_AGAIN if soon else LOOK_EVERY) - 1e-6

  def _match_late(self, asked, image, time):
    """As `_match`, for a frame that may lie before this one."""
    now = {track: track.place for track in self._held()}
    for track in now:
      track.place = asked.places.get(track, track.place)
    self._match(asked.image, asked.faces.result(), asked.time)
    for track in self._held():
      if track.since != asked.time:
        track.place = now.get(track, track.place)
      elif time > asked.time and not track.carry(image, time):
        track.lost = time

  def _match(self, image, found, time):
    """Assigns each detected face to a track, or begins a new one."""
    tracks = list(self.tracks)
    pairs = matching.assign(image, found, tracks, self._gallery, time)
    for landmarks, (track, face, person) in zip(found, pairs, strict=True):
      if track is None:
        self._gallery = [one for one in self._gallery if one[0] != face]
        track = Track(face or next(self._numbers), person)
        self.tracks.append(track)
        track.anchor_at(image, landmarks, time)
      elif track.lost is not None or track.drifted(landmarks):
        track.anchor_at(image, landmarks, time)
      track.misses = 0
    seen = {id(track) for track, _, _ in pairs if track is not None}
    for track in tracks:
      if id(track) not in seen and track.lost is None:
        track.misses += 1
        if track.fit < _DOUBTFUL or track.misses > _MISSES:
          track.lost = time


def _square(matrix):
  return np.vstack([matrix, [0, 0, 1]])


def _middle(place):
  """(2,) middle of the square in the image."""
  return place[:, :2] @ np.full(2, registration.SIDE / 2) + place[:, 2]
