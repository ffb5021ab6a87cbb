"""Convolution and ReLU of grey clips, with the sums that attention needs.

Axes: B clips, T frames, H rows, W columns, D filters; t, h, w the same after
the convolution.
"""

import jax
import numpy as np

from mefnet_jax.ops import convolution, maps
from mefnet_jax.ops.cpu import custom_calls, grey, relu, relu_rows

MOST_FILTERS = relu_rows.MOST_FILTERS


def takes(x_BTHWC: jax.Array, kernel: jax.Array) -> bool:
  """Whether `convolve_relu` accepts these: as `grey`, few filters."""
  return grey.takes(x_BTHWC, kernel) and kernel.shape[-1] <= MOST_FILTERS


def convolve_relu(
  x_BTHWC: jax.Array, kernel: jax.Array, bias: jax.Array
) -> maps.Maps:
  """As `ops.convolve_relu`; the first of equal maxima gets the gradient.

  Raises:
    ValueError: a kernel that does not fit in the clips, or more filters than
      MOST_FILTERS.
  """
  if kernel.shape[-1] > MOST_FILTERS:
    raise ValueError(f'{kernel.shape[-1]} filters; at most {MOST_FILTERS}')
  return relu.as_maps(*_convolve_relu(*grey.as_grey(x_BTHWC, kernel), bias))


@jax.custom_vjp
def _convolve_relu(x, kernel, bias):
  return _forward(x, kernel, bias)[0]


def _forward(x, kernel, bias):
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))
  y, bits, mean, peak, place, map_mean, map_peak, first = custom_calls.call(
    'convolve_relu',
    relu.results(len(x), sizes, kernel.shape[-1]),
    x[..., 0],
    kernel[..., 0, :],
    bias,
  )
  # y itself is not stored for the gradient: where it is above 0 is enough, and
  # that takes a thirty-second of the memory.
  known = x, kernel, bias, bits, place, first
  return (y, mean, peak, map_mean, map_peak), known


def _backward(known, bars):
  x, kernel, bias, bits, place, first = known
  to_kernel, to_bias = custom_calls.call(
    'convolve_relu_gradient',
    [
      ((*kernel.shape[:3], kernel.shape[-1]), np.float32),
      (bias.shape, np.float32),
    ],
    x[..., 0],
    bits,
    place,
    first,
    *bars,
  )
  # The clips' gradient is left to XLA, which drops it where nobody uses it, as
  # in training.
  _, to_clips = jax.vjp(lambda x: _by_xla(x, kernel, bias), x)
  return to_clips(bars)[0], to_kernel[..., None, :], to_bias


def _by_xla(x, kernel, bias):
  y = jax.nn.relu(convolution.conv3d(x, kernel) + bias.reshape(1, 1, 1, 1, -1))
  places = (1, 2, 3)
  return y, y.mean(places), y.max(places), y.mean(-1), y.max(-1)


_convolve_relu.defvjp(_forward, _backward)
