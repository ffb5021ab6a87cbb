"""Convolutions, dropout and the loop over clips that the networks share.

Axes: B batch, T frames, H rows, W columns, C channels.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.ops import convolution, pooling, products

_kernel_init = nn.initializers.glorot_uniform()  # Keras's default, the paper's


class Conv3D(nn.Module):
  """A 3D convolution of stride 1, by the fast exact form of `ops`."""

  features: int
  kernel: tuple[int, int, int]
  padding: str = 'VALID'
  pool: tuple[int, int, int] | None = None

  @nn.compact
  def __call__(self, x_BTHWC: jax.Array) -> jax.Array:
    shape = (*self.kernel, x_BTHWC.shape[-1], self.features)
    kernel = self.param('kernel', _kernel_init, shape)
    bias_C = self.param('bias', nn.initializers.zeros, (self.features,))
    if self.pool:
      y = convolution.conv3d_max_pool3d(x_BTHWC, kernel, self.pool)
    else:
      y = convolution.conv3d(x_BTHWC, kernel, padding=self.padding)
    return y + bias_C.reshape(1, 1, 1, 1, -1)


class Conv2Plus1D(nn.Module):
  """A 3D convolution taken apart: in space, ReLU, then in time.

  `middle` channels stand between the two; by default as many as give the
  parameters of the whole 3D kernel (Tran et al., CVPR 2018, section 3.5).
  """

  features: int
  kernel: tuple[int, int, int]
  padding: str = 'VALID'
  middle: int | None = None

  @nn.compact
  def __call__(self, x_BTHWC: jax.Array) -> jax.Array:
    kt, kh, kw = self.kernel
    middle = self.middle or matching_middle(
      self.kernel, x_BTHWC.shape[-1], self.features
    )
    x = Conv3D(middle, (1, kh, kw), self.padding, name='space')(x_BTHWC)
    return Conv3D(self.features, (kt, 1, 1), self.padding, name='time')(
      nn.relu(x)
    )


def matching_middle(
  kernel: tuple[int, int, int], channels: int, features: int
) -> int:
  """Middle channels that give a (2+1)D kernel the 3D kernel's parameters."""
  kt, kh, kw = kernel
  whole = kt * kh * kw * channels * features
  return max(1, whole // (kh * kw * channels + kt * features))


def dropout(
  x: jax.Array, key_B: jax.Array | None, rate: float, layer: int
) -> jax.Array:
  """Inverted dropout whose mask depends on the clip's own key alone.

  A clip draws the same mask whatever device or batch it is in, so that one
  device and several give the same training. Without keys (evaluation) x
  comes back.

  Args:
    x: (B, ...).
    key_B: a key a clip, or None.
    rate: the share that is dropped.
    layer: a number that tells this dropout from the network's others.
  """
  if key_B is None or rate == 0.0:
    return x

  def keep(key):
    key = jax.random.fold_in(key, layer)
    return jax.random.bernoulli(key, 1.0 - rate, x.shape[1:])

  return jnp.where(jax.vmap(keep)(key_B), x / (1.0 - rate), 0.0)


_SAVE = jax.checkpoint_policies.save_only_these_names(*pooling.SAVED)


def over_clips(trunk: nn.Module, x_BTHWC: jax.Array, key_B):
  """Runs `trunk(x_BTHWC, key_B)`: on CPU clip after clip, else all at once.

  The maps of one clip stay in the cache, and are computed again on the way
  back instead of being kept: on 2 cores it halves the time of a step.
  """
  if jax.default_backend() != 'cpu' or trunk.is_initializing():
    return trunk(x_BTHWC, key_B)

  def body(module, carry, clip):
    clip = jax.tree.map(lambda a: a[None], clip)
    return carry, jax.tree.map(lambda a: a[0], module(*clip))

  loop = nn.scan(
    nn.remat(body, prevent_cse=False, policy=_SAVE),
    variable_broadcast='params',
    split_rngs={'params': False},
  )
  return loop(trunk, (), (x_BTHWC, key_B))[1]


def flatten(x: jax.Array) -> jax.Array:
  """(B, ...) to (B, N)."""
  return x.reshape(x.shape[0], -1)


class DenseStack(nn.Module):
  """Dense, ReLU and dropout for each width."""

  widths: tuple[int, ...]
  rate: float

  @nn.compact
  def __call__(self, x_BC: jax.Array, key_B: jax.Array | None) -> jax.Array:
    for i, width in enumerate(self.widths):
      dense = nn.Dense(width, kernel_init=_kernel_init, dot_general=_dot)
      x_BC = nn.relu(dense(x_BC))
      x_BC = dropout(x_BC, key_B, self.rate, layer=2 + i)
    return x_BC


def _dot(x_BC, kernel, dimensions, precision):
  """The product of nn.Dense."""
  return products.product(x_BC, kernel)


def head(num_classes: int) -> nn.Dense:
  """ECM's last layer; it starts at zero, so the first loss is log(n)."""
  return nn.Dense(
    num_classes, kernel_init=nn.initializers.zeros, name='classes'
  )


def clip_keys(module, batch, stream, *, train):
  """A random key for each clip in training, None in evaluation."""
  if not train:
    return None
  if 'key' in batch:
    return batch['key']
  return jax.random.split(module.make_rng('dropout'), len(batch[stream]))


def own_keys(key_B: jax.Array | None, number: int) -> jax.Array | None:
  """Keys for one stream of several, so that each drops on its own."""
  if key_B is None:
    return None
  return jax.vmap(lambda key: jax.random.fold_in(key, 100 + number))(key_B)
