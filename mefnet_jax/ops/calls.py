"""Numba kernels as XLA calls: what XLA hands over, and who works on it.

XLA's foreign function interface calls a function with the address of a frame
(`xla/ffi/api/c_api.h`, XLA_FFI_CallFrame) in which everything has its place;
`_floats` and its like find the arrays in it. Each array may have further
axes in front, for `jax.vmap` adds one of size 1 or of its own size: `_of`
tells which part of an operand belongs to a part of the result.
"""

import jax
import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from mefnet_jax.ops import kernels, tiles

PREFIX = 'mefnet_jax.'
_how = dict(nogil=True, cache=tiles.KEPT, error_model='numpy')

# Places in the frame, in words of 8 bytes.
_EXTENSION, _API, _STAGE, _IN, _OUT = 1, 2, 4, 9, 14
_EXECUTE = 3
# In the extension that asks for the version; in XLA's own description.
_METADATA, _VERSION, _API_VERSION = 3, 3, 4


@intrinsic
def _pointer(context, address):
  """A number as an address."""

  def generate(context, builder, signature, args):
    return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

  return types.voidptr(types.int64), generate


@njit(**_how)
def _words(address, count):
  return carray(_pointer(address), count, np.int64)


@njit(**_how)
def _shape(frame, side, number):
  """The sizes of an array."""
  buffer = _words(_words(frame[side], number + 1)[number], 6)
  return _words(buffer[5], buffer[4])


@njit(**_how)
def _address(frame, side, number):
  return _words(_words(frame[side], number + 1)[number], 6)[3]


@njit(**_how)
def _count(shape):
  total = 1
  for n in shape:
    total *= n
  return total


@njit(**_how)
def _floats(frame, side, number):
  """A flat float32 array."""
  size = _count(_shape(frame, side, number))
  return carray(_pointer(_address(frame, side, number)), size, np.float32)


@njit(**_how)
def _integers(frame, side, number):
  """A flat int32 array."""
  size = _count(_shape(frame, side, number))
  return carray(_pointer(_address(frame, side, number)), size, np.int32)


@njit(**_how)
def _bytes(frame, side, number):
  """A flat uint8 array."""
  size = _count(_shape(frame, side, number))
  return carray(_pointer(_address(frame, side, number)), size, np.uint8)


@njit(**_how)
def _of(part, result, shape, rank):
  """Which part of an operand goes with a part of the result.

  `part` counts the axes in front of the last `rank` of the result.
  """
  front = len(result) - rank
  at, step = 0, 1
  for axis in range(front - 1, -1, -1):
    size = result[axis]
    index = part % size
    part //= size
    if shape[axis] > 1:
      at += index * step
    step *= shape[axis]
  return at


@njit(**_how)
def _three(values, at):
  return (
    np.int64(values[at]),
    np.int64(values[at + 1]),
    np.int64(values[at + 2]),
  )


@njit(**_how)
def _slice(array, part, of_result, shape, rank, clip):
  """What belongs to a part of the result, of clip number `clip`.

  The operand's own axes are as many as the result's `rank` tells, the first
  of them the clips; a clip below 0 means an operand without clips.
  """
  front = len(of_result) - rank
  part = _of(part, of_result, shape, rank)
  if clip >= 0:
    part, front = part * shape[front] + clip, front + 1
  size = _count(shape[front:])
  return array[part * size : (part + 1) * size]


@njit(**_how)
def _put(values, factor, to, count):
  for i in range(count):
    to[i] = values[i] * factor


@njit(**_how)
def _parts(shape, rank):
  """The number of parts: of the axes in front of the last `rank`."""
  return _count(shape[: len(shape) - rank])


@njit(**_how)
def _at_work(frame):
  """Whether to compute; else XLA has asked which version it speaks with."""
  if frame[_EXTENSION] != 0:
    metadata = _words(_words(frame[_EXTENSION], 4)[_METADATA], 4)
    metadata[_VERSION] = _words(frame[_API], 5)[_API_VERSION]
    return False
  return frame[_STAGE] & 0xFFFFFFFF == _EXECUTE


_call = cfunc(types.int64(types.voidptr), cache=tiles.KEPT)


