"""Cross-entropy of weighted clips (eqs. 4-6) and weight attenuation (eq. 7)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def cross_entropy(
  logits_BC: jax.Array, label_B: jax.Array, weight_B: jax.Array
) -> jax.Array:
  """The sum of weight * -log p(label) over the clips of a batch."""
  loss_B = optax.softmax_cross_entropy_with_integer_labels(logits_BC, label_B)
  return (loss_B * weight_B).sum()


def attenuation(params) -> jax.Array:
  """Half the sum of the squares of all kernels (biases are left alone)."""
  leaves = jax.tree_util.tree_leaves_with_path(params)
  kernels = [
    x for path, x in leaves if getattr(path[-1], 'key', '') == 'kernel'
  ]
  return 0.5 * sum(jnp.sum(x**2) for x in kernels)


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
