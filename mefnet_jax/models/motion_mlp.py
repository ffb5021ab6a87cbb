"""A small network for motion maps: what happens, and which muscles did it.

It has learnt from rendered heads alone (docs/zero.md). The class of the
expression, whether there is one at all, and of each action unit whether it is
there and how far each side moves.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import choices, motion_input


class MotionMLP(nn.Module):
  """Dense layers over a standardised motion map (`motion_input`).

  Attributes:
    num_classes: of expressions.
    streams: the one that holds the map.
    action_units: their numbers (FACS), in the order of the outputs.
    hidden: dense layers.
    input_dropout, dropout: of the map, and of each hidden layer.
  """

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  action_units: tuple[int, ...] = ()
  hidden: tuple[int, ...] = (128, 64)
  input_dropout: float = 0.2
  dropout: float = 0.3

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, n) of batch['face'] (B, 1, H, W, 2), and what else it says.

    Without `train` the answer is the mean of those to the map and to its
    mirror image. `out` holds:
      expression (B,): logit that there is an expression at all.
      unit_logit (B, A): logits that an action unit is there.
      unit_level (B, A, 2): motion of its left and right side, in units of the
        map's strongest; below 0 where it runs backwards.
      features (B, hidden[-1]).
    """
    self._check()
    x = batch[self.streams[0]][:, 0]
    layers = [
      nn.Dense(width, name=f'dense{i}') for i, width in enumerate(self.hidden)
    ]
    units = len(self.action_units)
    head = nn.Dense(self.num_classes + 1 + 3 * units, name='head')

    def answer(x, *, mirrored):
      x = x.reshape(len(x), -1)
      x = nn.Dropout(self.input_dropout, deterministic=not train)(x)
      for layer in layers:
        x = nn.relu(layer(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
      return x, self._parts(head(x), mirrored)

    features, (logits, out) = answer(x, mirrored=False)
    if not train:
      other = answer(motion_input.mirrored(x), mirrored=True)
      features, (logits, out) = jax.tree.map(
        lambda a, b: (a + b) / 2, (features, (logits, out)), other
      )
    return logits, {**out, 'features': features}

  def _parts(self, x, mirrored):
    """The head's outputs by name; sides change places in a mirror."""
    units = len(self.action_units)
    bounds = [self.num_classes, self.num_classes + 1]
    bounds += [bounds[1] + units, bounds[1] + 2 * units]
    logits, expression, unit_logit, left, right = jnp.split(x, bounds, axis=-1)
    sides = (right, left) if mirrored else (left, right)
    return logits, {
      'expression': expression[:, 0],
      'unit_logit': unit_logit,
      'unit_level': jnp.stack(sides, axis=-1),
    }

  def _check(self):
    choices.widths('hidden', self.hidden)
    choices.share('input_dropout', self.input_dropout)
    choices.share('dropout', self.dropout)
    if len(self.streams) != 1:
      raise ValueError(f'streams={self.streams}: this network looks at one')
