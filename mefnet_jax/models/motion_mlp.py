"""A small network for motion maps: the expression, and the muscles behind it.

The shipped one is trained on rendered heads alone (docs/zero.md). Its outputs
are the class of the expression, whether there is one at all, and for each
action unit whether it is present and how far each side moves.
"""

import jax
from flax import linen as nn

from mefnet_jax.models import field_values, motion_heads


class MotionMLP(nn.Module):
  """Dense layers over a standardised motion map (`motion_input`).

  Attributes:
    num_classes, action_units, returning: as for `motion_heads.Heads`.
    streams: name of the stream that holds the map.
    hidden: widths of the dense layers.
    input_dropout, dropout: dropout rates of the map, and of each hidden layer.
  """

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  action_units: tuple[int, ...] = ()
  returning: bool = False
  hidden: tuple[int, ...] = (128, 64)
  input_dropout: float = 0.2
  dropout: float = 0.3

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps batch['face'] (B, 1, H, W, 2) to logits (B, n) and named outputs.

    Without `train` the outputs are means over the map and its mirror image. The
    named outputs are those of `motion_heads.Heads`, and 'features'
    (B, hidden[-1]).
    """
    self._check()
    layers = [
      nn.Dense(width, name=f'dense{i}') for i, width in enumerate(self.hidden)
    ]
    heads = motion_heads.Heads(
      self.num_classes, self.action_units, self.returning, name='head'
    )

    def answer(x, *, mirrored):
      x = x.reshape(x.shape[0], -1)
      x = nn.Dropout(self.input_dropout, deterministic=not train)(x)
      for layer in layers:
        x = nn.relu(layer(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
      return x, heads(x, mirrored=mirrored)

    x = batch[self.streams[0]][:, 0]
    features, (logits, out) = motion_heads.averaged(answer, x, train=train)
    return logits, {**out, 'features': features}

  def _check(self):
    field_values.widths('hidden', self.hidden)
    field_values.share('input_dropout', self.input_dropout)
    field_values.share('dropout', self.dropout)
    field_values.one_stream(self.streams)
