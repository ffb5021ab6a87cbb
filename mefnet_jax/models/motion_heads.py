"""The output layer of networks for motion maps, and its mirror symmetry."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import motion_input


class Heads(nn.Module):
  """One dense layer, whose outputs answer several questions.

  Attributes:
    num_classes: number of classes of expressions.
    action_units: numbers (FACS) of the action units, in the order of the
      outputs.
    returning: whether there is an output for an expression's return to rest.
  """

  num_classes: int
  action_units: tuple[int, ...] = ()
  returning: bool = False

  @nn.compact
  def __call__(
    self, x_BN: jax.Array, *, mirrored: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps features (B, N) to logits (B, num_classes) and named outputs.

    Args:
      x_BN: features.
      mirrored: whether they are of a mirror image, in which left and right
        have changed places.

    Returns:
      The logits, and a dict of
        expression (B,): logit that there is an expression at all.
        returning (B,): logit that it is returning to rest, if asked for.
        unit_logit (B, A): logits that an action unit is present.
        unit_level (B, A, 2): motion of its left and right side, as a share of
          the map's strongest motion; negative where it runs backwards.
    """
    units = len(self.action_units)
    sizes = [self.num_classes, 1, units, units, units]
    sizes += [1] if self.returning else []
    shape = x_BN.shape[-1], sum(sizes)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    bias = self.param('bias', nn.initializers.zeros, shape[1:])
    y = x_BN @ kernel + bias[None]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    logits, expression, unit_logit, left, right, *rest = jnp.split(y, ends, -1)
    sides = (right, left) if mirrored else (left, right)
    out = {
      'expression': expression[:, 0],
      'unit_logit': unit_logit,
      'unit_level': jnp.stack(sides, axis=-1),
    }
    if self.returning:
      out['returning'] = rest[0][:, 0]
    return logits, out


def averaged(
  answer: Callable[..., Any], x_BHWC: jax.Array, *, train: bool
) -> Any:
  """Averages a network's outputs over maps and their mirror images.

  Args:
    answer: `answer(x, mirrored=...)` maps standardised maps (B, H, W, 2) to
      outputs, a tree of arrays.
    x_BHWC: the maps.
    train: whether dropout is active; then `answer(x, mirrored=False)` is
      returned, without averaging.
  """
  found = answer(x_BHWC, mirrored=False)
  if train:
    return found
  other = answer(motion_input.mirrored(x_BHWC), mirrored=True)
  return jax.tree.map(lambda a, b: (a + b) / 2, found, other)
