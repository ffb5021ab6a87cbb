"""Residual units with micro-attention (Wang, Peng, Bi & Chen 2020).

The abstract: "micro-attention operates in tandem with residual networks".
Axes: B batch, T frames, H rows, W columns, C channels.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax.models import layers
from mefnet_jax.ops import pooling


def check(depth: tuple[int, ...], width: tuple[int, ...]) -> None:
  """Raises ValueError unless each stage has units and channels."""
  numbers = (*depth, *width)
  whole = all(isinstance(n, int) and n > 0 for n in numbers)
  if len(depth) != len(width) or not whole:
    raise ValueError(
      f'depth={tuple(depth)}, width={tuple(width)}: a number of units and one '
      'of channels, above 0, for each residual stage, such as (2, 2), (32, 64)'
    )


class MicroAttentionUnit(nn.Module):
  """x + F(x) * (1 + A): a residual unit that weighs its own residual.

  F is two convolutions with a ReLU between, (2+1)D ones by default. The
  micro-attention gathers the maps of the unit's branches (what came in, the
  first and the second convolution) with a 1x1x1 convolution into one map A
  in (0, 1). What comes in with other channels is brought to `features` by a
  1x1x1 convolution.
  """

  features: int
  kernel: tuple[int, int, int] = (3, 3, 3)
  conv: str = '2plus1d'
  normalisation: str = 'none'
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(self, x_BTHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The unit's maps (B, T, H, W, features), and A (B, T, H, W, 1)."""
    x = x_BTHWC
    if x.shape[-1] != self.features:
      x = self._point(self.features, 'shortcut')(x)
    first = nn.relu(self._convolved(x, 'first'))
    second = self._convolved(first, 'second')
    gathered = jnp.concatenate([x, first, second], axis=-1)
    attention = nn.sigmoid(self._point(1, 'gather')(gathered))
    return nn.relu(x + second * (1 + attention)), attention

  def _convolved(self, x, name):
    cls = layers.Conv3D if self.conv == '3d' else layers.Conv2Plus1D
    how = {'kernel_init': self.kernel_init, 'dtype': self.dtype}
    x = cls(self.features, self.kernel, 'SAME', **how, name=name)(x)
    normalise = layers.Normalisation(
      self.normalisation, self.dtype, name=f'{name}_normalisation'
    )
    return normalise(x)

  def _point(self, features, name):
    how = {'kernel_init': self.kernel_init, 'dtype': self.dtype}
    return layers.Conv3D(features, (1, 1, 1), **how, name=name)


class Residual(nn.Module):
  """Stages of micro-attention units; each but the first begins by pooling.

  The pooling is a max-pooling of 2 along each axis that still has 2.

  Attributes:
    depth: units of each stage.
    width: channels of each stage.
    time: whether the units' kernels reach over 3 frames, or 1.
  """

  depth: tuple[int, ...]
  width: tuple[int, ...]
  time: bool = True
  conv: str = '2plus1d'
  normalisation: str = 'none'
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self, x_BTHWC: jax.Array
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The last unit's maps, and each unit's map A by its name."""
    x, out = x_BTHWC, {}
    kernel = (3 if self.time else 1, 3, 3)
    for stage, (units, width) in enumerate(
      zip(self.depth, self.width, strict=True)
    ):
      if stage:
        frames, rows, columns = (min(2, n) for n in x.shape[1:4])
        x = pooling.max_pool3d(x, (frames, rows, columns))
      for i in range(units):
        unit = MicroAttentionUnit(
          width,
          kernel,
          self.conv,
          self.normalisation,
          self.kernel_init,
          self.dtype,
          name=f'stage{stage}_unit{i}',
        )
        x, out[f'micro_attention_{stage}_{i}'] = unit(x)
    return x, out
