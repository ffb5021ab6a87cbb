"""The kernels of `convolve`, on rows of places whose channels lie innermost.

Axes: T frames, H rows, W columns, C channels of a clip, D filters; t, h, w the
same after the convolution. The gradient of a clip is a convolution too, of the
output's gradient by the kernel turned about all its axes. Zeros of SAME padding
lie around the rows and columns of a copy; frames of zeros are left out of the
sums instead.
"""

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  clips,
  compiled,
  memory,
  rows,
  signatures,
)

# `_padding` compares the sizes of the output, thw, with the others.
_FORWARD = signatures.signature('fbTHWC fijkCd fd f1 fb -> fbthwd')
_KERNEL = signatures.signature('fbTHWC fbthwd fbthwd f1 -> fijkCd fd')
_CLIP = signatures.signature('fbthwd fbthwd fijkCd f1 -> fbTHWC')


@compiled.inlined
def _turned(shape):
  """The shape of the convolution that the gradient of a clip is."""
  sizes, channels, kernel, filters, out = shape
  high, wide = sizes[1] + kernel[1] - 1, sizes[2] + kernel[2] - 1
  return (out[0], high, wide), filters, kernel, channels, sizes


@compiled.inlined
def _clip_gradient(y, g, floor, shape, before, w, block, room, padded, out):
  """The gradient of one clip; `padded` has room for g with zeros around it."""
  _, channels, kernel, filters, (deep, rows_, places) = shape
  turned = _turned(shape)
  _, high, wide = turned[0]
  up, left = kernel[1] - 1 - before[1], kernel[2] - 1 - before[2]
  size, some = places * filters, False
  for t in range(deep):
    for h in range(rows_):
      to = ((t * high + h + up) * wide + left) * filters
      at = (t * rows_ + h) * size
      some |= clips.mask(y, g, at, floor, padded[to : to + size])
  if not some:
    memory.fill(out, 0)
    return
  width = rows.padded_width(block * channels)
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  first = kernel[0] - 1 - before[0]
  clips.convolve_clip(padded, w, end, turned, first, block, room, out)


@compiled.kernel
def _padding(sizes, kernel, out):
  """Zeros before each axis; -1 if the sizes are of neither VALID nor SAME."""
  compiled.for_size()
  same = valid = True
  for axis in range(3):
    same &= out[axis] == sizes[axis]
    valid &= out[axis] == sizes[axis] - kernel[axis] + 1
  if valid:
    return 0, 0, 0
  if same:
    return (kernel[0] - 1) // 2, (kernel[1] - 1) // 2, (kernel[2] - 1) // 2
  return -1, -1, -1


@compiled.kernel
def _zeros(sizes, channels, padded):
  """Zeros for `_surrounded`, none where the clip is read as it is."""
  compiled.for_size()
  if sizes == padded:
    return np.zeros(0, np.float32)
  return np.zeros(padded[0] * padded[1] * padded[2] * channels, np.float32)


@compiled.kernel
def _surrounded(x, sizes, channels, before, padded, zeros):
  """A clip with its padding around rows and columns, in `zeros`."""
  if len(zeros) == 0:
    return x
  _, high, wide = padded
  size = sizes[2] * channels
  for t in range(sizes[0]):
    for h in range(sizes[1]):
      to = ((t * high + h + before[1]) * wide + before[2]) * channels
      at = (t * sizes[1] + h) * size
      source, copy = x[at : at + size], zeros[to : to + size]
      for i in range(size):
        copy[i] = source[i]
  return zeros


