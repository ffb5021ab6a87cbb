"""Sets of classes that contain the true one as often as promised.

Split conformal prediction for people who give several clips each, which are not
exchangeable among themselves: of a new person's clip the set misses the true
class with probability 1 - coverage at most, if that person is exchangeable with
those of the calibration (hierarchical conformal prediction; Lee, Barber and
Willett 2023, section 3). Packages such as crepes and MAPIE treat the clips as
independent draws, and promise too much where a person's clips are alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mefnet_jax.runs import errors

COVERAGE = 0.9


def threshold(
  probabilities_NC: np.ndarray,
  label: np.ndarray,
  who: Sequence[Any],
  *,
  coverage: float = COVERAGE,
) -> float:
  """The conformal threshold: a class is in the set if 1 - p is at most this.

  Each of K people weighs 1 / (K + 1), however many clips they have; the rest
  stands for the new person.

  Args:
    probabilities_NC: for clips that the model was not trained on.
    label: (N,) true classes.
    who: (N,) the person of each clip.
    coverage: share of clips whose set is to contain the true class.

  Returns:
    0 to 1; 1 if there are too few people for this coverage: every set then
    contains all classes.
  """
  people, index, count = np.unique(
    np.asarray(who), return_inverse=True, return_counts=True
  )
  missed = 1 - probabilities_NC[np.arange(len(label)), label]
  weight = 1 / ((len(people) + 1) * count[index])
  order = np.argsort(missed)
  enough = np.cumsum(weight[order]) >= coverage - 1e-12
  return float(missed[order][np.argmax(enough)]) if enough.any() else 1.0


def calibration(
  probabilities_NC: np.ndarray, label: np.ndarray, who: Sequence[Any]
) -> dict[str, Any]:
  """Returns 'calibration' of model.json, from a run's held-out clips.

  Each clip was scored by networks that had not seen its person, as in CV+
  (Barber, Candes, Ramdas and Tibshirani 2021). A new person is scored by the
  mean of all networks, which is more often right, so that sets are a little too
  large.

  Args:
    probabilities_NC, label, who: as for `threshold`.

  Returns:
    temperature (1), threshold, wanted and people; {} if these are too few.
  """
  most = threshold(probabilities_NC, label, who)
  if most == 1:
    return {}
  people = len(np.unique(np.asarray(who)))
  return {
    'temperature': 1.0,
    'threshold': most,
    'wanted': COVERAGE,
    'people': people,
  }


def sets(probabilities_NC: np.ndarray, threshold: float) -> np.ndarray:
  """Returns the set of each clip as booleans (N, C), True for its classes.

  The likeliest class is always in the set.
  """
  held = 1 - probabilities_NC <= threshold + 1e-12
  held[np.arange(len(held)), probabilities_NC.argmax(1)] = True
  return held


def model_sets(
  probabilities_NC: np.ndarray, description: Mapping[str, Any], name: object
) -> np.ndarray:
  """Returns `sets` by the calibration of a model.

  Args:
    probabilities_NC: by the model.
    description: the content of model.json.
    name: what errors call the model.

  Raises:
    errors.UserError: the model is not calibrated.
  """
  found = stored_threshold(description)
  if found is None:
    raise errors.UserError(
      f'{name}: not calibrated, so it has no sets of classes: see python -m '
      'mefnet_jax.training.calibrate'
    )
  return sets(probabilities_NC, found)


def stored_threshold(description: Mapping[str, Any]) -> float | None:
  """Returns the `threshold` in model.json; None if it is not calibrated."""
  return (description.get('calibration') or {}).get('threshold')


def quality(
  held_NC: np.ndarray, label: np.ndarray, who: Sequence[Any]
) -> dict[str, float]:
  """Measures sets on clips whose classes are known.

  Args:
    held_NC: the sets, as of `sets`.
    label: (N,) true classes.
    who: (N,) the person of each clip.

  Returns:
    coverage: share of the clips whose set contains the true class, mean over
    people; worst_tenth: the same for the tenth of people with the lowest
    coverage; size: mean number of classes in a set; unsure: share of sets with
    more than one class.
  """
  held = held_NC[np.arange(len(label)), label]
  each = [held[np.asarray(who) == one].mean() for one in np.unique(who)]
  few = np.sort(each)[: max(1, len(each) // 10)]
  return {
    'coverage': float(np.mean(each)),
    'worst_tenth': float(few.mean()),
    'size': float(held_NC.sum(1).mean()),
    'unsure': float((held_NC.sum(1) > 1).mean()),
  }