@_call
def _convolve_pool(address):
  """x (B, T, H, W), w (kt, kh, kw, D), window: y and choice (B, t, h, w, D)."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  window = _three(_integers(frame, _IN, 2), 0)
  y, choice = _floats(frame, _OUT, 0), _integers(frame, _OUT, 1)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_y = _shape(frame, _OUT, 0)
  sizes, kernel = _three(of_x, len(of_x) - 3), _three(of_w, len(of_w) - 4)
  filters, parts = of_w[-1], _parts(of_y, 5)
  taps = kernel[0] * kernel[1] * kernel[2]
  weights = [
    kernels.packed(_slice(w, p, of_y, of_w, 5, -1), taps, filters)
    for p in range(parts)
  ]
  for b in range(of_y[-5]):
    for p in range(parts):
      kernels.convolve_pool(
        _slice(x, p, of_y, of_x, 5, b),
        weights[p],
        sizes,
        kernel,
        window,
        filters,
        _slice(y, p, of_y, of_y, 5, b),
        _slice(choice, p, of_y, of_y, 5, b),
      )
  return 0


@_call
def _convolve_pool_gradient(address):
  """x, choice, g (B, t, h, w, D), window: the gradient (kt, kh, kw, D)."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, choice = _floats(frame, _IN, 0), _integers(frame, _IN, 1)
  g, out = _floats(frame, _IN, 2), _floats(frame, _OUT, 0)
  window = _three(_integers(frame, _IN, 3), 0)
  of_x, of_choice = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_g, of_w = _shape(frame, _IN, 2), _shape(frame, _OUT, 0)
  sizes, kernel = _three(of_x, len(of_x) - 3), _three(of_w, len(of_w) - 4)
  filters, parts = of_w[-1], _parts(of_w, 4)
  windows = kernels.windows_of(*kernel, sizes[0], sizes[2])
  into = np.zeros((parts, filters * len(windows) * tiles.LANES), np.float32)
  turned = np.empty(0, np.float32)
  for b in range(of_x[-4]):
    for p in range(parts):
      if p == 0 or _of(p, of_w, of_x, 4) != _of(p - 1, of_w, of_x, 4):
        turned = kernels.frames_last(_slice(x, p, of_w, of_x, 4, b), *sizes)
      kernels.add_pool_gradient(
        turned,
        _slice(g, p, of_w, of_g, 4, b),
        _slice(choice, p, of_w, of_choice, 4, b),
        sizes,
        kernel,
        window,
        filters,
        windows,
        into[p],
      )
  for p in range(parts):
    to = _slice(out, p, of_w, of_w, 4, -1)
    kernels.unpacked_windows(into[p], kernel, filters, to)
  return 0


