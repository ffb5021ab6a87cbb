"""Cross-entropy of weighted clips (eqs. 4-6) and weight attenuation (eq. 7)."""

import jax
import jax.numpy as jnp
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
