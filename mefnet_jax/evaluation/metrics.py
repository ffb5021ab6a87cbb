"""Scores of a classifier, all computed from its confusion matrix.

Equal to scikit-learn's with `labels=range(num_classes), zero_division=0`: a
class without clips or without predictions counts as 0 and stays in the mean.
Shape suffix C: classes; rows of a confusion matrix are true classes, columns
predicted ones. Leading axes are allowed, so that thousands of bootstrap draws
are scored at once.

The paper's eqs. 8-13 define accuracy, precision, recall (= sensitivity),
specificity, F1, WAR (eq. 11) and UAR (eq. 12).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# Each number once: the name that stands first in tables, its other names.
NAMES = {
  'uar': ('recall', 'sensitivity'),
  'uf1': ('f1',),
  'accuracy': ('war',),
  'precision': (),
  'specificity': (),
}


def title(key: str) -> str:
  """Returns a score's names, such as 'uar (recall, sensitivity)'."""
  others = ', '.join(NAMES[key])
  return f'{key} ({others})' if others else key


def scores(
  label: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int
) -> dict[str, float]:
  """Scores predictions that were pooled over the folds.

  Args:
    label: (N,) true classes, 0 to num_classes - 1.
    predicted: (N,) predicted classes.
    num_classes: C, absent classes included.

  Returns:
    accuracy, precision, recall, sensitivity, specificity, f1, uf1, war and
    uar, each between 0 and 1; see `from_confusion`.
  """
  counts_CC = confusion(label, predicted, num_classes)
  return {key: float(x) for key, x in from_confusion(counts_CC).items()}


