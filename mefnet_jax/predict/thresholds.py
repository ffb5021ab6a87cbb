"""What an expression must be like to be reported: all numbers in one place.

Set on rendered people alone, whom docs/results.md does not score. What
neighbouring values give them is printed by

    python -m experiments.spotting --out=spotting --choose

`sure` was not chosen by any data.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mefnet_jax.evaluation import conformal

# What says that a class is unsure; '' where there is none.
CONFORMAL, PROBABILITY = 'conformal set', 'probability'


@dataclasses.dataclass(frozen=True)
class Thresholds:
  """Seconds, probabilities, and shares of the distance between the eyes.

  Attributes:
    window: seconds over which motion is looked at.
    candidate: probability, of an expression or of its return, from which a
      moment is looked at more closely.
    amplitude: least motion beside the lids.
    lids: least motion beside the lids, as a share of that of the lids.
    confidence: least probability of an expression at its apex.
    begins, ends: shares of the apex's motion at onset and offset.
    shortest, longest: seconds from onset to offset.
    turning: most motion of the whole head within a window.
    sure: probability of a class below which it is called unsure, where the
      model has no conformal calibration (`unsure`). One half: the class is
      likelier than all others together.
  """

  window: float = 0.3
  candidate: float = 0.6
  amplitude: float = 0.006
  lids: float = 0.35
  confidence: float = 0.8
  begins: float = 0.1
  ends: float = 0.12
  shortest: float = 0.1
  longest: float = 4.0
  turning: float = 0.25
  sure: float = 0.5


CHOSEN = Thresholds()


def unsure(
  probabilities: Mapping[str, float], lacks: float | None, limits: Thresholds
) -> tuple[bool, str]:
  """Whether the likeliest class may be another one, and what says so.

  Args:
    probabilities: of the classes; without any nothing is unsure.
    lacks: most that a class of the conformal set lacks to certainty; None of a
      model that is not calibrated. Unsure is a set of several classes.
    limits: whose `sure` counts without it.
  """
  if not probabilities:
    return False, ''
  if lacks is None:
    return max(probabilities.values()) < limits.sure, PROBABILITY
  held = conformal.sets(np.array([[*probabilities.values()]]), lacks)
  return int(held.sum()) > 1, CONFORMAL
