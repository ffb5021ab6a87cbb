"""SAME convolution of few channels by few filters, such as STAM's of a map.

Vectors lie along the rows of zero-padded planes and over their ends, so that
few filters and short rows waste little. Axes: T frames, H rows, W columns, C
channels, D filters.
"""

import jax
import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  compiled,
  custom_calls,
  memory,
  plane_tiles,
  signatures,
  simd,
)

LANES, TILE = simd.LANES, simd.TILE
# With more of both, the vectors of `rows`, which lie along the filters, fill.
_FEW = 8  # channels times filters
_FORWARD = signatures.signature('fbTHWC fijkCd -> fbTHWd')
_GRADIENT = signatures.signature('fbTHWC fijkCd fbTHWd -> fbTHWC fijkCd')


def takes(
  x_BTHWC: jax.Array, kernel: jax.Array, padding: str = 'VALID'
) -> bool:
  """Whether `convolve` accepts these: SAME padding, few channels, float32."""
  *_, channels, filters = kernel.shape
  exact = x_BTHWC.dtype == kernel.dtype == np.float32
  return padding == 'SAME' and exact and channels * filters <= _FEW


def convolve(
  x_BTHWC: jax.Array, kernel: jax.Array, padding: str = 'SAME'
) -> jax.Array:
  """(B, T, H, W, C) by (kt, kh, kw, C, D): (B, T, H, W, D).

  Raises:
    ValueError: another padding than SAME.
  """
  if padding != 'SAME':
    raise ValueError(f'padding is SAME here, not {padding!r}')
  return _convolve(x_BTHWC, kernel)


@jax.custom_vjp
def _convolve(x, kernel):
  shape = (*x.shape[:-1], kernel.shape[-1])
  (y,) = custom_calls.call('convolve_few', [(shape, np.float32)], x, kernel)
  return y


def _vjp_forward(x, kernel):
  return _convolve(x, kernel), (x, kernel)


def _vjp_backward(known, y_bar):
  results = [(a.shape, np.float32) for a in known]
  return tuple(
    custom_calls.call('convolve_few_gradient', results, *known, y_bar)
  )


_convolve.defvjp(_vjp_forward, _vjp_backward)


@compiled.kernel
def _planes(x, channels, sizes, before, padded):
  """Maps (T, H, W, C) as planes (C, *padded) with zeros around them."""
  frames, rows, columns = sizes
  deep, high, wide = padded
  # The last tap of the last vector reads beyond the last plane.
  out = np.zeros(channels * deep * high * wide + wide + LANES, np.float32)
  for t in range(frames):
    for h in range(rows):
      for c in range(channels):
        to = ((c * deep + t + before[0]) * high + h + before[1]) * wide
        to += before[2]
        source = (t * rows + h) * columns * channels + c
        _lay(x, source, channels, out, to, 1, columns)
  return out


@compiled.kernel
def _lay(x, x_at, x_step, y, y_at, y_step, count):
  """Copies `count` numbers that lie a step apart."""
  source, to = x[x_at:], y[y_at:]
  if x_step == 1 and y_step == 1:  # LLVM has vectors for steps that it knows
    for i in range(count):
      to[i] = source[i]
  elif x_step == 2 and y_step == 1:
    for i in range(count):
      to[i] = source[2 * i]
  elif x_step == 1 and y_step == 2:
    for i in range(count):
      to[2 * i] = source[i]
  else:
    for i in range(count):
      y[y_at + i * y_step] = x[x_at + i * x_step]


@compiled.kernel
def _padded_sizes(sizes, kernel):
  """The sizes of maps with what SAME padding adds."""
  return (
    sizes[0] + kernel[0] - 1,
    sizes[1] + kernel[1] - 1,
    sizes[2] + kernel[2] - 1,
  )


@compiled.kernel
def _plane_offsets(channels, kernel, padded):
  """Where each tap reads in `_planes`: channels, frames, rows, columns."""
  compiled.for_size()
  kt, kh, kw = kernel
  deep, high, wide = padded
  offsets, at = np.empty(channels * kt * kh * kw, np.int64), 0
  for c in range(channels):
    for t in range(kt):
      for h in range(kh):
        for w in range(kw):
          offsets[at] = ((c * deep + t) * high + h) * wide + w
          at += 1
  return offsets


@compiled.kernel
def _convolve_planes(x, w, offsets, sizes, padded, filters, y):
  """A convolution of few channels: y (T, H, W, D) of `_planes` x.

  w: (D, len(offsets)). Vectors run on from the end of a row into the next one;
  what they compute for the padding between the two is dropped.
  """
  frames, rows, columns = sizes
  wide, taps = padded[2], len(offsets)
  vectors = (rows * wide + LANES - 1) // LANES
  plane = np.empty(vectors * LANES, np.float32)
  for t in range(frames):
    for d in range(filters):
      for v in range(0, vectors, TILE):
        start, count = v * LANES, min(TILE, vectors - v)
        at = t * padded[1] * wide + start
        plane_tiles.slide(
          x, at, offsets, w, d * taps, taps, plane, start, count
        )
      for h in range(rows):
        to = (t * rows + h) * columns * filters + d
        _lay(plane, h * wide, 1, y, to, filters, columns)