def confusion(
  label: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int
) -> np.ndarray:
  """Returns the confusion matrix (C, C): true class by predicted class.

  Raises:
    ValueError: the lengths differ, or a class is not in 0 .. num_classes - 1.
  """
  label, predicted = np.asarray(label), np.asarray(predicted)
  if label.shape != predicted.shape or label.ndim != 1:
    raise ValueError(
      f'label has shape {label.shape}, predicted {predicted.shape}: both must '
      'be (N,)'
    )
  for x in (label, predicted):
    if x.size and not (0 <= x.min() and x.max() < num_classes):
      raise ValueError(
        f'classes {x.min()}..{x.max()} must be in 0..{num_classes - 1}'
      )
  # Each cell of the matrix gets one number, so that one bincount is enough.
  cell = label.astype(np.int64) * num_classes + predicted
  counts = np.bincount(cell, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def confusion_by_group(
  group: npt.ArrayLike,
  label: npt.ArrayLike,
  predicted: npt.ArrayLike,
  num_groups: int,
  num_classes: int,
) -> np.ndarray:
  """Returns the confusion matrix of each of G groups, such as people.

  Args:
    group: (N,) indices.
    label, predicted: (N,) classes.
    num_groups: G.
    num_classes: C.

  Returns:
    (G, C, C), in the time of one.
  """
  # As one matrix of G C classes, of which only the blocks are not 0.
  first = np.asarray(group, np.int64) * num_classes + np.asarray(label)
  cell = first * num_classes + np.asarray(predicted)
  counts = np.bincount(cell, minlength=num_groups * num_classes**2)
  return counts.reshape(num_groups, num_classes, num_classes)


def uf1(counts_CC: np.ndarray) -> np.ndarray:
  """Returns the unweighted F1 (...) of confusion matrices (..., C, C).

  The MEGC's definition: the mean over all classes of 2 TP / (2 TP + FP + FN).
  """
  return _f1_per_class(counts_CC).mean(-1)


def uar(counts_CC: np.ndarray) -> np.ndarray:
  """Returns the unweighted average recall (...): the paper's eq. 12.

  The mean over all classes of TP / (TP + FN), of matrices (..., C, C).
  """
  return _recall_per_class(counts_CC).mean(-1)


def from_confusion(counts_CC: np.ndarray) -> dict[str, np.ndarray]:
  """Returns the scores of confusion matrices (..., C, C), each of shape (...).

  war is the paper's eq. 11 and equals accuracy. precision, recall, specificity
  and f1 are unweighted (macro) means over all classes; recall equals `uar` and
  sensitivity, f1 equals `uf1`.
  """
  right = np.trace(counts_CC, axis1=-2, axis2=-1)
  accuracy = _divide(right, counts_CC.sum((-2, -1)))
  # The mean is over all C classes. Leaving absent ones out, as scikit-learn's
  # balanced accuracy does, would give .667 where the macro recall is .444.
  recall, f1 = uar(counts_CC), uf1(counts_CC)
  return {
    'accuracy': accuracy,
    'precision': _precision_per_class(counts_CC).mean(-1),
    'recall': recall,
    'sensitivity': recall,
    'specificity': _specificity_per_class(counts_CC).mean(-1),
    'f1': f1,
    'uf1': f1,
    'war': accuracy,
    'uar': recall,
  }


def per_class(counts_CC: np.ndarray) -> dict[str, np.ndarray]:
  """Returns clips, precision, recall, specificity and f1 per class (..., C)."""
  return {
    'clips': counts_CC.sum(-1),
    'precision': _precision_per_class(counts_CC),
    'recall': _recall_per_class(counts_CC),
    'specificity': _specificity_per_class(counts_CC),
    'f1': _f1_per_class(counts_CC),
  }


def log_loss(
  probabilities_NC: npt.ArrayLike, label: npt.ArrayLike, *, balanced: bool
) -> float:
  """Returns the mean of -log p(label), with p clipped to at least 1e-12.

  Args:
    probabilities_NC: (N, C), N >= 1.
    label: (N,) true classes.
    balanced: average over the clips of each class first, then over the
      classes that occur, so that rare classes count as much as common ones.

  Returns:
    The loss in nats; uniform probabilities give log C.
  """
  p_NC, label = np.asarray(probabilities_NC, float), np.asarray(label)
  loss_N = -np.log(np.maximum(p_NC[np.arange(len(label)), label], 1e-12))
  if not balanced:
    return float(loss_N.mean())
  return float(np.mean([loss_N[label == c].mean() for c in np.unique(label)]))


def calibration(
  probabilities_NC: npt.ArrayLike, label: npt.ArrayLike, *, bins: int = 10
) -> dict[str, Any]:
  """Returns the expected calibration error and the reliability bins.

  Clips are binned by confidence, the probability of their predicted class
  (Guo et al., ICML 2017).

  Args:
    probabilities_NC: (N, C), N >= 1.
    label: (N,) true classes.
    bins: number of equally wide bins between 0 and 1; a bin includes its
      upper bound.

  Returns:
    ece: the mean over clips of |accuracy - confidence| of their bin; bins:
    for each bin that is not empty a dict of low, high, clips, confidence and
    accuracy.
  """
  p_NC, label = np.asarray(probabilities_NC, float), np.asarray(label)
  top_N, right_N = p_NC.max(1), p_NC.argmax(1) == label
  # ceil - 1 puts a value on a boundary into the lower bin, as Guo et al. do.
  bin_N = np.clip(np.ceil(top_N * bins).astype(int) - 1, 0, bins - 1)
  table = [
    {
      'low': b / bins,
      'high': (b + 1) / bins,
      'clips': int((bin_N == b).sum()),
      'confidence': float(top_N[bin_N == b].mean()),
      'accuracy': float(right_N[bin_N == b].mean()),
    }
    for b in np.unique(bin_N).tolist()
  ]
  gaps = [x['clips'] * abs(x['accuracy'] - x['confidence']) for x in table]
  return {'ece': float(sum(gaps) / len(label)), 'bins': table}


def most_confident_errors(
  probabilities_NC: npt.ArrayLike, label: npt.ArrayLike, most: int = 10
) -> np.ndarray:
  """Returns indices of at most `most` wrong clips, most confident first."""
  p_NC, label = np.asarray(probabilities_NC, float), np.asarray(label)
  wrong = np.flatnonzero(p_NC.argmax(1) != label)
  return wrong[np.argsort(-p_NC.max(1)[wrong], kind='stable')][:most]


def _true_positives(counts_CC):
  return np.diagonal(counts_CC, axis1=-2, axis2=-1)


def _precision_per_class(counts_CC):
  return _divide(_true_positives(counts_CC), counts_CC.sum(-2))


def _recall_per_class(counts_CC):
  return _divide(_true_positives(counts_CC), counts_CC.sum(-1))


def _specificity_per_class(counts_CC):
  true_C = counts_CC.sum(-1)
  others_C = true_C.sum(-1, keepdims=True) - true_C
  wrong_C = counts_CC.sum(-2) - _true_positives(counts_CC)
  return _divide(others_C - wrong_C, others_C)


def _f1_per_class(counts_CC):
  # Not from precision and recall, which are both 0 / 0 for an absent class.
  whole_C = counts_CC.sum(-1) + counts_CC.sum(-2)
  return _divide(2 * _true_positives(counts_CC), whole_C)


def _divide(part, whole) -> np.ndarray:
  """part / whole, and 0 where whole is 0 (there, part is 0 as well)."""
  return part / np.maximum(whole, 1)
