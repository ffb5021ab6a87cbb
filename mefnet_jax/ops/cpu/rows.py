"""The convolution of clips row by row, and its gradient.

A row of outputs stays in the cache until everything that reads it is done. A
"place" is one position (t, h, w) of the output. Axes: T
frames, H rows, W columns, D filters; `taps` are the kernel's places. The
filters are padded with zeros to `width`, a multiple of `simd.LANES`.
"""

import numpy as np

from mefnet_jax.ops.cpu import compiled, row_tiles, simd

LANES, TILE = simd.LANES, simd.TILE


@compiled.kernel
def padded_width(filters):
  """Returns `width`: the number of filters, padded to whole vectors."""
  return (filters + LANES - 1) // LANES * LANES


@compiled.kernel
def offsets_of(kernel, channels, frame_step, row_step):
  """Where each tap reads, in the order of the kernel (kt, kh, kw, C)."""
  compiled.for_size()
  kt, kh, kw = kernel
  offsets = np.empty(kt * kh * kw * channels, np.int64)
  at = 0
  for t in range(kt):
    for h in range(kh):
      for i in range(kw * channels):
        offsets[at] = t * frame_step + h * row_step + i
        at += 1
  return offsets


@compiled.kernel
def pack_kernel(w, taps, filters):
  """The kernel as `convolve` reads it: all taps of two vectors of filters."""
  compiled.for_size()
  width = padded_width(filters)
  out = np.zeros(taps * width, np.float32)
  for first in range(0, width, 2 * LANES):
    span = min(2 * LANES, width - first)
    for tap in range(taps):
      for f in range(min(span, filters - first)):
        out[first * taps + tap * span + f] = w[tap * filters + first + f]
  return out


@compiled.kernel
def convolve_row(x, x_at, x_step, taps, weights, end, out, out_at, places):
  """`places` neighbours along a row, all filters: out (places, width).

  taps: (offsets, the first and the number of those that are used); weights: of
  `pack_kernel`, and width; end: bias (width,), and the least that is written.
  """
  (offsets, skip, count), (w, width), (bias, floor) = taps, weights, end
  # Tiles of similar size: a last tile of one place would leave most registers
  # unused while it reads all the weights.
  parts = (places + TILE - 1) // TILE
  done = 0
  for part in range(parts):
    n = (places - done + parts - part - 1) // (parts - part)
    start = x_at + done * x_step
    for f in range(0, width, 2 * LANES):
      to = out_at + done * width + f
      span = min(2 * LANES, width - f)
      at = f * len(offsets) + skip * span
      pixels, filters = (x, start, x_step, offsets), (w, at, bias, f, floor)
      tile = *pixels, skip, count, *filters, out, to, width, n
      if span > LANES:
        row_tiles.convolve_2(*tile)
      else:
        row_tiles.convolve_1(*tile)
    done += n


@compiled.kernel
def add_row(
  x, x_at, x_step, offsets, first, taps, row, row_step, places, width, into
):
  """Adds what a row of places gives to the gradient (taps, width) of all taps.

  That is, of `taps` from the first on. row: `row_step` numbers a place; whole
  vectors of it are read.
  """
  parts = (taps + TILE - 1) // TILE
  done = first
  for part in range(parts):
    n = (first + taps - done + parts - part - 1) // (parts - part)
    for f in range(0, width, 2 * LANES):
      to = done * width + f
      pixels, down = (x, x_at, x_step, offsets), (row, f, row_step)
      tile = *pixels, done, *down, places, into, to, width, n
      if width - f > LANES:
        row_tiles.correlate_2(*tile)
      else:
        row_tiles.correlate_1(*tile)
    done += n


@compiled.kernel
def unpack_kernel(into, taps, filters, out):
  """(taps, width) without the padding of the filters."""
  compiled.for_size()
  width = padded_width(filters)
  for t in range(taps):
    for f in range(filters):
      out[t * filters + f] = into[t * width + f]