@_call
def _convolve_relu(address):
  """x (B, T, H, W), w (kt, kh, kw, D), bias (D,): see `native.Maps`."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  bias = _floats(frame, _IN, 2)
  y, bits = _floats(frame, _OUT, 0), _bytes(frame, _OUT, 1)
  mean, peak = _floats(frame, _OUT, 2), _floats(frame, _OUT, 3)
  place = _integers(frame, _OUT, 4)
  map_mean, map_peak = _floats(frame, _OUT, 5), _floats(frame, _OUT, 6)
  map_first = _integers(frame, _OUT, 7)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_bias, of_y = _shape(frame, _IN, 2), _shape(frame, _OUT, 0)
  of_bits, of_mean = _shape(frame, _OUT, 1), _shape(frame, _OUT, 2)
  of_map = _shape(frame, _OUT, 5)
  sizes, kernel = _three(of_x, len(of_x) - 3), _three(of_w, len(of_w) - 4)
  filters, parts = of_w[-1], _parts(of_y, 5)
  width = kernels.filled(filters)
  taps = kernel[0] * kernel[1] * kernel[2]
  places = of_y[-4] * of_y[-3] * of_y[-2]
  totals, peaks = np.empty(width, np.float32), np.empty(width, np.float32)
  found = np.empty(width, np.int32)
  weights = [
    kernels.packed(_slice(w, p, of_y, of_w, 5, -1), taps, filters)
    for p in range(parts)
  ]
  shifts = np.zeros((parts, width), np.float32)
  for p in range(parts):
    _put(_slice(bias, p, of_y, of_bias, 5, -1), 1.0, shifts[p], filters)
  for b in range(of_x[-4]):
    for p in range(parts):
      kernels.convolve_relu(
        _slice(x, p, of_y, of_x, 5, b),
        weights[p],
        shifts[p],
        sizes,
        kernel,
        filters,
        _slice(y, p, of_y, of_y, 5, b),
        _slice(bits, p, of_y, of_bits, 5, b),
        totals,
        peaks,
        found,
        _slice(map_mean, p, of_y, of_map, 5, b),
        _slice(map_peak, p, of_y, of_map, 5, b),
        _slice(map_first, p, of_y, of_map, 5, b),
      )
      _put(totals, 1 / places, _slice(mean, p, of_y, of_mean, 5, b), filters)
      _put(peaks, 1.0, _slice(peak, p, of_y, of_mean, 5, b), filters)
      _put(found, 1, _slice(place, p, of_y, of_mean, 5, b), filters)
  return 0


@_call
def _convolve_relu_gradient(address):
  """Gradients of w and bias.

  Of x, bits, place, map_first, and the gradients of y, mean, peak, map_mean
  and map_peak.
  """
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, bits = _floats(frame, _IN, 0), _bytes(frame, _IN, 1)
  place, first = _integers(frame, _IN, 2), _integers(frame, _IN, 3)
  g, to_mean = _floats(frame, _IN, 4), _floats(frame, _IN, 5)
  to_peak, to_map_mean = _floats(frame, _IN, 6), _floats(frame, _IN, 7)
  to_map_peak = _floats(frame, _IN, 8)
  out, out_bias = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  of_x, of_bits = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_place, of_first = _shape(frame, _IN, 2), _shape(frame, _IN, 3)
  of_g, of_mean = _shape(frame, _IN, 4), _shape(frame, _IN, 5)
  of_peak, of_map_mean = _shape(frame, _IN, 6), _shape(frame, _IN, 7)
  of_map_peak, of_w = _shape(frame, _IN, 8), _shape(frame, _OUT, 0)
  of_bias = _shape(frame, _OUT, 1)
  sizes, kernel = _three(of_x, len(of_x) - 3), _three(of_w, len(of_w) - 4)
  filters, parts = of_w[-1], _parts(of_w, 4)
  width = kernels.filled(filters)
  taps = kernel[0] * kernel[1] * kernel[2]
  places = of_g[-4] * of_g[-3] * of_g[-2]
  into = np.zeros((parts, taps * width), np.float32)
  into_bias = np.zeros((parts, width), np.float32)
  own, turned = np.zeros(width, np.float32), np.empty(0, np.float32)
  for b in range(of_x[-4]):
    for p in range(parts):
      if p == 0 or _of(p, of_w, of_x, 4) != _of(p - 1, of_w, of_x, 4):
        turned = kernels.frames_last(_slice(x, p, of_w, of_x, 4, b), *sizes)
      _put(_slice(to_mean, p, of_w, of_mean, 4, b), 1 / places, own, filters)
      kernels.add_relu_gradient(
        turned,
        _slice(g, p, of_w, of_g, 4, b),
        _slice(bits, p, of_w, of_bits, 4, b),
        own,
        _slice(to_peak, p, of_w, of_peak, 4, b),
        _slice(place, p, of_w, of_place, 4, b),
        _slice(to_map_mean, p, of_w, of_map_mean, 4, b),
        _slice(to_map_peak, p, of_w, of_map_peak, 4, b),
        _slice(first, p, of_w, of_first, 4, b),
        sizes,
        kernel,
        filters,
        into[p],
        into_bias[p],
      )
  for p in range(parts):
    to = _slice(out, p, of_w, of_w, 4, -1)
    kernels.unpacked_taps(into[p], kernel, filters, to)
    _put(into_bias[p], 1.0, _slice(out_bias, p, of_w, of_bias, 4, -1), filters)
  return 0


@_call
def _pool_weighed(address):
  """y (B, T, H, W, D), weight (B, T, H, W), window: see `kernels`."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  y, weight = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  window = _three(_integers(frame, _IN, 2), 0)
  plain, choice = _floats(frame, _OUT, 0), _integers(frame, _OUT, 1)
  weighed, weighed_choice = _floats(frame, _OUT, 2), _integers(frame, _OUT, 3)
  value = _floats(frame, _OUT, 4)
  of_y, of_weight = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of = _shape(frame, _OUT, 0)
  for b in range(of[-5]):
    for p in range(_parts(of, 5)):
      kernels.pool_weighed(
        _slice(y, p, of, of_y, 5, b),
        _slice(weight, p, of, of_weight, 5, b),
        _three(of_y, len(of_y) - 4),
        window,
        of_y[-1],
        _slice(plain, p, of, of, 5, b),
        _slice(choice, p, of, of, 5, b),
        _slice(weighed, p, of, of, 5, b),
        _slice(weighed_choice, p, of, of, 5, b),
        _slice(value, p, of, of, 5, b),
      )
  return 0


