"""Group normalisation (Wu & He, ECCV 2018) of each clip on its own.

Axes: B batch, P all positions in time and space, C channels.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.ops import products


class GroupNorm(nn.Module):
  """Equal to Flax's group normalisation, and several times as fast on a CPU.

  Each channel is summed by itself, and then the channels of a group: XLA does
  not vectorise a sum over the last axis.
  """

  groups: int
  dtype: str = 'float32'

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Normalises maps (B, ..., C); C is a multiple of `groups`."""
    batch, channels = x.shape[0], x.shape[-1]  # batch may be a symbol
    scale_C = self.param('scale', nn.initializers.ones, (channels,))
    bias_C = self.param('bias', nn.initializers.zeros, (channels,))
    x_BPC = x.reshape(batch, -1, channels).astype(jnp.float32)

    def of_group(x_BC):
      parts = x_BC.reshape(batch, self.groups, -1)
      means = parts.mean(-1, keepdims=True)
      return jnp.broadcast_to(means, parts.shape).reshape(batch, channels)

    mean_BC = of_group(x_BPC.mean(1))
    square_BC = of_group((x_BPC**2).mean(1))
    variance_BC = jnp.maximum(square_BC - mean_BC**2, 0.0)
    factor_BC = jax.lax.rsqrt(variance_BC + 1e-6) * scale_C[None]
    shift_BC = bias_C[None] - mean_BC * factor_BC
    y_BPC = products.scale(x_BPC, factor_BC) + shift_BC[:, None]
    return y_BPC.reshape(x.shape).astype(self.dtype)
