"""Convolutions of one clip and their gradients, row by row.

Axes: T frames, H rows, W columns, C channels of a clip, D filters; t, h, w the
same after the convolution. Channels lie innermost. Few filters would leave
lanes of vectors empty, which then hold those of several frames, a block. A
`shape` is sizes (T, H, W), C, kernel (kt, kh, kw), D and sizes (t, h, w).
"""

import numpy as np

from mefnet_jax.ops.cpu import compiled, memory, rows

LANES = rows.LANES


@compiled.inlined
def block_of(kernel, filters, frames_):
  """Frames of outputs whose filters share the two vectors of a tile."""
  block = 1
  # A tile of one vector is bound by loading the pixels.
  while kernel[0] > 1 and block * filters <= LANES and block < frames_:
    block *= 2
  return block


@compiled.inlined
def pack(w, kernel, channels, filters, block):
  """The kernel as `rows.convolve_row` reads it, for `block` frames at once.

  Output i of a block is convolved by the kernel moved by i frames.
  """
  size = kernel[1] * kernel[2] * channels
  if block == 1:
    return rows.pack_kernel(w, kernel[0] * size, filters)
  taps, wide = (kernel[0] + block - 1) * size, block * filters
  out = np.zeros(taps * wide, np.float32)
  for i in range(block):
    for tap in range(kernel[0] * size):
      to = (tap + i * size) * wide + i * filters
      for f in range(filters):
        out[to + f] = w[tap * filters + f]
  return rows.pack_kernel(out, taps, wide)


@compiled.inlined
def turned(w, kernel, channels, filters):
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
def room_of(shape, block):
  """What `convolve_clip` needs: where the taps lie, and room for a row.

  Made once: threads that ask for memory at every row wait for each other.
  """
  (_, high, wide), channels, kernel, filters, (_, _, places) = shape
  long = kernel[0] + block - 1, kernel[1], kernel[2]
  row_step, width = wide * channels, rows.padded_width(block * filters)
  offsets = rows.offsets_of(long, channels, high * row_step, row_step)
  return offsets, np.zeros(places * width + LANES, np.float32)


@compiled.inlined
def convolve_clip(x, w, end, shape, before, block, room, y):
  """A convolution of x (T, H, W, C), before which `before` zero frames lie.

  Frames beyond its last count as zeros, too. w: of `pack`; end: bias and least
  value; y: (t, h, w, D), which may be only the first rows.
  """
  (frames_, high, wide), channels, kernel, filters, sizes = shape
  (deep, rows_, places), (offsets, row) = sizes, room
  row_step, width = wide * channels, rows.padded_width(block * filters)
  frame_step, size = high * row_step, kernel[1] * kernel[2] * channels
  long = kernel[0] + block - 1
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(rows_):
    for t in range(0, deep, block):
      first = max(0, before - t)
      last = min(long, frames_ + before - t)
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


@compiled.kernel
def _lay(row, at, width, y, to, filters, places):
  """Copies the filters of each place out of a row of `width` a place."""
  vectors = (filters + LANES - 1) // LANES
  # Whole vectors, of which the next place overwrites what is too much.
  whole = max(0, places - (vectors * LANES + filters - 1) // filters + 1)
  for p in range(whole):
    for v in range(0, vectors * LANES, LANES):
      memory.copy(row, at + p * width + v, y, to + p * filters + v, LANES)
  for p in range(whole, places):
    memory.copy(row, at + p * width, y, to + p * filters, filters)


@compiled.kernel
def mask(y, g, at, floor, out):
  """out = g[at:] where y is above the floor, else 0; whether any is not 0."""
  some, y, g = 0, y[at : at + len(out)], g[at : at + len(out)]
  for i in range(len(out)):
    # Both are read always, and no index is a sum, or LLVM finds no vectors.
    value, down = y[i], g[i]
    # A NaN is not below, so that a diverged training is noticed.
    down = np.float32(0) if value <= floor else down
    out[i] = down
    some |= down != 0
  return some != 0


@compiled.inlined
def gradient_room_of(shape):
  """What `add_kernel_gradient` needs: `room_of`, and room for sums."""
  size = shape[4][2] * shape[3]
  # Whole vectors of the row are read.
  sums, row = np.zeros(size, np.float32), np.zeros(size + LANES, np.float32)
  return room_of(shape, 1)[0], row, sums


@compiled.inlined
def add_kernel_gradient(x, y, g, floor, shape, before, room, into, to_bias):
  """Adds one clip's share to the gradients of kernel (taps, width) and bias.

  x and before as for `convolve_clip`; y: what was convolved, g its gradient.
  """
  (frames_, high, wide), channels, kernel, filters, sizes = shape
  deep, rows_, places = sizes
  row_step, size = wide * channels, places * filters
  frame_step, width = high * row_step, rows.padded_width(filters)
  taps = kernel[1] * kernel[2] * channels  # of a frame
  offsets, row, sums = room
  row = row[:size]
  memory.fill(sums, 0)
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(rows_):
    for t in range(deep):
      at = (t * rows_ + h) * size
      # All zero where the fold holds the clip out: no product.
      if mask(y, g, at, floor, row):
        first = max(0, before - t)
        last = min(kernel[0], frames_ + before - t)
        used = first * taps, (last - first) * taps
        start = (t - before) * frame_step + h * row_step
        args = row, filters, places, width, into
        rows.add_row(x, start, channels, offsets, *used, *args)
        memory.add(row, sums)
  for p in range(places):
    for f in range(filters):
      to_bias[f] += sums[p * filters + f]
