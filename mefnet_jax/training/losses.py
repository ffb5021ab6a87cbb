"""Weighted cross-entropy (eqs. 4-6) and the L2 weight penalty (eq. 7)."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def cross_entropy(
  logits_BC: jax.Array, label_B: jax.Array, weight_B: jax.Array
) -> jax.Array:
  """Returns the sum of weight * -log p(label) over the clips of a batch.

  A sum, not a mean: the batch may be one device's part, and only the caller
  knows the weights of the whole.

  Args:
    logits_BC: for B clips and C classes.
    label_B: int class of each clip.
    weight_B: 0 for a clip that the fold holds out, and for padding.
  """
  loss_B = optax.softmax_cross_entropy_with_integer_labels(logits_BC, label_B)
  return (loss_B * weight_B).sum()


def attenuation(params: Any) -> jax.Array:
  """Returns half the sum of squares of all kernels, without biases (eq. 7).

  Biases and the scales of a normalisation have other names than 'kernel'.
  """
  leaves = jax.tree_util.tree_leaves_with_path(params)
  kernels = [
    x for path, x in leaves if getattr(path[-1], 'key', '') == 'kernel'
  ]
  return 0.5 * sum(jnp.sum(x**2) for x in kernels)
