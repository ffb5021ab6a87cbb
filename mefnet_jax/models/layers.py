"""Convolutions, dense layers and dropout that the networks share.

Axes: B batch, T frames, H rows, W columns, C channels. Parameters are float32
whatever `dtype` the products are computed in.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import field_values, group_norm
from mefnet_jax.ops import convolution


class Conv3D(nn.Module):
  """A 3D convolution of stride 1, by the fast exact forms of `ops`.

  Attributes:
    features: channels of the output.
    kernel: its frames, rows and columns.
    padding: 'VALID' or 'SAME'.
    pool: window of a VALID max-pooling that follows the convolution, if any.
    kernel_init, dtype: see `streams.Options`.
    relu: whether a ReLU follows.
    maps: whether a ReLU and attention follow; then `ops.Maps` come back.
    time_follows: whether a ReLU and a convolution in time follow; then
      `ops.InSpace` comes back, the input of that one.
  """

  features: int
  kernel: tuple[int, int, int]
  padding: str = 'VALID'
  pool: tuple[int, int, int] | None = None
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'
  maps: bool = False
  relu: bool = False
  time_follows: bool = False

  @nn.compact
  def __call__(
    self, x_BTHWC: jax.Array | ops.InSpace, used_B: jax.Array | None = None
  ) -> jax.Array | ops.Maps | ops.InSpace:
    """Convolves clips (B, T, H, W, C) to (B, t, h, w, features).

    Args:
      x_BTHWC: the clips, or the convolution in space that comes before.
      used_B: 0 for clips whose maps nobody reads, as for `ops.convolve`.

    Raises:
      ValueError: a kernel or a pooling window that does not fit in the clips.
    """
    shape = (*self.kernel, x_BTHWC.shape[-1], self.features)
    init = field_values.initializer(self.kernel_init)
    kernel = self.param('kernel', init, shape)
    bias_C = self.param('bias', nn.initializers.zeros, (self.features,))
    kernel, bias_C, x = field_values.cast(self.dtype, kernel, bias_C, x_BTHWC)
    if self.time_follows:
      return ops.InSpace(x, kernel, bias_C)
    if self.maps:
      return ops.convolve_relu(x, kernel, bias_C, used_B=used_B)
    if not self.pool:
      of = x, kernel, bias_C, self.padding
      return ops.convolve(*of, relu=self.relu, used_B=used_B)
    y = ops.convolve_max_pool(x, kernel, self.pool, used_B=used_B)
    # The bias is added after the pooling, to fewer values: a maximum moves with
    # a constant.
    y = y + bias_C.reshape(1, 1, 1, 1, -1)
    return nn.relu(y) if self.relu else y


class Conv2Plus1D(nn.Module):
  """A factorised 3D convolution: in space, ReLU, then in time.

  `middle` is the number of channels in between; by default (0) it matches the
  parameters of the full 3D kernel (Tran et al., CVPR 2018, section 3.5).
  Without a time axis, that is for maps (B, H, W, C) or a kernel of one frame,
  it is the convolution in space alone. The other fields as for `Conv3D`.
  """

  features: int
  kernel: tuple[int, int, int]
  padding: str = 'VALID'
  middle: int = 0
  pool: tuple[int, int, int] | None = None
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'
  maps: bool = False
  relu: bool = False

  @nn.compact
  def __call__(
    self, x_BTHWC: jax.Array, used_B: jax.Array | None = None
  ) -> jax.Array | ops.Maps:
    """Maps (B, T, H, W, C) or (B, H, W, C) to `features` channels: `Conv3D`."""
    kt, kh, kw = self.kernel
    how = {'pool': self.pool, 'maps': self.maps, 'relu': self.relu}
    if x_BTHWC.ndim == 4:
      how = {'pool': self.pool and (1, *self.pool[1:]), 'relu': self.relu}
      flat = self._conv(self.features, (1, kh, kw), 'space', **how)
      return flat(x_BTHWC[:, None], used_B).squeeze(1)
    if kt == 1:
      only = self._conv(self.features, self.kernel, 'space', **how)
      return only(x_BTHWC, used_B)
    middle = self.middle or matching_middle(
      self.kernel, x_BTHWC.shape[-1], self.features
    )
    if self.padding == 'VALID':
      # Checked for the whole kernel; the two halves would each name a part.
      convolution.check(x_BTHWC.shape[1:4], self.kernel)
    if self.pool:  # the edge that the pooling drops need not be convolved
      x_BTHWC = convolution.read_by_pooling(x_BTHWC, self.kernel, self.pool)
    first = {'relu': True, 'time_follows': self.maps}
    x = self._conv(middle, (1, kh, kw), 'space', **first)(x_BTHWC, used_B)
    return self._conv(self.features, (kt, 1, 1), 'time', **how)(x, used_B)

  def _conv(self, features, kernel, name, **how):
    how |= {'kernel_init': self.kernel_init, 'dtype': self.dtype}
    return Conv3D(features, kernel, self.padding, name=name, **how)


def matching_middle(
  kernel: tuple[int, int, int], channels: int, features: int
) -> int:
  """Returns the middle channels that match the parameters of a 3D kernel.

  Source: Tran et al., CVPR 2018, section 3.5.

  Args:
    kernel: frames, rows, columns.
    channels, features: in and out.
  """
  kt, kh, kw = kernel
  whole = kt * kh * kw * channels * features
  return max(1, whole // (kh * kw * channels + kt * features))


class Normalisation(nn.Module):
  """Normalises each clip on its own, independently of its batch.

  `kind` is 'none'; 'group': mean 0 and variance 1 over time, space and the
  channels of a group, with at most eight groups; or 'layer': over time, space
  and all channels. Scale and bias are learnt.
  """

  kind: str
  dtype: str = 'float32'

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Normalises maps (B, ..., C); the shape stays."""
    if self.kind == 'none':
      return x
    # Not batch norm: the clips of a batch would affect each other, and the
    # folds that share it would no longer be independent.
    groups = 1 if self.kind == 'layer' else math.gcd(x.shape[-1], 8)
    return group_norm.GroupNorm(groups, self.dtype, name='norm')(x)


