"""Maps of a layer, with what micro-attention needs, or not computed yet."""

import jax
from flax import struct


@struct.dataclass
class Maps:
  """ReLU(convolution + bias), with sums and maxima.

  Attributes:
    y: (B, t, h, w, D), or (B, h, w, D).
    mean, peak: (B, D), over time and space.
    map_mean, map_peak: (B, t, h, w, 1), over the filters.
    fused: whether a kernel has made them; a kernel must then pool them, too.
  """

  y: jax.Array
  mean: jax.Array
  peak: jax.Array
  map_mean: jax.Array
  map_peak: jax.Array
  fused: bool = struct.field(pytree_node=False, default=False)

  @property
  def shape(self) -> tuple[int, ...]:
    """The shape of y."""
    return self.y.shape


@struct.dataclass
class InSpace:
  """ReLU(VALID convolution in space + bias) that is not computed yet.

  An interceptor of Flax may replace it by an array: the convolution in time
  reads either.

  Attributes:
    x: clips (B, T, H, W, C).
    kernel: (1, kh, kw, C, D).
    bias: (D,).
  """

  x: jax.Array
  kernel: jax.Array
  bias: jax.Array

  def astype(self, dtype: jax.typing.DTypeLike) -> 'InSpace':
    """The same convolution, computed in another dtype."""
    return jax.tree.map(lambda array: array.astype(dtype), self)

  @property
  def shape(self) -> tuple[int, ...]:
    """The shape of the maps, (B, T, h, w, D)."""
    (batch, frames, rows, columns, _), sizes = self.x.shape, self.kernel.shape
    rows, columns = rows - sizes[1] + 1, columns - sizes[2] + 1
    return batch, frames, rows, columns, sizes[4]
