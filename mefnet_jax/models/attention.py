"""Micro-attention: what matters (eq. 1), where and when (eq. 2), both (eq. 3).

Axes: B batch, T frames, H rows, W columns, C channels. T may be absent: the
2D form, maps (B, H, W, C), of the paper's N in R^{HxWxC}.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import layers
from mefnet_jax.ops import native, pooling, products


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
    self, x_BTHWC: jax.Array, known: native.Maps | None = None
  ) -> tuple[jax.Array, jax.Array]:
    """(N_C, A_C of (B, C)); `known`: the maps' means and maxima."""
    channels, places = x_BTHWC.shape[-1], tuple(range(1, x_BTHWC.ndim - 1))
    how = {'kernel_init': self.kernel_init, 'dtype': self.dtype}
    width = max(1, channels // self.reduction)
    squeeze = layers.Dense(width, **how, name='squeeze')
    excite = layers.Dense(channels, **how, name='excite')
    if known:
      means_BC, maxima_BC = known.mean, known.peak
    else:
      means_BC, maxima_BC = x_BTHWC.mean(places), x_BTHWC.max(places)
    scores_BC = sum(excite(nn.relu(squeeze(v))) for v in (means_BC, maxima_BC))
    gate_BC = nn.sigmoid(scores_BC)
    return x_BTHWC * over_places(gate_BC, x_BTHWC.ndim), gate_BC


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
    x_BTHWC: jax.Array,
    key_B: jax.Array | None = None,
    known: native.Maps | None = None,
    weigh: Callable = products.weigh,
  ) -> tuple[jax.Array, jax.Array]:
    """(N_S, A_S of (B, T, H, W, 1)); with keys, N_S is a training one.

    `known`: the means and maxima of the channels; N_S is `weigh(N, weight)`.
    """
    mixing = self.param('mixing', nn.initializers.zeros, ())
    share = nn.sigmoid(mixing).astype(x_BTHWC.dtype)
    if known:
      pooled = known.map_mean + share * (known.map_peak - known.map_mean)
    else:
      pooled = pooling.mix_channels(x_BTHWC, share)
    convolve = layers.Conv2Plus1D(
      1,
      self.kernel,
      'SAME',
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name='convolution',
    )
    highlight = nn.sigmoid(convolve(pooled))
    if key_B is None:
      return weigh(x_BTHWC, highlight), highlight
    weight = self._drop_some(highlight, key_B)
    return weigh(x_BTHWC, weight), highlight

  def _drop_some(self, map_BTHW1, key_B):
    """The map, or for some clips the mask that hides what it highlights."""
    drawn = jax.vmap(lambda key: jax.random.bernoulli(key, self.drop_rate))
    dropped_B = over_places(drawn(key_B)[:, None], map_BTHW1.ndim)
    peak = map_BTHW1.max(tuple(range(1, map_BTHW1.ndim)), keepdims=True)
    kept = (map_BTHW1 <= self.threshold * peak).astype(map_BTHW1.dtype)
    return jnp.where(dropped_B, kept, map_BTHW1)


class ParallelAttention(nn.Module):
  """Eq. 3: X = concat(N_C, N_S) along the channels; 2C channels go on.

  With one of the two switched off, the other's maps alone; with both off, N.
  Where a max-pooling follows, give its window as `pool`: N_C is then pooled
  before it is weighed, which is the same (a channel's weight is positive and
  one for all its positions) and spares a pass over the maps. `native.Maps`
  are taken for N too; they want a window.
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
    x_BTHWC: jax.Array | native.Maps,
    key_B: jax.Array | None = None,
    pool: tuple[int, int, int] | None = None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """X, and the maps A_C and A_S as they are called in a network's `out`."""
    known = None
    if isinstance(x_BTHWC, native.Maps):
      known, x_BTHWC = x_BTHWC, x_BTHWC.y
    else:
      # The barriers keep XLA from computing the maps again for each use.
      x_BTHWC = jax.lax.optimization_barrier(x_BTHWC)
    out = {}
    if self.channel:
      attend = ChannelAttention(self.reduction, **self._how(), name='channel')
      _, out['channel_attention'] = attend(x_BTHWC, known)
    weight = None
    if self.spatial:
      attend = SpatialTemporalAttention(
        self.kernel,
        self.drop_rate,
        self.threshold,
        **self._how(),
        name='spatial',
      )
      weigh = (lambda _, weight: weight) if known else products.weigh
      weight, out['spatial_attention'] = attend(x_BTHWC, key_B, known, weigh)
    plain, weighed = self._pooled(x_BTHWC, weight, pool, known)
    parts = []
    if self.channel:
      gate_BC = out['channel_attention']
      parts.append(plain * over_places(gate_BC, x_BTHWC.ndim))
    if self.spatial:
      parts.append(weighed)
    return jnp.concatenate(parts or [plain], axis=-1), out

  def _pooled(self, x, weighed, window, known):
    """N and N_S, pooled where a pooling follows."""
    if known:
      weight = jnp.ones_like(known.map_mean) if weighed is None else weighed
      return native.max_pools(x, weight, window)
    pool = (lambda x: x) if window is None else _pooling(window)
    if weighed is not None:
      weighed = pool(jax.lax.optimization_barrier(weighed))
    return pool(x), weighed

  def _how(self):
    return {'kernel_init': self.kernel_init, 'dtype': self.dtype}


def _pooling(window):
  return functools.partial(pooling.max_pool3d, window=window)


def over_places(x_BC: jax.Array, rank: int) -> jax.Array:
  """(B, C) as (B, 1, ..., 1, C) of that rank."""
  return x_BC.reshape(len(x_BC), *[1] * (rank - 2), -1)