def dropout(
  x: jax.Array, key_B: jax.Array | None, rate: float, layer: int
) -> jax.Array:
  """Applies inverted dropout with a mask that depends only on the clip's key.

  A clip gets the same mask in any batch and on any device, so that training
  does not depend on the number of devices. Without keys (evaluation), x is
  returned unchanged.

  Args:
    x: (B, ...).
    key_B: one random key per clip, or None.
    rate: the share of values that is dropped.
    layer: a number that distinguishes the dropout layers of a network.
  """
  if key_B is None or rate == 0.0:
    return x

  def keep(key):
    return _keep_mask(jax.random.fold_in(key, layer), rate, x.shape[1:])

  return jnp.where(jax.vmap(keep)(key_B), x / (1.0 - rate), 0.0)


def _keep_mask(key, rate, shape):
  """The mask of values that stay, drawn with as few random bits as possible.

  A rate of 0.5 needs one bit per value, a rate of 0.25 two. Drawing 32 bits
  for each value took a seventh of a step on a CPU.
  """
  sizes = [n for n in (1, 2, 4, 8) if (rate * 2**n).is_integer()]
  if not sizes:
    return jax.random.bernoulli(key, 1.0 - rate, shape)
  size, count = sizes[0], math.prod(shape)
  drawn = jax.random.bits(key, (-(-count * size // 8), 1), 'uint8')
  shifts = jnp.arange(0, 8, size, dtype='uint8')
  drawn = (drawn >> shifts[None]) & jnp.uint8(2**size - 1)
  return (drawn >= int(rate * 2**size)).reshape(-1)[:count].reshape(shape)


def flatten(x: jax.Array) -> jax.Array:
  """Flattens (B, ...) to (B, N)."""
  return x.reshape(x.shape[0], -1)


class Dense(nn.Module):
  """A dense layer over concatenated parts, without concatenating them.

  The kernel has the rows of all parts; the products of the parts are summed.
  A part of zeros therefore has exactly the effect of a missing part, and
  nothing is copied.
  """

  features: int
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(self, *parts_BN: jax.Array) -> jax.Array:
    """Maps parts (B, N1), (B, N2), ... to (B, features)."""
    rows = [part.shape[-1] for part in parts_BN]
    shape = (sum(rows), self.features)
    init = field_values.initializer(self.kernel_init)
    kernel = self.param('kernel', init, shape)
    bias_C = self.param('bias', nn.initializers.zeros, (self.features,))
    kernel, bias_C, *cast_BN = field_values.cast(
      self.dtype, kernel, bias_C, *parts_BN
    )
    kernels = jnp.split(kernel, np.cumsum(rows)[:-1])
    y_BC = sum(map(ops.dense, cast_BN, kernels))
    return y_BC + bias_C[None]


class DenseStack(nn.Module):
  """Dense, ReLU and dropout for each width."""

  widths: tuple[int, ...]
  rate: float
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self, *parts_BN: jax.Array, key_B: jax.Array | None
  ) -> jax.Array:
    """Maps parts (B, N1), (B, N2), ... to (B, width of the last layer).

    With key_B (B,), one random key per clip, values are dropped.
    """
    for i, width in enumerate(self.widths):
      dense = Dense(width, self.kernel_init, self.dtype, name=f'Dense_{i}')
      x_BC = dropout(nn.relu(dense(*parts_BN)), key_B, self.rate, layer=2 + i)
      parts_BN = (x_BC,)
    return jnp.concatenate(parts_BN, axis=-1)


def head(num_classes: int, init: str = 'zeros') -> Dense:
  """Returns the last layer (ECM), in float32.

  With kernels of zeros the initial loss is log(num_classes). Not in bfloat16,
  even where the trunk is: its eight bits are too few for probabilities.
  """
  return Dense(num_classes, init, name='classes')


def clip_keys(
  module: nn.Module, batch: dict[str, jax.Array], stream: str, *, train: bool
) -> jax.Array | None:
  """Returns one random key per clip in training, None in evaluation.

  They are batch['key'], or come from the rng stream 'dropout' of the module,
  as many as batch[stream] has clips.
  """
  if not train:
    return None
  if 'key' in batch:
    return batch['key']
  return jax.random.split(module.make_rng('dropout'), len(batch[stream]))


def stream_keys(key_B: jax.Array | None, number: int) -> jax.Array | None:
  """Returns keys for one stream, so that streams have separate dropout.

  Args:
    key_B: one random key per clip, or None in evaluation.
    number: index of the stream in `field_values.STREAMS`.
  """
  if key_B is None:
    return None
  return jax.vmap(lambda key: jax.random.fold_in(key, 100 + number))(key_B)
