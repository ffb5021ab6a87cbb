"""Convolution of clips of any channels, with bias and ReLU, and its gradients.

The kernels pad nothing (VALID). Axes: B clips, T frames, H rows, W columns, C
channels, D filters; t, h, w the same after the convolution.
"""

import functools

import jax
import jax.numpy as jnp
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
    x_BTHWC, kernel = _padded(x_BTHWC, kernel)
  convolution.check_shapes(x_BTHWC.shape, kernel.shape)
  used_B = custom_calls.used(x_BTHWC, used_B)
  return _convolve(x_BTHWC, kernel, bias, used_B, relu)


def _padded(x, kernel):
  """Clips with zeros around them, and what of the kernel reads the clips."""
  pads, used = [(0, 0)], []
  for n, k in zip(x.shape[1:4], kernel.shape[:3], strict=True):
    before = (k - 1) // 2
    first, last = max(0, before - n + 1), min(k, before + n)
    pads.append((before - first, last - 1 - before))
    used.append(slice(first, last))
  return jnp.pad(x, [*pads, (0, 0)]), kernel[tuple(used)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _convolve(x, kernel, bias, used, relu):
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))
  shape = len(x), *sizes, kernel.shape[-1]
  floor = np.full(1, _FLOORS[relu], np.float32)
  (y,) = custom_calls.call(
    'convolve', [(shape, np.float32)], x, kernel, bias, floor, used
  )
  return y


def _vjp_forward(x, kernel, bias, used, relu):
  y = _convolve(x, kernel, bias, used, relu)
  if kernel[..., 0].size >= _COSTLY:
    (y,) = custom_calls.saved(y)
  return y, (x, kernel, bias, y if relu else None)


def _vjp_backward(relu, known, y_bar):
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
