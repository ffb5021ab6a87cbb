"""Micro-attention: what matters (eq. 1), where and when (eq. 2), both (eq. 3).

Axes: B batch, T frames, H rows, W columns, C channels. T may be absent: the
2D form, maps (B, H, W, C), of the paper's N in R^{HxWxC}.
"""

import functools
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
  two-layer perceptron; the sigmoid of the sum of its outputs is A_C.

  `ParallelAttention` takes A_C alone from here and weighs the maps itself, with
  the same `weigh_channels`, because it can then pool N before it weighs it.
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
    return weigh_channels(maps.y, gate_BC), gate_BC


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
    weigh: Callable | None = None,
  ) -> tuple[typing.Any, jax.Array]:
    """Returns N_S, of the shape of N, and A_S (B, T, H, W, 1).

    Args:
      x_BTHWC: N, or its `ops.Maps`.
      key_B: one random key per clip in training; without them nothing is
        dropped.
      weigh: maps `ops.Maps` and weights (B, T, H, W, 1) to what is returned in
        place of N_S, such as its pooled values; by default their product.
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
    dropped = key_B is not None
    weight = self._drop_some(highlight, key_B) if dropped else highlight
    weighed = weigh(maps, weight) if weigh else products.weigh(maps.y, weight)
    return weighed, highlight

  def _drop_some(self, map_BTHW1, key_B):
    """The map, or for some clips the mask that hides its strongest places."""
    drawn = jax.vmap(lambda key: jax.random.bernoulli(key, self.drop_rate))
    dropped_B = over_places(drawn(key_B)[:, None], map_BTHW1.ndim)
    peak = map_BTHW1.max(tuple(range(1, map_BTHW1.ndim)), keepdims=True)
    mask = (map_BTHW1 <= self.threshold * peak).astype(map_BTHW1.dtype)
    return jnp.where(dropped_B, mask, map_BTHW1)


class ParallelAttention(nn.Module):
  """Eq. 3: X = concat(N_C, N_S) along the channels; 2C channels go on.

  With one of the two switched off, X is the other's maps; with both off, N.
  Where a max-pooling follows, give its window as `pool`: N is then pooled
  before eq. 1 weighs it. The result is the same, because a channel has one
  positive weight for all its positions, and a pass over the maps is spared.
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
    """Returns X, and A_C and A_S by their names in a network's `out`.

    Args:
      x_BTHWC: N, or its `ops.Maps`.
      key_B: one random key per clip in training, for the drop masks.
      pool: window of the max-pooling that follows, if any.

    Raises:
      ValueError: a window larger than the maps.
    """
    maps = ops.maps_of(x_BTHWC)
    out = {}
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
      weigh = functools.partial(_pooled, pool)
      both, out['spatial_attention'] = spatial(maps, key_B, weigh)
    else:
      both = _pooled(pool, maps, None)
    plain, weighed = both
    parts = []
    if self.channel:
      parts.append(weigh_channels(plain, out['channel_attention']))
    if self.spatial:
      parts.append(weighed)
    return jnp.concatenate(parts or [plain], axis=-1), out

  def _how(self):
    return {'kernel_init': self.kernel_init, 'dtype': self.dtype}


def _pooled(window, maps, weight):
  """N and N_S, both of them pooled where a pooling follows."""
  if window is not None:
    return ops.max_pools(maps, weight, window)
  if weight is None:
    return maps.y, None
  # The barrier keeps XLA from computing the product again for each use.
  return maps.y, jax.lax.optimization_barrier(products.weigh(maps.y, weight))


def weigh_channels(x_BTHWC: jax.Array, gate_BC: jax.Array) -> jax.Array:
  """The product of eq. 1, A_C (x) N: each channel times its weight."""
  return x_BTHWC * over_places(gate_BC, x_BTHWC.ndim)


def over_places(x_BC: jax.Array, rank: int) -> jax.Array:
  """Reshapes (B, C) to (B, 1, ..., 1, C) of that rank."""
  return x_BC.reshape(x_BC.shape[0], *[1] * (rank - 2), -1)
