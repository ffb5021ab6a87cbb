"""The clips of the kernels are grey; maps of one frame become such clips.

Axes: B clips, T frames, H rows, W columns, C channels, D filters.
"""

import jax
import numpy as np

from mefnet_jax.ops import convolution


def takes(x_BTHWC: jax.Array, kernel: jax.Array) -> bool:
  """Whether `as_grey` accepts x: float32 clips, grey or of one frame."""
  plain = x_BTHWC.ndim == 5 and 1 in (x_BTHWC.shape[1], x_BTHWC.shape[-1])
  return plain and x_BTHWC.dtype == kernel.dtype == np.float32


def as_grey(
  x_BTHWC: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """A clip of one frame, with its channels as the frames of a grey clip.

  The kernel then has as many frames as the clip, so that one frame of outputs
  comes back: the same sums. Grey clips and their kernels stay as they are.

  Args:
    x_BTHWC: clips that are grey or of one frame.
    kernel: (kt, kh, kw, C, D).

  Raises:
    ValueError: the kernel does not fit the clips.
  """
  convolution.check_shapes(x_BTHWC.shape, kernel.shape)
  if x_BTHWC.shape[-1] == 1:
    return x_BTHWC, kernel
  return x_BTHWC.transpose(0, 4, 2, 3, 1), kernel.transpose(3, 1, 2, 0, 4)
