"""A network like Off-ApexNet: one stream for u, one for v.

After Gan et al., "OFF-ApexNet on micro-expression recognition system", Signal
Processing: Image Communication 74 (2019): each component of the flow from onset
to apex, 28x28, goes through two convolutions of 5x5 (6 and 16 filters), each
pooled by maxima of 2x2; both streams are joined and pass two dense layers of
1,024. It is called "-like" because it was written from the paper: it has
dropout, and is trained by this project's recipe.
"""

import typing

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import field_values, layers


class OffApexNetLike(nn.Module):
  """Two convolutions for u, two for v, and dense layers over both."""

  num_classes: int
  streams: tuple[str, ...] = ('face',)
  width: tuple[int, ...] = (6, 16)
  hidden: tuple[int, ...] = (1024, 1024)
  dropout: float = 0.5
  kernel_init: str = 'glorot_uniform'
  head_init: str = 'zeros'

  @nn.compact
  def __call__(
    self, batch: dict[str, jax.Array], *, train: bool = False
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Logits (B, num_classes) of a map (B, 1, H, W, C), and named outputs.

    Args:
      batch: the stream, whose first two channels are u and v, and in training
        'key' as for `mecnn.MECNN`.
      train: whether dropout is applied.
    """
    self._check()
    (name,) = self.streams
    key_B = layers.clip_keys(self, batch, name, train=train)
    out = {}
    # The two share no filter, as in the paper.
    for channel, component in enumerate('uv'):
      x = batch[name][..., channel : channel + 1]
      for i, filters in enumerate(self.width):
        conv = layers.Conv3D(
          filters,
          (1, 5, 5),
          'SAME',
          kernel_init=self.kernel_init,
          name=f'{component}_conv{i}',
        )
        x = nn.relu(typing.cast(jax.Array, conv(x)))
        x = ops.max_pool(x, (1, 2, 2))
      out[component] = layers.flatten(x)
    dense = layers.DenseStack(
      self.hidden, self.dropout, self.kernel_init, name='dense'
    )
    x = dense(jnp.concatenate([out['u'], out['v']], axis=-1), key_B=key_B)
    logits = layers.head(self.num_classes, self.head_init)(x)
    return logits, {**out, 'features': x}

  def _check(self):
    """Raises ValueError, which names the field, if a field is invalid."""
    field_values.share('dropout', self.dropout)
    field_values.widths('width', self.width)
    field_values.widths('hidden', self.hidden)
    field_values.initializer(self.head_init, 'head_init')
    field_values.one_stream(self.streams)
