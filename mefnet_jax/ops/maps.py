"""The maps of a layer, with the sums and maxima that micro-attention needs."""

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
