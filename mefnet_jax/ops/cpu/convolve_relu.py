"""Convolution and ReLU of clips, with the sums that attention needs.

Axes: B clips, T frames, H rows, W columns, C channels, D filters; t, h, w the
same after the convolution.
"""

import jax
import numpy as np

from mefnet_jax.ops import convolution, maps
from mefnet_jax.ops.cpu import convolve, custom_calls, relu, relu_rows

MOST_FILTERS = relu_rows.MOST_FILTERS
_NONE = np.zeros(0, np.float32)  # the bias of no convolution in space


def takes(x_BTHWC: jax.Array, kernel: jax.Array) -> bool:
  """Whether `convolve_relu` accepts these: float32 clips, few filters."""
  exact = x_BTHWC.dtype == kernel.dtype == np.float32
  return x_BTHWC.ndim == 5 and exact and kernel.shape[-1] <= MOST_FILTERS


def convolve_relu(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  *,
  space: tuple[jax.Array, jax.Array] | None = None,
  used_B: jax.Array | None = None,
) -> maps.Maps:
  """As `ops.convolve_relu`; the first of equal maxima gets the gradient.

  `space` holds the kernel (1, kh, kw, C, M) and the bias (M,) of a convolution
  with ReLU that comes first; the other kernel is (kt, 1, 1, M, D) then.

  Raises:
    ValueError: a kernel that does not fit in the clips, or more filters than
      MOST_FILTERS.
  """
  if kernel.shape[-1] > MOST_FILTERS:
    raise ValueError(f'{kernel.shape[-1]} filters; at most {MOST_FILTERS}')
  if space is None:
    convolution.check_shapes(x_BTHWC.shape, kernel.shape)
    space = np.zeros((1, 1, 1, x_BTHWC.shape[-1], 0), np.float32), _NONE
  else:
    convolution.check_factors(x_BTHWC.shape, space[0].shape, kernel.shape)
  used_B = custom_calls.used(x_BTHWC, used_B)
  weights = *space, kernel, bias
  return relu.as_maps(*_convolve_relu(x_BTHWC, weights, used_B))


@jax.custom_vjp
def _convolve_relu(x, weights, used):
  return _forward(x, weights, used)[0]


def _forward(x, weights, used):
  space, _, kernel, _ = weights
  sizes = x.shape[1:4]
  for one in (space, kernel):
    sizes = convolution.output_shape(sizes, one.shape[:3], (1, 1, 1))
  results = relu.results(len(x), sizes, kernel.shape[-1])
  y, *kept = custom_calls.call('convolve_relu', results, x, *weights, used)
  bits, mean, peak, place, map_mean, map_peak, first = custom_calls.saved(*kept)
  # y itself is not stored for the gradient: where it is above 0 is enough, and
  # that takes a thirty-second of the memory.
  return (y, mean, peak, map_mean, map_peak), (x, weights, (bits, place, first))


def _backward(known, bars):
  x, weights, kept = known
  *in_space, kernel, bias = weights
  to_weights = custom_calls.call(
    'convolve_relu_gradient',
    [(one.shape, np.float32) for one in weights],
    *(x, *weights[:3], *kept, *bars),
  )
  # XLA drops what follows unless somebody asks for the gradient of the clips.
  (down,) = custom_calls.call(
    'relu_gradient', [(bars[0].shape, np.float32)], *kept, *bars
  )
  two = in_space[1].size > 0
  seen = convolve.convolve(x, *in_space, relu=True) if two else x
  to_x, *_ = convolve.gradients(seen, kernel, bias, down, down, relu=False)
  if two:
    to_x, *_ = convolve.gradients(x, *in_space, seen, to_x, relu=True)
  return to_x, tuple(to_weights), None


_convolve_relu.defvjp(_forward, _backward)
