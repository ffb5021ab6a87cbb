"""Convolution of clips and max-pooling in one pass, and its gradients.

Of each window of the pooling one place counts, so that the gradients cost a
small part of a product. Axes: B clips, T frames, H rows, W columns, C channels,
D filters; t, h, w cells of the pooling.
"""

import functools

import jax
import numpy as np
from numba import carray

from mefnet_jax.ops import convolution, pooling
from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  compiled,
  custom_calls,
  memory,
  pixel_runs,
  pool_clips,
  rows,
  signatures,
  simd,
)

LANES = simd.LANES
_CELLS = 'b(T-i/0)(H-j/1)(W-k/2)d'
_FORWARD = signatures.signature(f'w fbTHWC fijkCd fb -> f{_CELLS} i{_CELLS}')
_GRADIENT = signatures.signature(f'w fbTHWC i{_CELLS} f{_CELLS} -> fijkCd')
_CLIP = signatures.signature(f'w fijkCd i{_CELLS} f{_CELLS} -> fbTHWC')


def takes(x_BTHWC: jax.Array, kernel: jax.Array) -> bool:
  """Whether `convolve_max_pool` accepts these: clips in float32."""
  return x_BTHWC.ndim == 5 and x_BTHWC.dtype == kernel.dtype == np.float32


def convolve_max_pool(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  window: tuple[int, int, int],
  *,
  used_B: jax.Array | None = None,
) -> jax.Array:
  """As `ops.convolve_max_pool`.

  Raises:
    ValueError: a kernel or a window that does not fit.
  """
  convolution.check_shapes(x_BTHWC.shape, kernel.shape)
  used_B = custom_calls.used(x_BTHWC, used_B)
  return _convolve_max_pool(x_BTHWC, kernel, used_B, window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _convolve_max_pool(x, kernel, used, window):
  return _vjp_forward(x, kernel, used, window)[0]


def _vjp_forward(x, kernel, used, window):
  whole = convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))
  pooling.check(whole, window)
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], window)
  shape = (len(x), *sizes, kernel.shape[-1])
  y, choice = custom_calls.call(
    # Stored by place, not by value: the gradient needs to know where, not what.
    'convolve_pool',
    [(shape, np.float32), (shape, np.int32)],
    np.asarray(window, np.int32),
    x,
    kernel,
    used,
  )
  y, choice = custom_calls.saved(y, choice)
  return y, (x, kernel, choice)


def _vjp_backward(window, known, y_bar):
  x, kernel, choice = known
  window = np.asarray(window, np.int32)
  # In two calls, so that XLA drops the one of x where nobody uses it.
  (to_kernel,) = custom_calls.call(
    'convolve_pool_gradient',
    [(kernel.shape, np.float32)],
    *(window, x, choice, y_bar),
  )
  (to_clips,) = custom_calls.call(
    'convolve_pool_clip_gradient',
    [(x.shape, np.float32)],
    *(window, kernel, choice, y_bar),
  )
  return to_clips, to_kernel, None


_convolve_max_pool.defvjp(_vjp_forward, _vjp_backward)


@compiled.handler
def _convolve_pool(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  x, w = arrays.floats(frame, 1, n), arrays.floats(frame, 2, n)
  used, y = arrays.floats(frame, 3, n), arrays.floats(frame, 4, n)
  choice, parts = arrays.integers(frame, 5, n), arrays.parts(y)
  kernel, filters = (n[5], n[6], n[7]), n[8]
  shape = (n[1], n[2], n[3]), n[4], kernel, arrays.window(n), filters
  taps = n[4] * kernel[0] * kernel[1] * kernel[2]
  packed = [
    rows.pack_kernel(arrays.part(w, p, y), taps, filters) for p in range(parts)
  ]
  for b in range(n[0]):
    for p in range(parts):
      to, to_choice = arrays.clip(y, p, y, b), arrays.clip(choice, p, y, b)
      if arrays.clip(used, p, y, b)[0] == 0:
        memory.fill(to, 0)
        memory.fill(to_choice, 0)
        continue
      seen = arrays.clip(x, p, y, b)
      pool_clips.pool(seen, packed[p], shape, to, to_choice)
  return 0


@compiled.handler
def _convolve_pool_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _GRADIENT)
  if answer != call_frame.WORK:
    return answer
  x, choice = arrays.floats(frame, 1, n), arrays.integers(frame, 2, n)
  g, out = arrays.floats(frame, 3, n), arrays.floats(frame, 4, n)
  sizes, channels, kernel = (n[1], n[2], n[3]), n[4], (n[5], n[6], n[7])
  filters, parts = n[8], arrays.parts(out)
  shape = sizes, channels, kernel, arrays.window(n), filters
  offsets = pixel_runs.offsets_of(kernel, sizes, channels)
  into = np.zeros((parts, filters * len(offsets) * LANES), np.float32)
  turned = np.empty(0, np.float32)
  for b in range(n[0]):
    for p in range(parts):
      if p == 0 or arrays.place(x, p, out) != arrays.place(x, p - 1, out):
        turned = pixel_runs.laid(arrays.clip(x, p, out, b), sizes, channels)
      down, where = arrays.clip(g, p, out, b), arrays.clip(choice, p, out, b)
      pool_clips.add_gradient(turned, down, where, shape, offsets, into[p])
  for p in range(parts):
    to = arrays.part(out, p, out)
    pixel_runs.convert(into[p], kernel, sizes, channels, filters, to, True)
  return 0


@compiled.handler
def _convolve_pool_clip_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _CLIP)
  if answer != call_frame.WORK:
    return answer
  w, choice = arrays.floats(frame, 1, n), arrays.integers(frame, 2, n)
  g, out = arrays.floats(frame, 3, n), arrays.floats(frame, 4, n)
  kernel, channels, filters = (n[0], n[1], n[2]), n[3], n[4]
  sizes = n[6], n[7], n[8]
  shape = sizes, channels, kernel, arrays.window(n), filters
  offsets = pixel_runs.offsets_of(kernel, sizes, channels)
  size = sizes[0] * sizes[1] * sizes[2] * channels
  for p in range(arrays.parts(out)):
    packed = np.zeros(filters * len(offsets) * LANES, np.float32)
    own = arrays.part(w, p, out)
    pixel_runs.convert(packed, kernel, sizes, channels, filters, own, False)
    for b in range(n[5]):
      into = np.zeros(size + LANES, np.float32)
      down, where = arrays.clip(g, p, out, b), arrays.clip(choice, p, out, b)
      pool_clips.spread_gradient(down, where, shape, offsets, packed, into)
      to = arrays.clip(out, p, out, b)
      pixel_runs.lift(into, sizes, channels, to)
  return 0


HANDLERS = {
  'convolve_pool': _convolve_pool,
  'convolve_pool_gradient': _convolve_pool_gradient,
  'convolve_pool_clip_gradient': _convolve_pool_clip_gradient,
}
