"""What each clip counts in a fold's training: nothing where it is held out."""

import numpy as np


def clip_weights(
  label_N: np.ndarray, train: np.ndarray, classes: int, *, balanced: bool
) -> np.ndarray:
  """What each clip counts in a fold's training; 0 for a clip held out.

  Args:
    label_N: labels of all clips.
    train: indices of the fold's training clips; only they are counted.
    classes: number of classes.
    balanced: weigh a class by the inverse of its frequency in training.

  Returns:
    (N,) float32, with mean 1 over the training clips.
  """
  weight_N = np.zeros(len(label_N), np.float32)
  weight_N[train] = 1.0
  if balanced:
    count_C = np.bincount(label_N[train], minlength=classes)
    present = max(1, np.count_nonzero(count_C))
    weight_C = len(train) / (present * np.maximum(count_C, 1))
    weight_N[train] = weight_C[label_N[train]]
  return weight_N
