"""Micro-attention: what matters (eq. 1), where and when (eq. 2), both (eq. 3).

Axes: B batch, T frames, H rows, W columns, C channels. T may be absent: the
2D form, maps (B, H, W, C), of the paper's N in R^{HxWxC}.
"""

import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import layers
from mefnet_jax.ops import products


class ChannelAttention(nn.Module):
  """CAM, eq. 1: N_C = A_C(N) (x) N, with A_C in (0, 1) for each channel.

  The mean and the maximum of each channel over time and space go through one
  two-layer perceptron; the sigmoid of the sum of its answers is A_C.
  """

  reduction: int = 8
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self, x_BTHWC: jax.Array | ops.Maps
  ) -> tuple[jax.Array, jax.Array]:
    """Returns N_C, of the shape of N, and A_C (B, C)."""
    maps = ops.maps_of(x_BTHWC)
    channels = maps.shape[-1]
    how: dict[str, typing.Any] = {
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    width = max(1, channels // self.reduction)
    squeeze = layers.Dense(width, **how, name='squeeze')
    excite = layers.Dense(channels, **how, name='excite')
    # One perceptron for both vectors, as in CBAM (Woo et al., ECCV 2018).
    scores_BC = sum(excite(nn.relu(squeeze(v))) for v in (maps.mean, maps.peak))
    gate_BC = nn.sigmoid(scores_BC)
    return maps.y * over_places(gate_BC, maps.y.ndim), gate_BC


class SpatialTemporalAttention(nn.Module):
  """STAM, eq. 2: N_S = A_S(N) (x) N, with A_S in (0, 1) for each position.

  The channels are pooled into one map, lam * maximum + (1 - lam) * mean with
  a learnt lam; a (2+1)D convolution and a sigmoid make the highlight map of
  it. In training, with probability `drop_rate`, a clip's highlight map gives
  way to its drop mask, which hides the positions above `threshold` times the
  map's maximum (Choe & Shim, CVPR 2019), so that the network must look
  elsewhere too.
  """

  kernel: tuple[int, int, int] = (3, 7, 7)
  drop_rate: float = 0.25
  threshold: float = 0.9
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self,
    x_BTHWC: jax.Array | ops.Maps,
    key_B: jax.Array | None = None,
    weigh: Callable = products.weigh,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns N_S, of the shape of N, and A_S (B, T, H, W, 1).

    Args:
      x_BTHWC: N, or its `ops.Maps`.
      key_B: one random key per clip in training; without them nothing is
        dropped.
      weigh: multiplies maps by weights.
    """
    maps = ops.maps_of(x_BTHWC)
    # lam is the sigmoid of a free parameter, so it stays in (0, 1); it starts
    # at one half.
    mixing = self.param('mixing', nn.initializers.zeros, ())
    share = nn.sigmoid(mixing).astype(maps.y.dtype)
    batch, least = maps.y.shape[0], maps.map_mean
    above_BP1 = (maps.map_peak - least).reshape(batch, -1, 1)
    share_B1 = jnp.broadcast_to(share, (batch, 1))
    pooled = least + products.scale(above_BP1, share_B1).reshape(least.shape)
    convolve = layers.Conv2Plus1D(
      1,
      self.kernel,
      'SAME',
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name='convolution',
    )
    highlight = nn.sigmoid(typing.cast(jax.Array, convolve(pooled)))
    if key_B is None:
      return weigh(maps.y, highlight), highlight
    weight = self._drop_some(highlight, key_B)
    return weigh(maps.y, weight), highlight

  def _drop_some(self, map_BTHW1, key_B):
    """The map, or for some clips the mask that hides its strongest places."""
    drawn = jax.vmap(lambda key: jax.random.bernoulli(key, self.drop_rate))
    dropped_B = over_places(drawn(key_B)[:, None], map_BTHW1.ndim)
    peak = map_BTHW1.max(tuple(range(1, map_BTHW1.ndim)), keepdims=True)
    mask = (map_BTHW1 <= self.threshold * peak).astype(map_BTHW1.dtype)
    return jnp.where(dropped_B, mask, map_BTHW1)


class ParallelAttention(nn.Module):
  """Eq. 3: X = concat(N_C, N_S) along the channels; 2C channels go on.

  With one of the two switched off, the other's maps alone; with both off, N.
  Where a max-pooling follows, give its window as `pool`: N_C is then pooled
  before it is weighed, which is the same (a channel's weight is positive and
  one for all its positions) and spares a pass over the maps.
  """

  channel: bool = True
  spatial: bool = True
  reduction: int = 8
  kernel: tuple[int, int, int] = (3, 7, 7)
  drop_rate: float = 0.25
  threshold: float = 0.9
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self,
    x_BTHWC: jax.Array | ops.Maps,
    key_B: jax.Array | None = None,
    pool: tuple[int, int, int] | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns X, and A_C and A_S by their names in a network's `out`."""
    maps = ops.maps_of(x_BTHWC)
    out, weight = {}, None
    if self.channel:
      channel = ChannelAttention(self.reduction, **self._how(), name='channel')
      _, out['channel_attention'] = channel(maps)
    if self.spatial:
      spatial = SpatialTemporalAttention(
        self.kernel,
        self.drop_rate,
        self.threshold,
        **self._how(),
        name='spatial',
      )
      weight, out['spatial_attention'] = spatial(maps, key_B, _weight_alone)
    plain, weighed = _pooled(maps, weight, pool)
    parts = []
    if self.channel:
      gate_BC = out['channel_attention']
      parts.append(plain * over_places(gate_BC, plain.ndim))
    if self.spatial:
      parts.append(weighed)
    return jnp.concatenate(parts or [plain], axis=-1), out

  def _how(self):
    return {'kernel_init': self.kernel_init, 'dtype': self.dtype}


def _weight_alone(_, weight):
  """Replaces `products.weigh` where `_pooled` weighs and pools in one pass."""
  return weight


def _pooled(maps, weight, window):
  """N and N_S, pooled where a pooling follows."""
  if window is not None:
    return ops.max_pools(maps, weight, window)
  if weight is None:
    return maps.y, None
  # The barrier keeps XLA from computing the product again for each use.
  return maps.y, jax.lax.optimization_barrier(products.weigh(maps.y, weight))


def over_places(x_BC: jax.Array, rank: int) -> jax.Array:
  """Reshapes (B, C) to (B, 1, ..., 1, C) of that rank."""
  return x_BC.reshape(x_BC.shape[0], *[1] * (rank - 2), -1)
