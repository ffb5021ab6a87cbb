"""Numba kernels as XLA calls: what XLA hands over, and who works on it.

XLA's foreign function interface calls a function with the address of a frame
(`xla/ffi/api/c_api.h`, XLA_FFI_CallFrame) in which everything has its place;
`_floats` and its like find the arrays in it. Each array may have further
axes in front, for `jax.vmap` adds one of size 1 or of its own size: `_of`
tells which part of an operand belongs to a part of the result, and `_slice`
gives it.
"""

from typing import NamedTuple

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


class _Array(NamedTuple):
  """The numbers of an array in a row, and its sizes."""

  values: np.ndarray
  shape: np.ndarray


@njit(**_how)
def _floats(frame, side, number):
  """A float32 array."""
  shape = _shape(frame, side, number)
  address = _pointer(_address(frame, side, number))
  return _Array(carray(address, _count(shape), np.float32), shape)


@njit(**_how)
def _integers(frame, side, number):
  """An int32 array."""
  shape = _shape(frame, side, number)
  address = _pointer(_address(frame, side, number))
  return _Array(carray(address, _count(shape), np.int32), shape)


@njit(**_how)
def _bytes(frame, side, number):
  """A uint8 array."""
  shape = _shape(frame, side, number)
  address = _pointer(_address(frame, side, number))
  return _Array(carray(address, _count(shape), np.uint8), shape)


@njit(**_how)
def _of(part, result, operand, rank):
  """Which part of an operand goes with a part of the result.

  `part` counts the axes in front of the last `rank` of the result.
  """
  front = len(result.shape) - rank
  at, step = 0, 1
  for axis in range(front - 1, -1, -1):
    size = result.shape[axis]
    index = part % size
    part //= size
    if operand.shape[axis] > 1:
      at += index * step
    step *= operand.shape[axis]
  return at


@njit(**_how)
def _three(values, at):
  return (
    np.int64(values[at]),
    np.int64(values[at + 1]),
    np.int64(values[at + 2]),
  )


@njit(**_how)
def _sizes(array, behind):
  """Frames, rows and columns, the first of which is so far from the end."""
  return _three(array.shape, len(array.shape) - behind)


@njit(**_how)
def _window(array):
  """Frames, rows and columns, as a call was given them."""
  return _three(array.values, 0)


