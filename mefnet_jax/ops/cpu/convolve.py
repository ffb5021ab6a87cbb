"""Convolution of clips of any channels, with bias and ReLU, and its gradients.

Axes: B clips, T frames, H rows, W columns, C
channels, D filters; t, h, w the same after the convolution.
"""

import functools

import jax
import numpy as np

from mefnet_jax.ops import convolution
from mefnet_jax.ops.cpu import custom_calls, planes

# Filters, or the vectors along them stay empty.
_LEAST = 4
# Products of an output from which on it is stored for the gradient: to compute
# it again would take longer than to write and read it.
_COSTLY = 128
_FLOORS = {True: 0.0, False: -np.inf}


def takes(
  x_BTHWC: jax.Array, kernel: jax.Array, padding: str = 'VALID'
) -> bool:
  """Whether `convolve` accepts these: clips in float32, not too few filters.

  Or, with SAME padding, few channels and filters: see `planes`.
  """
  if planes.takes(x_BTHWC, kernel, padding):
    return True
  exact = x_BTHWC.dtype == kernel.dtype == np.float32
  return x_BTHWC.ndim == 5 and exact and kernel.shape[-1] >= _LEAST


def convolve(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  padding: str = 'VALID',
  *,
  relu: bool = False,
  used_B: jax.Array | None = None,
) -> jax.Array:
  """As `ops.convolve`.

  Raises:
    ValueError: a kernel that does not fit in the clips.
  """
  if planes.takes(x_BTHWC, kernel, padding):
    y = planes.convolve(x_BTHWC, kernel) + bias.reshape(1, 1, 1, 1, -1)
    return jax.nn.relu(y) if relu else y
  if padding == 'SAME':
    kernel = _reaching(kernel, x_BTHWC.shape[1:4])
    sizes = x_BTHWC.shape[1:4]
  else:
    convolution.check(x_BTHWC.shape[1:4], kernel.shape[:3])
    sizes = convolution.output_shape(
      x_BTHWC.shape[1:4], kernel.shape[:3], (1, 1, 1)
    )
  convolution.check_channels(x_BTHWC.shape, kernel.shape)
  used_B = custom_calls.used(x_BTHWC, used_B)
  return _convolve(x_BTHWC, kernel, bias, used_B, sizes, relu)


def _reaching(kernel, sizes):
  """What of a kernel reads clips of these sizes, under SAME padding."""
  used = []
  for n, k in zip(sizes, kernel.shape[:3], strict=True):
    before = (k - 1) // 2
    used.append(slice(max(0, before - n + 1), min(k, before + n)))
  return kernel[tuple(used)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def _convolve(x, kernel, bias, used, sizes, relu):
  shape = len(x), *sizes, kernel.shape[-1]
  floor = np.full(1, _FLOORS[relu], np.float32)
  (y,) = custom_calls.call(
    'convolve', [(shape, np.float32)], x, kernel, bias, floor, used
  )
  return y


def _vjp_forward(x, kernel, bias, used, sizes, relu):
  y = _convolve(x, kernel, bias, used, sizes, relu)
  if kernel[..., 0].size >= _COSTLY:
    (y,) = custom_calls.saved(y)
  return y, (x, kernel, bias, y if relu else None)


def _vjp_backward(sizes, relu, known, y_bar):
  del sizes
  x, kernel, bias, y = known
  # Without a ReLU any array will do, and this one is at hand.
  y = y if relu else y_bar
  return *gradients(x, kernel, bias, y, y_bar, relu=relu), None


_convolve.defvjp(_vjp_forward, _vjp_backward)


def gradients(
  x: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  y: jax.Array,
  y_bar: jax.Array,
  *,
  relu: bool,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """The gradients of x, kernel and bias.

  In two calls, so that XLA drops the one of x where nobody uses it.
  """
  floor = np.full(1, _FLOORS[relu], np.float32)
  to_kernel, to_bias = custom_calls.call(
    'convolve_kernel_gradient',
    [(kernel.shape, np.float32), (bias.shape, np.float32)],
    *(x, y, y_bar, floor),
  )
  (to_x,) = custom_calls.call(
    'convolve_clip_gradient',
    [(x.shape, np.float32)],
    *(y, y_bar, kernel, floor),
  )
  return to_x, to_kernel, to_bias
