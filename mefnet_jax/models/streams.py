"""One 3D-CNN stream: convolution, micro-attention, pooling.

Axes: B batch, T frames, H rows, W columns, C channels.
"""

import functools

import jax
from flax import linen as nn

from mefnet_jax.models import attention, layers
from mefnet_jax.ops import pooling


class Trunk(nn.Module):
  """Convolution, ReLU, attention and max-pooling of a clip.

  `attention_place` is 'conv' (the paper: after the convolution, where time
  and resolution are whole) or 'pool' (after the pooling, 27 times cheaper).
  """

  filters: int = 32
  kernel: tuple[int, int, int] = (15, 3, 3)
  pool: tuple[int, int, int] = (3, 3, 3)
  channel_attention: bool = True
  spatial_attention: bool = True
  attention_place: str = 'conv'

  @nn.compact
  def __call__(self, x_BTHWC: jax.Array, key_B: jax.Array | None = None):
    """(B, T, H, W, C) to the pooled maps (B, t, h, w, c) and a dict of maps."""
    if self.attention_place not in ('conv', 'pool'):
      raise ValueError(
        f'attention_place is conv or pool, not {self.attention_place!r}'
      )
    attend = attention.ParallelAttention(
      self.channel_attention, self.spatial_attention, name='attention'
    )
    attended = self.channel_attention or self.spatial_attention
    if attended and self.attention_place == 'conv':
      convolve = layers.Conv3D(self.filters, self.kernel, name='conv')
      pool = functools.partial(pooling.max_pool3d, window=self.pool)
      return attend(nn.relu(convolve(x_BTHWC)), key_B, pool)
    # Nothing but the pooling reads the convolution: both in one.
    convolve = layers.Conv3D(
      self.filters, self.kernel, pool=self.pool, name='conv'
    )
    x = nn.relu(convolve(x_BTHWC))
    return attend(x, key_B) if attended else (x, {})


class Stream(nn.Module):
  """A trunk over each clip, flattened: the features of one view of a face."""

  filters: int = 32
  kernel: tuple[int, int, int] = (15, 3, 3)
  pool: tuple[int, int, int] = (3, 3, 3)
  channel_attention: bool = True
  spatial_attention: bool = True
  attention_place: str = 'conv'

  @nn.compact
  def __call__(self, x_BTHWC: jax.Array, key_B: jax.Array | None = None):
    """(B, T, H, W, C) to (features (B, N), a dict of maps)."""
    trunk = Trunk(
      self.filters,
      self.kernel,
      self.pool,
      self.channel_attention,
      self.spatial_attention,
      self.attention_place,
      name='trunk',
    )
    pooled, out = layers.over_clips(trunk, x_BTHWC, key_B)
    return layers.flatten(pooled), {**out, 'pooled': pooled}