@_call
def _pool_weighed_gradient(address):
  """Gradients (B, T, H, W, D) of the maps and (B, T, H, W) of the weight.

  Of weight, the gradient and the choice of what was pooled, those of what was
  pooled weighed, its value, and the window.
  """
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  weight, g = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  choice, g_weighed = _integers(frame, _IN, 2), _floats(frame, _IN, 3)
  weighed_choice, value = _integers(frame, _IN, 4), _floats(frame, _IN, 5)
  window = _three(_integers(frame, _IN, 6), 0)
  to_y, to_weight = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  of_weight, of_g = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_choice, of_g_weighed = _shape(frame, _IN, 2), _shape(frame, _IN, 3)
  of_weighed, of_value = _shape(frame, _IN, 4), _shape(frame, _IN, 5)
  of, of_to_weight = _shape(frame, _OUT, 0), _shape(frame, _OUT, 1)
  for b in range(of[-5]):
    for p in range(_parts(of, 5)):
      kernels.pool_weighed_gradient(
        _slice(g, p, of, of_g, 5, b),
        _slice(choice, p, of, of_choice, 5, b),
        _slice(g_weighed, p, of, of_g_weighed, 5, b),
        _slice(weighed_choice, p, of, of_weighed, 5, b),
        _slice(value, p, of, of_value, 5, b),
        _slice(weight, p, of, of_weight, 5, b),
        _three(of, len(of) - 4),
        window,
        of[-1],
        _slice(to_y, p, of, of, 5, b),
        _slice(to_weight, p, of, of_to_weight, 5, b),
      )
  return 0


@_call
def _convolve_few(address):
  """x (B, T, H, W, C), w (kt, kh, kw, C, D), SAME: y (B, T, H, W, D)."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  y = _floats(frame, _OUT, 0)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_y = _shape(frame, _OUT, 0)
  sizes, kernel = _three(of_x, len(of_x) - 4), _three(of_w, len(of_w) - 5)
  channels, filters, parts = of_w[-2], of_w[-1], _parts(of_y, 5)
  taps = kernel[0] * kernel[1] * kernel[2]
  before = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, (kernel[2] - 1) // 2)
  padded = kernels.around(sizes, kernel)
  offsets = kernels.plane_offsets(channels, kernel, padded)
  for p in range(parts):
    own = _slice(w, p, of_y, of_w, 5, -1)
    own = kernels.by_filter(own, taps, channels, filters, False)
    for b in range(of_y[-5]):
      seen = _slice(x, p, of_y, of_x, 5, b)
      seen = kernels.planes(seen, channels, sizes, before, padded)
      to = _slice(y, p, of_y, of_y, 5, b)
      kernels.convolve_planes(seen, own, offsets, sizes, padded, filters, to)
  return 0


@_call
def _convolve_few_gradient(address):
  """The gradients of x and w, of x, w and the gradient of y."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w, g = (
    _floats(frame, _IN, 0),
    _floats(frame, _IN, 1),
    _floats(frame, _IN, 2),
  )
  to_x, to_w = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_g, of_to_x = _shape(frame, _IN, 2), _shape(frame, _OUT, 0)
  of_to_w = _shape(frame, _OUT, 1)
  sizes, kernel = _three(of_x, len(of_x) - 4), _three(of_w, len(of_w) - 5)
  channels, filters, parts = of_w[-2], of_w[-1], _parts(of_to_w, 5)
  taps = kernel[0] * kernel[1] * kernel[2]
  before = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, (kernel[2] - 1) // 2)
  behind = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
  padded = kernels.around(sizes, kernel)
  offsets = kernels.plane_offsets(channels, kernel, padded)
  back = kernels.plane_offsets(filters, kernel, padded)
  for p in range(parts):
    own = _slice(w, p, of_to_w, of_w, 5, -1)
    own = kernels.by_filter(own, taps, channels, filters, True)
    into = np.zeros(filters * len(offsets) * tiles.LANES, np.float32)
    for b in range(of_x[-5]):
      down = _slice(g, p, of_to_w, of_g, 5, b)
      seen = _slice(x, p, of_to_w, of_x, 5, b)
      seen = kernels.planes(seen, channels, sizes, before, padded)
      kernels.add_planes_gradient(
        seen, down, offsets, sizes, padded, filters, into
      )
      seen = kernels.planes(down, filters, sizes, behind, padded)
      to = _slice(to_x, p, of_to_w, of_to_x, 5, b)
      kernels.convolve_planes(seen, own, back, sizes, padded, channels, to)
    to = _slice(to_w, p, of_to_w, of_to_w, 5, -1)
    kernels.unpacked_planes(into, taps, channels, filters, to)
  return 0


