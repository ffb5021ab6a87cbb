"""Who is who: detected faces are given to the tracks that they continue.

A face in the place of a track that registration holds is that track's. All
others are assigned together, by how alike they look and how far they are, so
that the sum of all costs is least (SciPy's linear_sum_assignment).
"""

import typing
from collections.abc import Sequence

import numpy as np

from mefnet_jax.predict import identity
from mefnet_jax.preprocess import faces

# Eye distances between two middles: one place, and faces that may be confused.
ONE_PLACE, TOUCHING = 0.6, 1.6
_OWN_PLACE = 0.8  # a detection so near a held track is its own
_SPEED = 8.0  # eye distances a second that a lost face may have moved
_PLACE_COSTS = 0.15  # of the largest distance in space
_NEVER = 1e6
_GALLERY = 50  # people who have left


class Person:
  """How a face looks; described only once somebody asks.

  Attributes:
    doubted: whether it came so near another face that they may have changed
      places.
  """

  def __init__(self, image: np.ndarray, points: np.ndarray):
    self._chip = identity.chip(image, points)
    self._found: np.ndarray | None = None
    self.doubted = False

  def distance(self, other: 'Person') -> float:
    """How little two faces look alike, see `identity.SAME`."""
    return float(np.linalg.norm(self._description - other._description))

  @property
  def _description(self):
    if self._found is None:
      self._found = identity.describe(self._chip)
    return self._found


class Tracked(typing.Protocol):
  """What is asked of a track, see `track.Track`."""

  face: int
  person: Person
  lost: float | None

  @property
  def eyes(self) -> float:
    """Distance of the eyes in pixels of the image."""

  @property
  def middle(self) -> np.ndarray:
    """The middle of the face, x and y in the image."""


Match = tuple[typing.Any, int, Person]


def remembered(
  gallery: list[tuple[int, Person]], one: tuple[int, Person]
) -> list[tuple[int, Person]]:
  """The gallery with one who has just left; the first of very many go."""
  rest = [other for other in gallery if other[0] != one[0]]
  return [*rest, one][-_GALLERY:]


def assign(
  image: np.ndarray,
  found: Sequence[faces.Landmarks],
  tracks: Sequence[Tracked],
  gallery: Sequence[tuple[int, Person]],
  time: float,
) -> list[Match]:
  """Says of each detected face whose it is.

  Args:
    image: (H, W) uint8.
    found: faces in it.
    tracks: held and lost ones.
    gallery: number and look of people whose tracks have ended.
    time: seconds, for how far a lost face may have gone.

  Returns:
    For each face (track, number, person): its track; or None, the number of a
    person in the gallery or 0, and how the face looks.
  """
  people = [Person(image, face.points) for face in found]
  made: list[Match | None] = [None] * len(found)
  free = list(tracks)
  for i, face in enumerate(found):
    near = [t for t in free if _is_its_own(face, t, found, tracks)]
    if len(near) == 1:
      made[i] = near[0], near[0].face, people[i]
      free.remove(near[0])
  rest = [i for i, one in enumerate(made) if one is None]
  for i, known in zip(
    rest, _by_looks(rest, found, people, free, gallery, time), strict=True
  ):
    track, number = known
    made[i] = track, number, people[i]
    if track is not None:
      track.person.doubted = False
  return typing.cast(list[Match], made)


def _is_its_own(face, track, found, tracks):
  """Whether a face lies where registration holds a track, and no other."""
  if track.lost is not None or track.person.doubted:
    return False
  near = [t for t in tracks if _apart(face, t) < TOUCHING]
  also = [f for f in found if _apart(f, track) < _OWN_PLACE]
  return _apart(face, track) < _OWN_PLACE and len(also) == 1 == len(near)


def _by_looks(rest, found, people, tracks, gallery, time):
  """(track or None, number or 0) of each of the other faces."""
  if not rest or not (tracks or gallery):
    return [(None, 0)] * len(rest)
  from scipy import optimize  # of few frames

  cost = np.full((len(rest), len(tracks) + len(gallery)), _NEVER)
  for row, i in enumerate(rest):
    for column, track in enumerate(tracks):
      cost[row, column] = _cost(found[i], people[i], track, time)
    for column, (_, person) in enumerate(gallery, start=len(tracks)):
      distance = people[i].distance(person)
      if distance < identity.SURE:
        cost[row, column] = 1 + distance
  given: list[tuple[typing.Any, int]] = [(None, 0)] * len(rest)
  for row, column in zip(*optimize.linear_sum_assignment(cost), strict=True):
    if cost[row, column] >= _NEVER:
      continue
    if column < len(tracks):
      given[row] = tracks[column], tracks[column].face
    else:
      given[row] = None, gallery[column - len(tracks)][0]
  return given


def _cost(face, person, track, time):
  """Of a face being a track's; _NEVER where it cannot be."""
  gone = 0.0 if track.lost is None else max(0.0, time - track.lost)
  apart = _apart(face, track) / (ONE_PLACE + TOUCHING + _SPEED * gone)
  if apart > 1:
    return _NEVER
  distance = person.distance(track.person)
  if distance > identity.SAME and not (track.lost is None and apart < 0.2):
    return _NEVER
  return distance + _PLACE_COSTS * apart


def _apart(face, track):
  """Distance in eye distances of the track."""
  left, right = face.points[36:42].mean(0), face.points[42:48].mean(0)
  down = np.array([left[1] - right[1], right[0] - left[0]])
  middle = (left + right) / 2 + _BELOW * down
  return float(np.linalg.norm(middle - track.middle) / track.eyes)


# The square's middle lies so far below the eyes: .5 - .33 of its side, which
# is 1 / .38 eye distances.
_BELOW = 0.45