@compiled.handler
def _convolve(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  x, w = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  bias, floor = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n).values[0]
  used, y = arrays.floats(frame, 4, n), arrays.floats(frame, 5, n)
  sizes, channels, kernel = (n[1], n[2], n[3]), n[4], (n[5], n[6], n[7])
  filters, out = n[8], (n[9], n[10], n[11])
  before = _padding(sizes, kernel, out)
  if before[0] < 0:
    return call_frame.misfit(frame, 5)
  block = clips.block_of(kernel, filters, out[0])
  width = rows.padded_width(block * filters)
  padded = sizes[0], out[1] + kernel[1] - 1, out[2] + kernel[2] - 1
  shape = padded, channels, kernel, filters, out
  zeros, room = _zeros(sizes, channels, padded), clips.room_of(shape, block)
  for p in range(arrays.parts(y)):
    packed = clips.pack(arrays.part(w, p, y), kernel, channels, filters, block)
    shift, begin = arrays.part(bias, p, y), np.zeros(width, np.float32)
    for i in range(block * filters):
      begin[i] = shift[i % filters]
    for b in range(n[0]):
      if arrays.clip(used, p, y, b)[0] == 0:
        memory.fill(arrays.clip(y, p, y, b), 0)
        continue
      seen = arrays.clip(x, p, y, b)
      clips.convolve_clip(
        _surrounded(seen, sizes, channels, before, padded, zeros),
        packed,
        (begin, floor),
        shape,
        before[0],
        block,
        room,
        arrays.clip(y, p, y, b),
      )
  return 0


@compiled.handler
def _convolve_kernel_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _KERNEL)
  if answer != call_frame.WORK:
    return answer
  x, y = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  g, floor = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n).values[0]
  to, to_bias = arrays.floats(frame, 4, n), arrays.floats(frame, 5, n)
  sizes, channels, out = (n[1], n[2], n[3]), n[4], (n[5], n[6], n[7])
  filters, kernel = n[8], (n[9], n[10], n[11])
  before = _padding(sizes, kernel, out)
  if before[0] < 0:
    return call_frame.misfit(frame, 1)
  taps = kernel[0] * kernel[1] * kernel[2] * channels
  padded = sizes[0], out[1] + kernel[1] - 1, out[2] + kernel[2] - 1
  shape = padded, channels, kernel, filters, out
  zeros, room = _zeros(sizes, channels, padded), clips.gradient_room_of(shape)
  for p in range(arrays.parts(to)):
    into = np.zeros(taps * rows.padded_width(filters), np.float32)
    memory.fill(arrays.part(to_bias, p, to), 0)
    for b in range(n[0]):
      seen = arrays.clip(x, p, to, b)
      clips.add_kernel_gradient(
        _surrounded(seen, sizes, channels, before, padded, zeros),
        arrays.clip(y, p, to, b),
        arrays.clip(g, p, to, b),
        floor,
        shape,
        before[0],
        room,
        into,
        arrays.part(to_bias, p, to),
      )
    rows.unpack_kernel(into, taps, filters, arrays.part(to, p, to))
  return 0


@compiled.handler
def _convolve_clip_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _CLIP)
  if answer != call_frame.WORK:
    return answer
  y, g = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  w, floor = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n).values[0]
  to, out = arrays.floats(frame, 4, n), (n[1], n[2], n[3])
  filters, kernel, channels = n[4], (n[5], n[6], n[7]), n[8]
  sizes = n[9], n[10], n[11]
  before = _padding(sizes, kernel, out)
  if before[0] < 0:
    return call_frame.misfit(frame, 0)
  block = clips.block_of(kernel, channels, sizes[0])
  shape = sizes, channels, kernel, filters, out
  turned = _turned(shape)
  padded = _zeros((0, 0, 0), filters, turned[0])
  room = clips.room_of(turned, block)
  for p in range(arrays.parts(to)):
    back = clips.turned(arrays.part(w, p, to), kernel, channels, filters)
    packed = clips.pack(back, kernel, filters, channels, block)
    for b in range(n[0]):
      _clip_gradient(
        arrays.clip(y, p, to, b),
        arrays.clip(g, p, to, b),
        floor,
        shape,
        before,
        packed,
        block,
        room,
        padded,
        arrays.clip(to, p, to, b),
      )
  return 0


HANDLERS = {
  'convolve': _convolve,
  'convolve_kernel_gradient': _convolve_kernel_gradient,
  'convolve_clip_gradient': _convolve_clip_gradient,
}
