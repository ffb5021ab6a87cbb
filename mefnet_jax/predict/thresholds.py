"""The thresholds that an expression must pass to be reported, all in one place.

They were set on rendered people whom docs/results.md does not score.

    python -m experiments.spotting --out=spotting --choose

prints the scores of neighbouring values. `sure` was not chosen by any data.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mefnet_jax.evaluation import conformal

# The rules by which a class may be unsure; '' where there is no class.
CONFORMAL, PROBABILITY = 'conformal set', 'probability'


@dataclasses.dataclass(frozen=True)
class Thresholds:
  """Thresholds in seconds, probabilities, and shares of the eye distance.

  Attributes:
    window: seconds over which motion is measured.
    candidate: least probability, of an expression or of its return, at which a
      candidate is followed.
    amplitude: least motion outside the eye rows.
    lids: least motion outside the eye rows, as a share of the motion in them.
    confidence: least probability of an expression.
    begins, ends: shares of the apex's motion at onset and offset.
    shortest, longest: seconds from onset to offset.
    turning: largest motion of the whole head from onset to offset, in eye
      distances or radians.
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
  """Whether another class than the likeliest is possible, and by which rule.

  Args:
    probabilities: those of the classes; if there are none, nothing is unsure.
    lacks: `threshold` of the model's conformal calibration: a class is in the
      set if 1 - p is at most that. A set of several classes is unsure. None for
      a model that is not calibrated.
    limits: its `sure` decides for models that are not calibrated.
  """
  if not probabilities:
    return False, ''
  if lacks is None:
    return max(probabilities.values()) < limits.sure, PROBABILITY
  held = conformal.sets(np.array([[*probabilities.values()]]), lacks)
  return int(held.sum()) > 1, CONFORMAL
