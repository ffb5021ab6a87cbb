"""The kernels of `convolve`, on rows of places whose channels lie innermost.

Axes: T frames, H rows, W columns, C channels of a clip, D filters; t, h, w the
same after the convolution. The gradient of a clip is a convolution too, of the
output's gradient by the kernel turned about all its axes. Few filters would
leave lanes of vectors empty, which then hold those of several frames (`block`).
"""

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import (
  compiled,
  frames,
  memory,
  relu_tiles,
  rows,
  signatures,
)

LANES = rows.LANES
_OUT = 'fb(T-i)(H-j)(W-k)d'
_FORWARD = signatures.signature(f'fbTHWC fijkCd fd f1 fb -> {_OUT}')
_KERNEL = signatures.signature(f'fbTHWC {_OUT} {_OUT} f1 -> fijkCd fd')
_CLIP = signatures.signature(f'{_OUT} {_OUT} fijkCd f1 -> fbTHWC')


@compiled.inlined
def _block(kernel, filters, frames_):
  """Frames of outputs whose filters share the two vectors of a tile."""
  block = 1
  # A tile of one vector is bound by loading the pixels.
  while kernel[0] > 1 and block * filters <= LANES and block < frames_:
    block *= 2
  return block


@compiled.inlined
def _pack(w, kernel, channels, filters, block):
  """The kernel as `rows.convolve_row` reads it, for `block` frames at once.

  Output i of a block is convolved by the kernel moved by i frames.
  """
  size = kernel[1] * kernel[2] * channels
  taps, wide = (kernel[0] + block - 1) * size, block * filters
  out = np.zeros(taps * wide, np.float32)
  for i in range(block):
    for tap in range(kernel[0] * size):
      to = (tap + i * size) * wide + i * filters
      for f in range(filters):
        out[to + f] = w[tap * filters + f]
  return rows.pack_kernel(out, taps, wide)


@compiled.inlined
def _turned(w, kernel, channels, filters):
  """The kernel (kt, kh, kw, C, D) turned about all its axes: (.., D, C)."""
  out = np.empty(len(w), np.float32)
  points = kernel[0] * kernel[1] * kernel[2]
  for n in range(points):
    for c in range(channels):
      for d in range(filters):
        to = ((points - 1 - n) * filters + d) * channels + c
        out[to] = w[(n * channels + c) * filters + d]
  return out


@compiled.inlined
def _convolve_clip(x, w, end, shape, before, block, y):
  """A convolution of x (T, H, W, C), before which `before` zero frames lie.

  w: of `_pack`; end: bias and least value; y: (t, h, w, D), where frames
  beyond the clip count as zeros, too.
  """
  (frames_, high, wide), channels, kernel, filters, sizes = shape
  deep, rows_, places = sizes
  row_step, width = wide * channels, rows.padded_width(block * filters)
  frame_step, size = high * row_step, kernel[1] * kernel[2] * channels
  long = kernel[0] + block - 1, kernel[1], kernel[2]
  offsets = rows.offsets_of(long, channels, frame_step, row_step)
  row = np.zeros(places * width + LANES, np.float32)
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(rows_):
    for t in range(0, deep, block):
      first = max(0, before - t)
      last = min(long[0], frames_ + before - t)
      taps = offsets, first * size, (last - first) * size
      start = (t - before) * frame_step + h * row_step
      to = (t * rows_ + h) * places * filters
      # A row as wide as its filters is written where it belongs.
      out, at = (y, to) if filters == width else (row, 0)
      weights = w, width
      rows.convolve_row(x, start, channels, taps, weights, end, out, at, places)
      if filters == width:
        continue
      for i in range(min(block, deep - t)):
        _lay(row, i * filters, width, y, to, filters, places)
        to += rows_ * places * filters


