"""The types that pass between cells of a face, scorers and events."""

import dataclasses
import typing

import numpy as np


class Moments(typing.NamedTuple):
  """A scorer's answers to n windows.

  Attributes:
    expression, returning: (n,) probabilities of an expression and of one that
      goes back; or any numbers that `Thresholds.candidate` is compared with.
    units: 'p' and 'level' (n, A) of the action units; A may be 0.
  """

  expression: np.ndarray
  returning: np.ndarray
  units: dict[str, np.ndarray]


class Answer(typing.NamedTuple):
  """A scorer's answer to one candidate.

  Attributes:
    confidence: probability that it is an expression.
    probabilities: those of the classes; empty if the scorer names none.
    spread: standard deviation of the likeliest class's probability over the
      members.
    units: 'p', 'level' and 'side' (A,) of the action units.
    returning: probability that it is an expression that goes back.
  """

  confidence: float
  probabilities: dict[str, float]
  spread: float
  units: dict[str, np.ndarray]
  returning: float = 0.0


class Expression(typing.NamedTuple):
  """A candidate as a scorer sees it.

  Attributes:
    middle: (28, 28, 2) motion from rest, median over the middle half.
    squares: (n, 128, 128) upright squares of `registration.Anchor` from onset
      to offset, if the scorer needs them.
    points: (68, 2) landmarks in pixels of a square.
  """

  middle: np.ndarray
  squares: np.ndarray
  points: np.ndarray


class Scorer(typing.Protocol):
  """Finds and names expressions; `scorers` has those of models.

  Attributes:
    classes: names of the classes, in the order of the model.
    action_units: FACS numbers of the units in its answers.
    needs_squares: whether it needs `Expression.squares`.
    lacks: threshold of the model's conformal sets, see `thresholds.unsure`.
  """

  classes: tuple[str, ...]
  action_units: tuple[int, ...]
  needs_squares: bool
  lacks: float | None

  def moments(self, maps: np.ndarray) -> Moments:
    """Scores windows.

    Args:
      maps: (n, 28, 28, 2) float32 motion over each window, n at least 1, in
        shares of the distance between the eyes.
    """
    ...

  def answer(self, expression: Expression) -> Answer:
    """Scores and names one candidate."""
    ...


class Found(typing.NamedTuple):
  """An expression of one face: a `motion_course.Course`, but in seconds.

  Attributes:
    answer: the scorer's.
    turning: how far the head moves meanwhile, in eye distances or radians.
    score: probability of the candidate, from the window that it was found in.
  """

  onset: float
  apex: float
  offset: float
  answer: Answer
  motion: float
  lids: float
  middle: np.ndarray
  turning: float
  score: float


class Moment(typing.NamedTuple):
  """One scored window; `time` is the second of its middle."""

  time: float
  expression: float
  returning: float
  motion: float
  units: dict[str, np.ndarray]


@dataclasses.dataclass
class Cell:
  """A face at one tick of the clock.

  Attributes:
    crop: result of `face_crop.cut`, uint8.
    place: (3,) place of the head: x, y in eye distances, angle in radians.
    square, points: as in `Expression`, if the scorer needs them.
    score, returns, motion: those of the window that ends here.
  """

  crop: np.ndarray
  place: np.ndarray
  square: np.ndarray | None = None
  points: np.ndarray | None = None
  score: float = 0.0
  returns: bool = False
  motion: float = 0.0
