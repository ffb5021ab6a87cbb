"""Convolution and ReLU of clips, with the sums that attention needs.

Axes: B clips, T frames, H rows, W columns, C channels, D filters; t, h, w the
same after the convolution.
"""

import jax
import numpy as np

from mefnet_jax.ops import convolution, maps
from mefnet_jax.ops.cpu import convolve, custom_calls, relu, relu_rows

MOST_FILTERS = relu_rows.MOST_FILTERS


def takes(x_BTHWC: jax.Array, kernel: jax.Array) -> bool:
  """Whether `convolve_relu` accepts these: float32 clips, few filters."""
  exact = x_BTHWC.dtype == kernel.dtype == np.float32
  return x_BTHWC.ndim == 5 and exact and kernel.shape[-1] <= MOST_FILTERS


def convolve_relu(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  *,
  used_B: jax.Array | None = None,
) -> maps.Maps:
  """As `ops.convolve_relu`; the first of equal maxima gets the gradient.

  Raises:
    ValueError: a kernel that does not fit in the clips, or more filters than
      MOST_FILTERS.
  """
  if kernel.shape[-1] > MOST_FILTERS:
    raise ValueError(f'{kernel.shape[-1]} filters; at most {MOST_FILTERS}')
  convolution.check_shapes(x_BTHWC.shape, kernel.shape)
  used_B = custom_calls.used(x_BTHWC, used_B)
  return relu.as_maps(*_convolve_relu(x_BTHWC, kernel, bias, used_B))


@jax.custom_vjp
def _convolve_relu(x, kernel, bias, used):
  return _forward(x, kernel, bias, used)[0]


def _forward(x, kernel, bias, used):
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))
  results = relu.results(len(x), sizes, kernel.shape[-1])
  y, *kept = custom_calls.call('convolve_relu', results, x, kernel, bias, used)
  bits, mean, peak, place, map_mean, map_peak, first = custom_calls.saved(*kept)
  # y itself is not stored for the gradient: where it is above 0 is enough, and
  # that takes a thirty-second of the memory.
  known = x, kernel, bias, (bits, place, first)
  return (y, mean, peak, map_mean, map_peak), known


def _backward(known, bars):
  x, kernel, bias, kept = known
  (down,) = custom_calls.call(
    'relu_gradient', [(bars[0].shape, np.float32)], *kept, *bars
  )
  to_x, to_kernel, to_bias = convolve.gradients(
    x, kernel, bias, down, down, relu=False
  )
  if x.shape[-1] == 1:
    # Of grey clips only the kernel's gradient is asked for, and XLA drops the
    # calls above; here maps and ReLU pass through the cache together.
    to_kernel, to_bias = custom_calls.call(
      'convolve_relu_gradient',
      [
        ((*kernel.shape[:3], kernel.shape[-1]), np.float32),
        (bias.shape, np.float32),
      ],
      x[..., 0],
      *kept,
      *bars,
    )
    to_kernel = to_kernel[..., None, :]
  return to_x, to_kernel, to_bias, None


_convolve_relu.defvjp(_forward, _backward)