@compiled.inlined
def _lay(row, at, width, y, to, filters, places):
  """Copies the filters of each place out of a row of `width` a place."""
  vectors = (filters + LANES - 1) // LANES
  # Whole vectors, of which the next place overwrites what is too much.
  whole = max(0, places - (vectors * LANES + filters - 1) // filters + 1)
  for p in range(whole):
    for v in range(0, vectors * LANES, LANES):
      relu_tiles.copy(row, at + p * width + v, y, to + p * filters + v, 1)
  for p in range(whole, places):
    for f in range(filters):
      y[to + p * filters + f] = row[at + p * width + f]


@compiled.kernel
def _mask(y, g, floor, out):
  """out = g where y is above the floor, else 0; whether any is not 0."""
  some = 0
  for i in range(len(out)):
    # Both are read always, and no index is a sum, or LLVM finds no vectors.
    value, down = y[i], g[i]
    # A NaN is not below, so that a diverged training is noticed.
    down = np.float32(0) if value <= floor else down
    out[i] = down
    some |= down != 0
  return some != 0


@compiled.inlined
def _add_kernel_gradient(x, y, g, floor, shape, into, to_bias):
  """Adds one clip's share to the gradients of kernel (taps, width) and bias."""
  (_, high, wide), channels, kernel, filters, (deep, rows_, places) = shape
  row_step, size = wide * channels, places * filters
  frame_step, width = high * row_step, rows.padded_width(filters)
  offsets = rows.offsets_of(kernel, channels, frame_step, row_step)
  # Whole vectors of the row are read.
  row, sums = np.zeros(size + LANES, np.float32), np.zeros(size, np.float32)
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(rows_):
    for t in range(deep):
      at = (t * rows_ + h) * size
      down = y[at : at + size], g[at : at + size]
      # All zero where the fold holds the clip out: no product.
      if _mask(*down, floor, row[:size]):
        start = t * frame_step + h * row_step
        args = row, filters, places, width, into
        rows.add_row(x, start, channels, offsets, *args)
        for i in range(size):
          sums[i] += row[i]
  for p in range(places):
    for f in range(filters):
      to_bias[f] += sums[p * filters + f]


@compiled.inlined
def _clip_gradient(y, g, floor, shape, w, block, padded, out):
  """The gradient of one clip; `padded` has room for g with zeros around it."""
  sizes, channels, kernel, filters, (deep, rows_, places) = shape
  high, wide = rows_ + 2 * kernel[1] - 2, places + 2 * kernel[2] - 2
  size, some = places * filters, False
  for t in range(deep):
    for h in range(rows_):
      to = ((t * high + h + kernel[1] - 1) * wide + kernel[2] - 1) * filters
      at = (t * rows_ + h) * size
      down = y[at : at + size], g[at : at + size]
      some |= _mask(*down, floor, padded[to : to + size])
  if not some:
    memory.fill(out, 0)
    return
  width = rows.padded_width(block * channels)
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  turned = (deep, high, wide), filters, kernel, channels, sizes
  _convolve_clip(padded, w, end, turned, kernel[0] - 1, block, out)


@compiled.inlined
def _shape(sizes, channels, kernel, filters):
  """The four, and frames, rows and columns of the outputs."""
  out = (
    sizes[0] - kernel[0] + 1,
    sizes[1] - kernel[1] + 1,
    sizes[2] - kernel[2] + 1,
  )
  return sizes, channels, kernel, filters, out


@compiled.handler
def _convolve(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _FORWARD)
  if answer != frames.WORK:
    return answer
  x, w = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  bias, floor = frames.floats(frame, 2, n), frames.floats(frame, 3, n).values[0]
  used, y = frames.floats(frame, 4, n), frames.floats(frame, 5, n)
  shape = _shape((n[1], n[2], n[3]), n[4], (n[5], n[6], n[7]), n[8])
  _, channels, kernel, filters, (deep, _, _) = shape
  block = _block(kernel, filters, deep)
  width = rows.padded_width(block * filters)
  for p in range(frames.parts(y)):
    packed = _pack(frames.part(w, p, y), kernel, channels, filters, block)
    shift, begin = frames.part(bias, p, y), np.zeros(width, np.float32)
    for i in range(block * filters):
      begin[i] = shift[i % filters]
    for b in range(n[0]):
      if frames.clip(used, p, y, b)[0] == 0:
        memory.fill(frames.clip(y, p, y, b), 0)
        continue
      _convolve_clip(
        frames.clip(x, p, y, b),
        packed,
        (begin, floor),
        shape,
        0,
        block,
        frames.clip(y, p, y, b),
      )
  return 0


@compiled.handler
def _convolve_kernel_gradient(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _KERNEL)
  if answer != frames.WORK:
    return answer
  x, y = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  g, floor = frames.floats(frame, 2, n), frames.floats(frame, 3, n).values[0]
  out, out_bias = frames.floats(frame, 4, n), frames.floats(frame, 5, n)
  shape = _shape((n[1], n[2], n[3]), n[4], (n[5], n[6], n[7]), n[8])
  taps, filters = n[4] * n[5] * n[6] * n[7], n[8]
  for p in range(frames.parts(out)):
    into = np.zeros(taps * rows.padded_width(filters), np.float32)
    to_bias = frames.part(out_bias, p, out)
    memory.fill(to_bias, 0)
    for b in range(n[0]):
      _add_kernel_gradient(
        frames.clip(x, p, out, b),
        frames.clip(y, p, out, b),
        frames.clip(g, p, out, b),
        floor,
        shape,
        into,
        to_bias,
      )
    rows.unpack_kernel(into, taps, filters, frames.part(out, p, out))
  return 0


@compiled.handler
def _convolve_clip_gradient(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _CLIP)
  if answer != frames.WORK:
    return answer
  y, g = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  w, floor = frames.floats(frame, 2, n), frames.floats(frame, 3, n).values[0]
  out, kernel, filters, channels = (
    frames.floats(frame, 4, n),
    (n[2], n[4], n[6]),
    n[7],
    n[8],
  )
  shape = _shape((n[1], n[3], n[5]), channels, kernel, filters)
  block = _block(kernel, channels, n[1])
  deep, rows_, places = shape[4]
  size = deep * (rows_ + 2 * n[4] - 2) * (places + 2 * n[6] - 2) * filters
  padded = np.zeros(size, np.float32)
  for p in range(frames.parts(out)):
    turned = _turned(frames.part(w, p, out), kernel, channels, filters)
    packed = _pack(turned, kernel, filters, channels, block)
    for b in range(n[0]):
      _clip_gradient(
        frames.clip(y, p, out, b),
        frames.clip(g, p, out, b),
        floor,
        shape,
        packed,
        block,
        padded,
        frames.clip(out, p, out, b),
      )
  return 0


HANDLERS = {
  'convolve': _convolve,
  'convolve_kernel_gradient': _convolve_kernel_gradient,
  'convolve_clip_gradient': _convolve_clip_gradient,
}
