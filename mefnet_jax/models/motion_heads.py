"""What networks for motion maps say, and how they say it of mirror images."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import motion_input


class Heads(nn.Module):
  """One dense layer, whose outputs are the answers to several questions.

  Attributes:
    num_classes: of expressions.
    action_units: their numbers (FACS), in the order of the outputs.
    returning: whether it says if an expression is going back.
  """

  num_classes: int
  action_units: tuple[int, ...] = ()
  returning: bool = False

  @nn.compact
  def __call__(
    self, x_BN: jax.Array, *, mirrored: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, num_classes) of features, and what else they say.

    Args:
      x_BN: features.
      mirrored: of a mirror image, in which the sides have changed places.

    Returns:
      The logits, and a dict of
        expression (B,): logit that there is an expression at all.
        returning (B,): logit that one is going back; if asked for.
        unit_logit (B, A): logits that an action unit is there.
        unit_level (B, A, 2): motion of its left and right side, in units of
          the map's strongest; below 0 where it runs backwards.
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
  """`answer(x, mirrored=False)`, without `train` averaged with the mirror's.

  Args:
    answer: of standardised maps (B, H, W, 2); arrays in any tree.
    x_BHWC: the maps.
    train: whether dropout is at work; one answer is enough then.
  """
  found = answer(x_BHWC, mirrored=False)
  if train:
    return found
  other = answer(motion_input.mirrored(x_BHWC), mirrored=True)
  return jax.tree.map(lambda a, b: (a + b) / 2, found, other)
