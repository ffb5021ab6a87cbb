"""Convolution and max-pooling of one clip in one pass, and its gradients.

Axes: T frames, H rows, W columns, C channels of a clip, D filters; t, h, w
cells of the pooling. A `shape` is the sizes (T, H, W), C, the kernel (kt, kh,
kw), the window (frames, rows, columns) and D.
"""

import numpy as np

from mefnet_jax.ops.cpu import (
  compiled,
  memory,
  pixel_runs,
  pool_windows,
  rows,
  simd,
)

LANES = simd.LANES


@compiled.kernel
def cells_of(shape):
  """Frames, rows and columns of the pooling."""
  sizes, _, kernel, window, _ = shape
  return (
    (sizes[0] - kernel[0] + 1) // window[0],
    (sizes[1] - kernel[1] + 1) // window[1],
    (sizes[2] - kernel[2] + 1) // window[2],
  )


@compiled.inlined
def pool(x, w, shape, y, choice):
  """VALID convolution and max-pooling of one clip.

  x (T, H, W, C); w packed; y and choice (t, h, w, D): the first largest of each
  window, and its number in the window.
  """
  sizes, channels, kernel, (wt, wh, ww), filters = shape
  ct, ch, cw = cells_of(shape)
  width, row_step = rows.padded_width(filters), sizes[2] * channels
  frame_step = sizes[1] * row_step
  offsets = rows.offsets_of(kernel, channels, frame_step, row_step)
  zero = np.int64(0)
  taps, weights = (offsets, zero, len(offsets)), (w, width)
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  row = np.empty(cw * ww * width, np.float32)
  best = np.empty(cw * width, np.float32)
  chosen = np.empty(cw * width, np.int32)
  for t in range(ct):
    for h in range(ch):
      for i in range(wt):
        for j in range(wh):
          start = (t * wt + i) * frame_step + (h * wh + j) * row_step
          args = taps, weights, end, row, zero, cw * ww
          rows.convolve_row(x, start, channels, *args)
          number = (i * wh + j) * ww
          pool_windows.keep(row, best, chosen, cw, ww, width // LANES, number)
      for c in range(cw):
        to = ((t * ch + h) * cw + c) * filters
        memory.copy(best, c * width, y, to, filters)
        memory.copy(chosen, c * width, choice, to, filters)


@compiled.inlined
def add_gradient(x, g, choice, shape, offsets, into):
  """Adds one clip's share to the gradient of the kernel.

  x is `pixel_runs.laid`, offsets are of `pixel_runs.offsets_of`; g and choice
  (t, h, w, D); into (D, len(offsets) * LANES).
  """
  corners, places = _places(shape)
  count, filters = len(offsets), shape[4]
  for cell in range(len(corners)):
    for f in range(filters):
      at = cell * filters + f
      if g[at] != 0:  # 0 for a fold that holds the clip out
        start, to = corners[cell] + places[choice[at]], f * count * LANES
        pool_windows.add(x, start, offsets, count, g[at], into, to)


@compiled.inlined
def spread_gradient(g, choice, shape, offsets, w, into):
  """Adds the gradient of one clip; arguments and layouts of `add_gradient`.

  w: (D, len(offsets) * LANES), zeros beyond the runs; into: as x there.
  """
  corners, places = _places(shape)
  count, filters = len(offsets), shape[4]
  for cell in range(len(corners)):
    for f in range(filters):
      at = cell * filters + f
      if g[at] != 0:
        start, of = corners[cell] + places[choice[at]], f * count * LANES
        pool_windows.spread(w, of, offsets, count, g[at], into, start)


@compiled.kernel
def _places(shape):
  """Where in `pixel_runs.laid` each cell begins, and each place behind that."""
  sizes, channels, _, window, _ = shape
  ct, ch, cw = cells_of(shape)
  frame, row, column = pixel_runs.steps(sizes, channels)
  whole = frame * window[0], row * window[1], column * window[2]
  return (
    pool_windows.grid((ct, ch, cw), whole),
    pool_windows.grid(window, (frame, row, column)),
  )
