"""Encoders that turn clips, sound and words into features.

Axes: B batch, T frames, H rows, W columns, C channels, L words.
"""

import typing

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import field_values, layers, streams
from mefnet_jax.ops import pooling


def encoder(name: str, options: dict, vocabulary: int) -> nn.Module:
  """Returns the encoder of a stream.

  Args:
    name: the stream's.
    options: values for the fields of `streams.Options`.
    vocabulary: number of rows of the word embedding.
  """
  if name == 'text':
    how = {k: options[k] for k in ('filters', 'kernel_init', 'dtype')}
    return Words(vocabulary=vocabulary, **how, name=name)
  if name == 'audio':
    return Sound(**options, name=name)
  return streams.Stream(**options, name=name)


class Sound(streams.Options):
  """Encodes the log-mel spectrogram of a sound with the 2D trunk.

  The spectrogram is one frame of F times and M bands. The modules are those of
  a face stream, micro-attention included, with 5x5 kernels and 4x4 pooling.
  """

  @nn.compact
  def __call__(
    self,
    x_BFM1: jax.Array,
    key_B: jax.Array | None = None,
    used_B: jax.Array | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps (B, F, M, 1) to features (B, N) and a dict of named maps.

    The arguments and errors are those of `streams.Trunk`.
    """
    options = {
      **self.options(),
      'form': '2d',
      'kernel': (1, 5, 5),
      'pool': (1, 4, 4),
    }
    trunk = streams.Trunk(**options, name='trunk')
    pooled, out = streams.over_clips(trunk, x_BFM1[:, None], key_B, used_B)
    return layers.flatten(pooled), {**out, 'pooled': pooled}


class Words(nn.Module):
  """Encodes a transcript: embedding, convolution over three words, pooling.

  A word is a positive number (its hash), taken modulo `vocabulary` to get its
  row of the embedding. Padding is 0 and does not affect the features.
  """

  vocabulary: int = 1024
  filters: int = 32
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self,
    words_BL: jax.Array,
    key_B: jax.Array | None = None,
    used_B: jax.Array | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Maps (B, L) whole numbers to features (B, 2 * filters) and no maps.

    Args:
      words_BL: the numbers of words, 0 for padding.
      key_B: not used; words have no dropout here.
      used_B: 0 for clips whose features nobody reads, as for `ops.convolve`.
    """
    shape = (self.vocabulary, self.filters)
    table = self.param('embedding', nn.initializers.normal(1.0), shape)
    # Masked before and after the convolution, whose bias would leak otherwise.
    present_BL1 = (words_BL > 0)[..., None]
    (table,) = field_values.cast(self.dtype, table)
    x_BLC = jnp.where(present_BL1, table[words_BL % self.vocabulary], 0)
    convolve = layers.Conv3D(
      self.filters,
      (3, 1, 1),
      'SAME',
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name='conv',
    )
    x_BL11C = convolve(x_BLC[:, :, None, None], used_B)
    x_BL11C = typing.cast(jax.Array, x_BL11C)
    x_BLC = nn.relu(x_BL11C[:, :, 0, 0])
    x_BLC = jnp.where(present_BL1, x_BLC, 0)
    # A clip without words has a mean of 0, not of 0 / 0.
    count_B1 = jnp.maximum(present_BL1.sum(1), 1).astype(x_BLC.dtype)
    return jnp.concatenate(
      [pooling.peak(x_BLC, (1,)), x_BLC.sum(1) / count_B1], -1
    ), {}