@njit(**_how)
def _half(sizes):
  return (sizes[0] // 2, sizes[1] // 2, sizes[2] // 2)


@njit(**_how)
def _slice(operand, part, result, rank, clip):
  """What belongs to a part of the result, of clip number `clip`.

  The operand's own axes are as many as the result's `rank` tells, the first
  of them the clips; a clip below 0 means an operand without clips.
  """
  front = len(result.shape) - rank
  part = _of(part, result, operand, rank)
  if clip >= 0:
    part, front = part * operand.shape[front] + clip, front + 1
  size = _count(operand.shape[front:])
  return operand.values[part * size : (part + 1) * size]


@njit(**_how)
def _put(values, factor, to, count):
  for i in range(count):
    to[i] = values[i] * factor


@njit(**_how)
def _parts(array, rank):
  """The number of parts: of the axes in front of the last `rank`."""
  return _count(array.shape[: len(array.shape) - rank])


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
  window = _window(_integers(frame, _IN, 2))
  y, choice = _floats(frame, _OUT, 0), _integers(frame, _OUT, 1)
  sizes, kernel = _sizes(x, 3), _sizes(w, 4)
  filters, parts = w.shape[-1], _parts(y, 5)
  taps = _count(kernel)
  weights = [
    kernels.packed(_slice(w, p, y, 5, -1), taps, filters) for p in range(parts)
  ]
  for b in range(y.shape[-5]):
    for p in range(parts):
      kernels.convolve_pool(
        _slice(x, p, y, 5, b),
        weights[p],
        sizes,
        kernel,
        window,
        filters,
        _slice(y, p, y, 5, b),
        _slice(choice, p, y, 5, b),
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
  window = _window(_integers(frame, _IN, 3))
  sizes, kernel = _sizes(x, 3), _sizes(out, 4)
  filters, parts = out.shape[-1], _parts(out, 4)
  windows = kernels.windows_of(*kernel, sizes[0], sizes[2])
  into = np.zeros((parts, filters * len(windows) * tiles.LANES), np.float32)
  turned = np.empty(0, np.float32)
  for b in range(x.shape[-4]):
    for p in range(parts):
      if p == 0 or _of(p, out, x, 4) != _of(p - 1, out, x, 4):
        turned = kernels.frames_last(_slice(x, p, out, 4, b), *sizes)
      kernels.add_pool_gradient(
        turned,
        _slice(g, p, out, 4, b),
        _slice(choice, p, out, 4, b),
        sizes,
        kernel,
        window,
        filters,
        windows,
        into[p],
      )
  for p in range(parts):
    to = _slice(out, p, out, 4, -1)
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
  sizes, kernel = _sizes(x, 3), _sizes(w, 4)
  filters, parts = w.shape[-1], _parts(y, 5)
  width = kernels.filled(filters)
  taps = _count(kernel)
  places = y.shape[-4] * y.shape[-3] * y.shape[-2]
  totals, peaks = np.empty(width, np.float32), np.empty(width, np.float32)
  found = np.empty(width, np.int32)
  weights = [
    kernels.packed(_slice(w, p, y, 5, -1), taps, filters) for p in range(parts)
  ]
  shifts = np.zeros((parts, width), np.float32)
  for p in range(parts):
    _put(_slice(bias, p, y, 5, -1), 1.0, shifts[p], filters)
  for b in range(x.shape[-4]):
    for p in range(parts):
      kernels.convolve_relu(
        _slice(x, p, y, 5, b),
        weights[p],
        shifts[p],
        sizes,
        kernel,
        filters,
        _slice(y, p, y, 5, b),
        _slice(bits, p, y, 5, b),
        totals,
        peaks,
        found,
        _slice(map_mean, p, y, 5, b),
        _slice(map_peak, p, y, 5, b),
        _slice(map_first, p, y, 5, b),
      )
      _put(totals, 1 / places, _slice(mean, p, y, 5, b), filters)
      _put(peaks, 1.0, _slice(peak, p, y, 5, b), filters)
      _put(found, 1, _slice(place, p, y, 5, b), filters)
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
  sizes, kernel = _sizes(x, 3), _sizes(out, 4)
  filters, parts = out.shape[-1], _parts(out, 4)
  width = kernels.filled(filters)
  taps = _count(kernel)
  places = g.shape[-4] * g.shape[-3] * g.shape[-2]
  into = np.zeros((parts, taps * width), np.float32)
  into_bias = np.zeros((parts, width), np.float32)
  own, turned = np.zeros(width, np.float32), np.empty(0, np.float32)
  for b in range(x.shape[-4]):
    for p in range(parts):
      if p == 0 or _of(p, out, x, 4) != _of(p - 1, out, x, 4):
        turned = kernels.frames_last(_slice(x, p, out, 4, b), *sizes)
      _put(_slice(to_mean, p, out, 4, b), 1 / places, own, filters)
      kernels.add_relu_gradient(
        turned,
        _slice(g, p, out, 4, b),
        _slice(bits, p, out, 4, b),
        own,
        _slice(to_peak, p, out, 4, b),
        _slice(place, p, out, 4, b),
        _slice(to_map_mean, p, out, 4, b),
        _slice(to_map_peak, p, out, 4, b),
        _slice(first, p, out, 4, b),
        sizes,
        kernel,
        filters,
        into[p],
        into_bias[p],
      )
  for p in range(parts):
    to = _slice(out, p, out, 4, -1)
    kernels.unpacked_taps(into[p], kernel, filters, to)
    _put(into_bias[p], 1.0, _slice(out_bias, p, out, 4, -1), filters)
  return 0


@_call
def _pool_weighed(address):
  """y (B, T, H, W, D), weight (B, T, H, W), window: see `kernels`."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  y, weight = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  window = _window(_integers(frame, _IN, 2))
  plain, choice = _floats(frame, _OUT, 0), _integers(frame, _OUT, 1)
  weighed, weighed_choice = _floats(frame, _OUT, 2), _integers(frame, _OUT, 3)
  value = _floats(frame, _OUT, 4)
  for b in range(plain.shape[-5]):
    for p in range(_parts(plain, 5)):
      kernels.pool_weighed(
        _slice(y, p, plain, 5, b),
        _slice(weight, p, plain, 5, b),
        _sizes(y, 4),
        window,
        y.shape[-1],
        _slice(plain, p, plain, 5, b),
        _slice(choice, p, plain, 5, b),
        _slice(weighed, p, plain, 5, b),
        _slice(weighed_choice, p, plain, 5, b),
        _slice(value, p, plain, 5, b),
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
  window = _window(_integers(frame, _IN, 6))
  to_y, to_weight = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  for b in range(to_y.shape[-5]):
    for p in range(_parts(to_y, 5)):
      kernels.pool_weighed_gradient(
        _slice(g, p, to_y, 5, b),
        _slice(choice, p, to_y, 5, b),
        _slice(g_weighed, p, to_y, 5, b),
        _slice(weighed_choice, p, to_y, 5, b),
        _slice(value, p, to_y, 5, b),
        _slice(weight, p, to_y, 5, b),
        _sizes(to_y, 4),
        window,
        to_y.shape[-1],
        _slice(to_y, p, to_y, 5, b),
        _slice(to_weight, p, to_y, 5, b),
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
  sizes, kernel = _sizes(x, 4), _sizes(w, 5)
  channels, filters, parts = w.shape[-2], w.shape[-1], _parts(y, 5)
  taps = _count(kernel)
  before = _half((kernel[0] - 1, kernel[1] - 1, kernel[2] - 1))
  padded = kernels.around(sizes, kernel)
  offsets = kernels.plane_offsets(channels, kernel, padded)
  for p in range(parts):
    own = _slice(w, p, y, 5, -1)
    own = kernels.by_filter(own, taps, channels, filters, False)
    for b in range(y.shape[-5]):
      seen = _slice(x, p, y, 5, b)
      seen = kernels.planes(seen, channels, sizes, before, padded)
      to = _slice(y, p, y, 5, b)
      kernels.convolve_planes(seen, own, offsets, sizes, padded, filters, to)
  return 0


@_call
def _convolve_few_gradient(address):
  """The gradients of x and w, of x, w and the gradient of y."""
  frame = carray(address, 21, np.int64)
  if not _at_work(frame):
    return 0
  x, w = _floats(frame, _IN, 0), _floats(frame, _IN, 1)
  g = _floats(frame, _IN, 2)
  to_x, to_w = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  sizes, kernel = _sizes(x, 4), _sizes(w, 5)
  channels, filters, parts = w.shape[-2], w.shape[-1], _parts(to_w, 5)
  taps = _count(kernel)
  before = _half((kernel[0] - 1, kernel[1] - 1, kernel[2] - 1))
  behind = _half(kernel)
  padded = kernels.around(sizes, kernel)
  offsets = kernels.plane_offsets(channels, kernel, padded)
  back = kernels.plane_offsets(filters, kernel, padded)
  for p in range(parts):
    own = _slice(w, p, to_w, 5, -1)
    own = kernels.by_filter(own, taps, channels, filters, True)
    into = np.zeros(filters * len(offsets) * tiles.LANES, np.float32)
    for b in range(x.shape[-5]):
      down = _slice(g, p, to_w, 5, b)
      seen = _slice(x, p, to_w, 5, b)
      seen = kernels.planes(seen, channels, sizes, before, padded)
      kernels.add_planes_gradient(
        seen, down, offsets, sizes, padded, filters, into
      )
      seen = kernels.planes(down, filters, sizes, behind, padded)
      to = _slice(to_x, p, to_w, 5, b)
      kernels.convolve_planes(seen, own, back, sizes, padded, channels, to)
    to = _slice(to_w, p, to_w, 5, -1)
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
  batch, deep, wide = x.shape[-2], x.shape[-1], w.shape[-1]
  for p in range(_parts(y, 2)):
    own = _slice(w, p, y, 2, -1)
    seen, to = _slice(x, p, y, 2, -1), _slice(y, p, y, 2, -1)
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
  batch, deep, wide = x.shape[-2], x.shape[-1], w.shape[-1]
  two = 2 * tiles.LANES
  full = (batch + two - 1) // two * two
  turned = np.empty(deep * full, np.float32)
  for p in range(_parts(to_w, 2)):
    own = _slice(w, p, to_w, 2, -1)
    seen = _slice(x, p, to_w, 2, -1)
    down = _slice(g, p, to_w, 2, -1)
    # Few columns: clips. The kernel is read as it lies.
    kernels.product(
      own, wide, 1, down, wide, True, deep, wide, batch, turned, full
    )
    kernels.turn(turned, deep, full, batch, _slice(to_x, p, to_w, 2, -1))
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
      _slice(to_w, p, to_w, 2, -1),
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
  for i in range(3):
    old, new = _floats(frame, _IN, i), _floats(frame, _OUT, i)
    if _address(frame, _IN, i) != _address(frame, _OUT, i):
      kernels.copied(old.values, new.values)
  p, m = _floats(frame, _OUT, 0), _floats(frame, _OUT, 1)
  v = _floats(frame, _OUT, 2)
  rank = len(p.shape) - len(numbers.shape) + 1
  for part in range(_parts(p, rank)):
    kernels.adam(
      _slice(p, part, p, rank, -1),
      _slice(m, part, p, rank, -1),
      _slice(v, part, p, rank, -1),
      _slice(g, part, p, rank, -1),
      _slice(numbers, part, p, rank, -1),
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
