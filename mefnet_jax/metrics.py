"""Scores of a classifier, all from its confusion matrix.

Equal to scikit-learn's with `labels=range(num_classes), zero_division=0`: a
class that nobody has or nobody predicts counts as 0 and stays in the mean.
Shape suffix: C classes (rows of a confusion matrix true, columns predicted);
any axes may lead, so thousands of bootstrap draws are scored at once.
"""

import numpy as np


def scores(label, predicted, num_classes: int) -> dict[str, float]:
  """Scores of predictions that were pooled over the folds.

  Args:
    label: (N,) true classes, 0 to num_classes - 1.
    predicted: (N,) predicted classes.
    num_classes: C, absent classes included.

  Returns:
    accuracy, precision, recall, sensitivity, specificity, f1, uf1, war, uar
    between 0 and 1; see `from_confusion`.
  """
  counts_CC = confusion(label, predicted, num_classes)
  return {key: float(x) for key, x in from_confusion(counts_CC).items()}


def confusion(label, predicted, num_classes: int) -> np.ndarray:
  """Counts (C, C) of true class (row) and predicted class (column).

  Raises:
    ValueError: lengths differ, or a class is not in 0 .. num_classes - 1.
  """
  label, predicted = np.asarray(label), np.asarray(predicted)
  if label.shape != predicted.shape or label.ndim != 1:
    raise ValueError(f'label {label.shape} and predicted {predicted.shape}')
  for x in (label, predicted):
    if x.size and not (0 <= x.min() and x.max() < num_classes):
      raise ValueError(f'classes {x.min()}..{x.max()} of {num_classes}')
  cell = label.astype(np.int64) * num_classes + predicted
  counts = np.bincount(cell, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def from_confusion(counts_CC: np.ndarray) -> dict[str, np.ndarray]:
  """Scores of confusion matrices (..., C, C), each of shape (...).

  war is the paper's eq. 11 and equals accuracy; uar is its eq. 12 and equals
  recall and sensitivity. precision, recall, specificity and f1 are plain
  (macro) means over all classes. uf1 is the MEGC's: mean over classes of
  2 TP / (2 TP + FP + FN), which is the same number as the macro f1.
  """
  table = per_class(counts_CC)
  right = np.trace(counts_CC, axis1=-2, axis2=-1)
  accuracy = _divide(right, counts_CC.sum((-2, -1)))
  mean = {key: table[key].mean(-1) for key in table if key != 'clips'}
  return {
    'accuracy': accuracy,
    'precision': mean['precision'],
    'recall': mean['recall'],
    'sensitivity': mean['recall'],
    'specificity': mean['specificity'],
    'f1': mean['f1'],
    'uf1': mean['f1'],
    'war': accuracy,
    'uar': mean['recall'],
  }


def per_class(counts_CC: np.ndarray) -> dict[str, np.ndarray]:
  """Clips, precision, recall, specificity and f1 of each class: (..., C)."""
  tp_C = np.diagonal(counts_CC, axis1=-2, axis2=-1)
  true_C, said_C = counts_CC.sum(-1), counts_CC.sum(-2)
  others_C = true_C.sum(-1, keepdims=True) - true_C
  return {
    'clips': true_C,
    'precision': _divide(tp_C, said_C),
    'recall': _divide(tp_C, true_C),
    'specificity': _divide(others_C - (said_C - tp_C), others_C),
    'f1': _divide(2 * tp_C, true_C + said_C),
  }


def _divide(part, whole) -> np.ndarray:
  """part / whole, and 0 where whole is 0 (there, part is 0 as well)."""
  return part / np.maximum(whole, 1)
