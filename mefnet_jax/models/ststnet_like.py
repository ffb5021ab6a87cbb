"""A network like STSTNet: three shallow streams over one motion map.

After Liong et al., "Shallow Triple Stream Three-dimensional CNN (STSTNet) for
Micro-expression Recognition", FG 2019: each stream sees the whole map of 28x28
(u, v, strain) with 3, 5 and 8 filters of 3x3, pooled by maxima of 3x3; the
streams are joined, averaged over 2x2, and the 400 values go to the classes.
It is called "-like" because it was written from the paper: it has dropout
before the last layer, and is trained by this project's recipe.
"""

import typing

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import field_values, layers


class STSTNetLike(nn.Module):
  """Convolutions of 3, 5 and 8 filters side by side, poolings, one layer."""

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  width: tuple[int, ...] = (3, 5, 8)
  dropout: float = 0.5
  kernel_init: str = 'glorot_uniform'
  head_init: str = 'zeros'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, num_classes) of a map (B, 1, H, W, C), and named outputs.

    Args:
      batch: the stream, and in training 'key' as for `mecnn.MECNN`.
      train: whether dropout is applied.
    """
    self._check()
    (name,) = self.streams
    key_B = layers.clip_keys(self, batch, name, train=train)
    parts = []
    for filters in self.width:
      conv = layers.Conv3D(
        filters,
        (1, 3, 3),
        'SAME',
        kernel_init=self.kernel_init,
        name=f'stream{filters}',
      )
      x_BTHWC = typing.cast(jax.Array, conv(batch[name]))
      # After ReLU no value of the map is below the zeros beside it.
      edge = ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))
      x_BTHWC = jnp.pad(nn.relu(x_BTHWC), edge)
      parts.append(ops.max_pool(x_BTHWC, (1, 3, 3))[:, 0])
    x_BHWC = jnp.concatenate(parts, axis=-1)
    x = layers.flatten(_averaged(x_BHWC))
    x = layers.dropout(x, key_B, self.dropout, layer=1)
    logits = layers.head(self.num_classes, self.head_init)(x)
    return logits, {'maps': x_BHWC, 'features': x}

  def _check(self):
    """Raises ValueError, which names the field, if a field is invalid."""
    field_values.share('dropout', self.dropout)
    field_values.widths('width', self.width)
    field_values.initializer(self.head_init, 'head_init')
    field_values.one_stream(self.streams)


def _averaged(x_BHWC):
  """Means of 2 x 2 cells; a last row or column without a second is dropped."""
  batch, height, width, channels = x_BHWC.shape
  h, w = height // 2, width // 2
  cells = x_BHWC[:, : 2 * h, : 2 * w].reshape(batch, h, 2, w, 2, channels)
  return cells.mean((2, 4))
