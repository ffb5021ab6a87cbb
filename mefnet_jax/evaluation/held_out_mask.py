"""The mask of the held-out clips: their weight in a fold's loss is 0."""

import numpy as np


def masked_weights(
  label_N: np.ndarray, train: np.ndarray, num_classes: int, *, balanced: bool
) -> np.ndarray:
  """Returns each clip's weight in a fold's training loss; 0 if held out.

  Args:
    label_N: labels of all clips.
    train: indices of the fold's training clips; class frequencies are those
      of these clips alone.
    num_classes: number of classes.
    balanced: weight classes by their inverse frequency.

  Returns:
    (N,) float32, with mean 1 over the training clips.
  """
  # Everything is held out until the fold trains on it, so a clip that is
  # forgotten has no influence.
  weight_N = np.zeros(len(label_N), np.float32)
  weight_N[train] = 1.0
  if balanced:
    count_C = np.bincount(label_N[train], minlength=num_classes)
    # A class without training clips has no weight to share, and would otherwise
    # move the mean away from 1.
    present = max(1, np.count_nonzero(count_C))
    weight_C = len(train) / (present * np.maximum(count_C, 1))
    weight_N[train] = weight_C[label_N[train]]
  return weight_N
