"""What passes between a face's crops, what scores them, and what is found."""

import dataclasses
import typing

import numpy as np


class Moments(typing.NamedTuple):
  """What a scorer says of n windows.

  Attributes:
    expression, returning: (n,) probabilities, or a number that is compared
      with `Thresholds.candidate`.
    units: 'p' and 'level' (n, A) of action units; A may be 0.
  """

  expression: np.ndarray
  returning: np.ndarray
  units: dict[str, np.ndarray]


class Answer(typing.NamedTuple):
  """What a scorer says of one expression.

  Attributes:
    confidence: probability that it is one.
    probabilities: of the classes; empty where it names none.
    spread: standard deviation of the likeliest class over the members.
    units: 'p', 'level', 'side' (A,).
    returning: probability that it is one that goes back.
  """

  confidence: float
  probabilities: dict[str, float]
  spread: float
  units: dict[str, np.ndarray]
  returning: float = 0.0


class Expression(typing.NamedTuple):
  """What a scorer may look at.

  Attributes:
    middle: (28, 28, 2) motion of its middle half, from rest.
    squares: (n, 128, 128) of `registration.Anchor` from onset to offset, if
      the scorer needs them.
    points: (68, 2) landmarks in a square.
  """

  middle: np.ndarray
  squares: np.ndarray
  points: np.ndarray


class Scorer(typing.Protocol):
  """What finds and names expressions, see `scorers`.

  Attributes:
    classes: their names, in the order of the model.
    action_units: numbers (FACS) of the units that it tells.
    needs_squares: whether it looks at frames, not at motion alone.
    lacks: of the model's conformal sets, see `thresholds.unsure`.
  """

  classes: tuple[str, ...]
  action_units: tuple[int, ...]
  needs_squares: bool
  lacks: float | None

  def moments(self, maps: np.ndarray) -> Moments: ...

  def answer(self, expression: Expression) -> Answer: ...


class Found(typing.NamedTuple):
  """An expression of one face; see `course.Course`, but in seconds.

  Attributes:
    turning: how far the head moves in it, eye distances or radians.
    score: of the window in which it moves most.
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
  """One window, by the second of its middle."""

  time: float
  expression: float
  returning: float
  motion: float
  units: dict[str, np.ndarray]


@dataclasses.dataclass
class Cell:
  """A face at one tick of the clock.

  Attributes:
    crop: of `face_crop.cut`.
    place: (3,) of the head: x, y in eye distances, angle in radians.
    square, points: as of `Expression`, if they are needed.
    score, returns, motion: of the window that ends here.
  """

  crop: np.ndarray
  place: np.ndarray
  square: np.ndarray | None = None
  points: np.ndarray | None = None
  score: float = 0.0
  returns: bool = False
  motion: float = 0.0
