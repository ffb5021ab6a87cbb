"""Assigns detected faces to the tracks that they continue.

A face where registration holds a track belongs to that track. All others are
assigned together, by likeness and distance, with the smallest sum of costs
(SciPy's linear_sum_assignment).
"""

import typing
from collections.abc import Sequence

import numpy as np

from mefnet_jax.predict import identity
from mefnet_jax.preprocess import faces

# Eye distances between two faces: in one place; close enough to be confused.
ONE_PLACE, TOUCHING = 0.6, 1.6
_OWN_PLACE = 0.8  # a detection that close to a held track belongs to it
_SPEED = 8.0  # eye distances a second that a lost face may have moved
_PLACE_COSTS = 0.15  # of the largest distance in space
_NEVER = 1e6
_GALLERY = 50  # people who have left


class Person:
  """The looks of a face; the network describes them when they are first needed.

  Attributes:
    doubted: whether it came so close to another face that the two may have
      been exchanged.
  """

  def __init__(self, image: np.ndarray, points: np.ndarray):
    self._chip = identity.chip(image, points)
    self._found: np.ndarray | None = None
    self.doubted = False

  def distance(self, other: 'Person') -> float:
    """Euclidean distance of the descriptions, see `identity.SAME`."""
    return float(np.linalg.norm(self._description - other._description))

  @property
  def _description(self):
    if self._found is None:
      self._found = identity.describe(self._chip)
    return self._found


class Tracked(typing.Protocol):
  """The part of `track.Track` that is used here."""

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
  """Returns the gallery with one more person, without the oldest if full."""
  rest = [other for other in gallery if other[0] != one[0]]
  return [*rest, one][-_GALLERY:]


def assign(
  image: np.ndarray,
  found: Sequence[faces.Landmarks],
  tracks: Sequence[Tracked],
  gallery: Sequence[tuple[int, Person]],
  time: float,
) -> list[Match]:
  """Assigns each detected face to a track or to a person of the gallery.

  Args:
    image: (H, W) uint8.
    found: the faces in it.
    tracks: held and lost tracks.
    gallery: number and looks of the people whose tracks have ended.
    time: seconds; bounds how far a lost face may have moved.

  Returns:
    For each face (track, number, person): its track, or None for a new one; the
    number of its person, 0 for a new one; and its looks.
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
  """Whether a face, and no other, lies where registration holds a track."""
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
  """Cost of assigning a face to a track; _NEVER if it cannot belong to it."""
  gone = 0.0 if track.lost is None else max(0.0, time - track.lost)
  apart = _apart(face, track) / (ONE_PLACE + TOUCHING + _SPEED * gone)
  if apart > 1:
    return _NEVER
  distance = person.distance(track.person)
  if distance > identity.SAME and not (track.lost is None and apart < 0.2):
    return _NEVER
  return distance + _PLACE_COSTS * apart


def _apart(face, track):
  """Distance of a face from a track, in the track's eye distances."""
  left, right = face.points[36:42].mean(0), face.points[42:48].mean(0)
  down = np.array([left[1] - right[1], right[0] - left[0]])
  middle = (left + right) / 2 + _BELOW * down
  return float(np.linalg.norm(middle - track.middle) / track.eyes)


# The square's middle lies so far below the eyes: .5 - .33 of its side, which
# is 1 / .38 eye distances.
_BELOW = 0.45