@compiled.inlined
def _add_planes_gradient(x, g, offsets, sizes, padded, filters, into):
  """Adds to the gradient (D, len(offsets), LANES) of w in `_convolve_planes`.

  g: (T, H, W, D). The gradient is the sum over the lanes (`_unpack_kernel`).
  """
  frames, rows, columns = sizes
  wide, taps = padded[2], len(offsets)
  vectors = (rows * wide + LANES - 1) // LANES
  # Zeros between the rows, so that the padding there adds nothing.
  plane = np.zeros(vectors * LANES, np.float32)
  for t in range(frames):
    for d in range(filters):
      for h in range(rows):
        source = (t * rows + h) * columns * filters + d
        _lay(g, source, filters, plane, h * wide, 1, columns)
      for v in range(0, vectors, TILE):
        start, count = v * LANES, min(TILE, vectors - v)
        at, to = t * padded[1] * wide + start, d * taps * LANES
        plane_tiles.slide_gradient(
          x, at, offsets, plane, start, taps, into, to, count
        )


@compiled.kernel
def _any(numbers):
  """Whether any is not 0."""
  for i in range(len(numbers)):
    if numbers[i] != 0:
      return True
  return False


@compiled.kernel
def _by_filter(w, taps, channels, filters, flipped):
  """The kernel (taps, C, D) as `_convolve_planes` reads it, (D, C, taps).

  Flipped: as the gradient of its input is convolved, (C, D, taps).
  """
  compiled.for_size()
  out = np.empty(taps * channels * filters, np.float32)
  for t in range(taps):
    for c in range(channels):
      for d in range(filters):
        value = w[(t * channels + c) * filters + d]
        if flipped:
          out[(c * filters + d) * taps + taps - 1 - t] = value
        else:
          out[(d * channels + c) * taps + t] = value
  return out


@compiled.inlined
def _unpack_kernel(into, taps, channels, filters, out):
  """The sums of the lanes, in the kernel's order (taps, C, D)."""
  for t in range(taps):
    for c in range(channels):
      for d in range(filters):
        total = np.float32(0)
        at = ((d * channels + c) * taps + t) * LANES
        for lane in range(LANES):
          total += into[at + lane]
        out[(t * channels + c) * filters + d] = total


@compiled.kernel
def _zeros(kernel):
  """SAME padding before each axis: of the maps, and of their gradient."""
  kt, kh, kw = kernel
  before = (kt - 1) // 2, (kh - 1) // 2, (kw - 1) // 2
  return before, (kt // 2, kh // 2, kw // 2)


@compiled.handler
def _convolve_few(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  x, w = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  y, sizes = arrays.floats(frame, 2, n), (n[1], n[2], n[3])
  channels, kernel, filters = n[4], (n[5], n[6], n[7]), n[8]
  padded, taps = _padded_sizes(sizes, kernel), n[5] * n[6] * n[7]
  offsets = _plane_offsets(channels, kernel, padded)
  before, _ = _zeros(kernel)
  for p in range(arrays.parts(y)):
    weights = _by_filter(arrays.part(w, p, y), taps, channels, filters, False)
    for b in range(n[0]):
      seen = _planes(arrays.clip(x, p, y, b), channels, sizes, before, padded)
      to = arrays.clip(y, p, y, b)
      _convolve_planes(seen, weights, offsets, sizes, padded, filters, to)
  return 0


@compiled.handler
def _convolve_few_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _GRADIENT)
  if answer != call_frame.WORK:
    return answer
  x, w = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  g, to_x = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n)
  to_w, sizes = arrays.floats(frame, 4, n), (n[1], n[2], n[3])
  channels, kernel, filters = n[4], (n[5], n[6], n[7]), n[8]
  padded, taps = _padded_sizes(sizes, kernel), n[5] * n[6] * n[7]
  offsets = _plane_offsets(channels, kernel, padded)
  back = _plane_offsets(filters, kernel, padded)
  before, behind = _zeros(kernel)
  for p in range(arrays.parts(to_w)):
    # The gradient of the input is a convolution of g by the kernel turned about
    # all its axes, padded before as the input is padded behind.
    weights = _by_filter(arrays.part(w, p, to_w), taps, channels, filters, True)
    # A vector for each tap: lanes are summed once at the end, not for every
    # clip.
    into = np.zeros(filters * len(offsets) * LANES, np.float32)
    for b in range(n[0]):
      down = arrays.clip(g, p, to_w, b)
      if not _any(down):  # the fold holds the clip out
        memory.fill(arrays.clip(to_x, p, to_w, b), 0)
        continue
      seen = arrays.clip(x, p, to_w, b)
      seen = _planes(seen, channels, sizes, before, padded)
      _add_planes_gradient(seen, down, offsets, sizes, padded, filters, into)
      seen = _planes(down, filters, sizes, behind, padded)
      to = arrays.clip(to_x, p, to_w, b)
      _convolve_planes(seen, weights, back, sizes, padded, channels, to)
    to = arrays.part(to_w, p, to_w)
    _unpack_kernel(into, taps, channels, filters, to)
  return 0


HANDLERS = {
  'convolve_few': _convolve_few,
  'convolve_few_gradient': _convolve_few_gradient,
}
