"""Residual units with micro-attention (Wang, Peng, Bi & Chen 2020).

The abstract: "micro-attention operates in tandem with residual networks".
Axes: B batch, T frames, H rows, W columns, C channels.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import layers
from mefnet_jax.ops import products


def check(depth: tuple[int, ...], width: tuple[int, ...]) -> None:
  """Raises ValueError unless each stage has units and channels."""
  numbers = (*depth, *width)
  whole = all(isinstance(n, int) and n > 0 for n in numbers)
  if len(depth) != len(width) or not whole:
    raise ValueError(
      f'depth={tuple(depth)}, width={tuple(width)}: give a number of units and '
      'of channels, above 0, for each residual stage, such as (2, 2), (32, 64)'
    )


class MicroAttentionUnit(nn.Module):
  """A residual unit with micro-attention: x + F(x) * (1 + A).

  F consists of two convolutions, (2+1)D by default, with a ReLU in between.
  The micro-attention combines the maps of the unit (its input and both
  convolutions) with a 1x1x1 convolution into one map A in (0, 1). An input
  with another number of channels is mapped to `features` channels by a 1x1x1
  convolution.
  """

  features: int
  kernel: tuple[int, int, int] = (3, 3, 3)
  conv: str = '2plus1d'
  normalisation: str = 'none'
  kernel_init: str = 'glorot_uniform'
  dtype: str = 'float32'

  @nn.compact
  def __call__(
    self, x_BTHWC: jax.Array, used_B: jax.Array | None = None
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the maps (B, T, H, W, features), and A (B, T, H, W, 1).

    Args:
      x_BTHWC: the maps of the layer before.
      used_B: 0 for clips whose maps nobody reads, as for `ops.convolve`.
    """
    x = x_BTHWC
    # A sum needs equal channels.
    if x.shape[-1] != self.features:
      x = self._point(self.features, 'shortcut')(x, used_B)
    first = self._convolved(x, used_B, 'first', relu=True)
    second = self._convolved(first, used_B, 'second')
    gathered = jnp.concatenate([x, first, second], axis=-1)
    attention = nn.sigmoid(self._point(1, 'gather')(gathered))
    # 1 + A: attention adds to F(x), and cannot shut the unit off.
    return nn.relu(x + products.weigh(second, 1 + attention)), attention

  def _convolved(self, x, used_B, name, relu=False):
    """A convolution of this unit, normalised, and perhaps a ReLU."""
    cls: Any = layers.Conv3D if self.conv == '3d' else layers.Conv2Plus1D
    options: dict[str, Any] = {
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    at_once = relu and self.normalisation == 'none'
    options |= {'relu': at_once, 'name': name}
    convolve = cls(self.features, self.kernel, 'SAME', **options)
    normalise = layers.Normalisation(
      self.normalisation, self.dtype, name=f'{name}_normalisation'
    )
    y = normalise(convolve(x, used_B))
    return nn.relu(y) if relu and not at_once else y

  def _point(self, features, name):
    return layers.Conv3D(
      features,
      (1, 1, 1),
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name=name,
    )


class Residual(nn.Module):
  """Stages of micro-attention units, with max-pooling between the stages.

  Pooling halves each axis that has a length of at least 2.

  Attributes:
    depth: number of units of each stage.
    width: channels of each stage.
    time: whether the kernels of the units extend over 3 frames instead of 1.
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
    self, x_BTHWC: jax.Array, used_B: jax.Array | None = None
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns the last maps (B, t, h, w, width), and each unit's A by name.

    Args:
      x_BTHWC: the maps of the layer before.
      used_B: 0 for clips whose maps nobody reads, as for `ops.convolve`.
    """
    x, out = x_BTHWC, {}
    kernel = (3 if self.time else 1, 3, 3)
    for stage, (units, width) in enumerate(
      zip(self.depth, self.width, strict=True)
    ):
      if stage:
        # Few frames or pixels are left after the trunk's pooling of 3.
        frames, rows, columns = (min(2, n) for n in x.shape[1:4])
        x = ops.max_pool(x, (frames, rows, columns))
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
        x, out[f'micro_attention_{stage}_{i}'] = unit(x, used_B)
    return x, out