@_call
def _dense(address):
  """x (B, K), w (K, N): y (B, N); N is whole pairs of vectors."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  y = _floats(frame, _OUT, 0)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_y = _shape(frame, _OUT, 0)
  batch, deep, wide = of_x[-2], of_x[-1], of_w[-1]
  for p in range(_parts(of_y, 2)):
    own = _slice(w, p, of_y, of_w, 2, -1)
    seen, to = _slice(x, p, of_y, of_x, 2, -1), _slice(y, p, of_y, of_y, 2, -1)
    kernels.product(
      seen, deep, 1, own, wide, False, batch, deep, wide, to, wide
    )
  return 0


@_call
def _dense_gradient(address):
  """x (B, K), w (K, N) and the gradient of y: the gradients of x and w."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  g = _floats(frame, _IN, 2)
  to_x, to_w = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  of_x, of_w = _shape(frame, _IN, 0), _shape(frame, _IN, 1)
  of_g, of_to_x = _shape(frame, _IN, 2), _shape(frame, _OUT, 0)
  of_to_w = _shape(frame, _OUT, 1)
  batch, deep, wide = of_x[-2], of_x[-1], of_w[-1]
  two = 2 * tiles.LANES
  full = (batch + two - 1) // two * two
  turned = np.empty(deep * full, np.float32)
  for p in range(_parts(of_to_w, 2)):
    own = _slice(w, p, of_to_w, of_w, 2, -1)
    seen = _slice(x, p, of_to_w, of_x, 2, -1)
    down = _slice(g, p, of_to_w, of_g, 2, -1)
    # Few columns: clips. The kernel is read as it lies.
    kernels.product(
      own, wide, 1, down, wide, True, deep, wide, batch, turned, full
    )
    kernels.turn(
      turned, deep, full, batch, _slice(to_x, p, of_to_w, of_to_x, 2, -1)
    )
    kernels.product(
      seen,
      1,
      deep,
      down,
      wide,
      False,
      deep,
      batch,
      wide,
      _slice(to_w, p, of_to_w, of_to_w, 2, -1),
      wide,
    )
  return 0


@_call
def _adam(address):
  """p, m, v and g of one shape, numbers (8,): the new p, m and v."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  g, numbers = _floats(frame, _IN, 3), _floats(frame, _IN, 4)
  of_g, of_numbers = _shape(frame, _IN, 3), _shape(frame, _IN, 4)
  of_p = _shape(frame, _OUT, 0)
  for i in range(3):
    if _address(frame, _IN, i) != _address(frame, _OUT, i):
      kernels.copied(_floats(frame, _IN, i), _floats(frame, _OUT, i))
  p, m, v = (
    _floats(frame, _OUT, 0),
    _floats(frame, _OUT, 1),
    _floats(frame, _OUT, 2),
  )
  rank = len(of_p) - len(of_numbers) + 1
  for part in range(_parts(of_p, rank)):
    kernels.adam(
      _slice(p, part, of_p, of_p, rank, -1),
      _slice(m, part, of_p, of_p, rank, -1),
      _slice(v, part, of_p, of_p, rank, -1),
      _slice(g, part, of_p, of_g, rank, -1),
      _slice(numbers, part, of_p, of_numbers, rank, -1),
    )
  return 0


_CALLS = (
  _adam,
  _dense,
  _dense_gradient,
  _convolve_few,
  _convolve_few_gradient,
  _convolve_pool,
  _convolve_pool_gradient,
  _convolve_relu,
  _convolve_relu_gradient,
  _pool_weighed,
  _pool_weighed_gradient,
)


def register():
  """Makes the kernels known to XLA, each by its name behind `PREFIX`."""
  for call in _CALLS:
    name = PREFIX + call.__name__.strip('_')
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(call.address), 'cpu')
