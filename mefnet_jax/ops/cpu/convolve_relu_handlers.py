"""Convolution and ReLU with the sums that micro-attention needs, in one pass.

Axes: T frames, H rows, W columns of a clip, D filters; t, h, w the same after
the convolution. `width` is the number of filters, padded to whole vectors.
"""

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import (
  compiled,
  frames,
  memory,
  relu_rows,
  rows,
  signatures,
)

_FORWARD = signatures.signature(
  'fbTHWC fijkCd fd fb -> fb(T-i)(H-j)(W-k)d ub(T-i)(H-j)(W-k)d* fbd fbd ibd '
  'fb(T-i)(H-j)(W-k) fb(T-i)(H-j)(W-k) ib(T-i)(H-j)(W-k)'
)
_GRADIENT = signatures.signature(
  'fbTHW ub(T-i)(H-j)(W-k)d* ibd ib(T-i)(H-j)(W-k) fb(T-i)(H-j)(W-k)d fbd fbd '
  'fb(T-i)(H-j)(W-k) fb(T-i)(H-j)(W-k) -> fijkd fd'
)


@compiled.inlined
def _rectify(x, w, bias, shape, y, bits, clip, maps):
  """ReLU(VALID convolution + bias) of one clip; results: see `rectify_row`."""
  (_, high, wide), channels, kernel, filters = shape
  totals, peaks, places = clip
  nt, nh, nw = _output_sizes(shape[0], kernel)
  row_step, width = wide * channels, rows.padded_width(filters)
  frame_step = high * row_step
  offsets = rows.offsets_of(kernel, channels, frame_step, row_step)
  taps, weights = (offsets, 0, len(offsets)), (w, width)
  row, in_row = np.empty(nw * width, np.float32), np.zeros(width, np.float32)
  # The ReLU adds the bias: it must know what is below 0.
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  memory.fill(totals, 0)
  memory.fill(peaks, -1)  # below any ReLU
  memory.fill(places, 0)
  frame_peaks = np.full((nt, width), np.float32(-1))
  frame_places = np.zeros((nt, width), np.int32)
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(nh):
    for t in range(nt):
      start, n = t * frame_step + h * row_step, (t * nh + h) * nw
      rows.convolve_row(x, start, channels, taps, weights, end, row, 0, nw)
      clip = totals, frame_peaks[t], frame_places[t]
      relu_rows.rectify_row(
        row, nw, n, bias, filters, y, bits, clip, maps, in_row
      )
  # Of equal maxima the first counts, in the order of frames.
  for t in range(nt):
    for f in range(width):
      peak = frame_peaks[t, f]
      if peak > peaks[f] or peak != peak:
        peaks[f], places[f] = peak, frame_places[t, f]


@compiled.kernel
def _output_sizes(sizes, kernel):
  return (
    sizes[0] - kernel[0] + 1,
    sizes[1] - kernel[1] + 1,
    sizes[2] - kernel[2] + 1,
  )


@compiled.inlined
def _add_gradient(x, g, bits, clip, maps, sizes, kernel, filters, into):
  """Adds one clip's share to the gradients `into` of kernel and bias.

  g, bits, clip and maps: see `mask_row`. The kernel's gradient is (taps,
  width).
  """
  to_kernel, to_bias = into
  _, nh, nw = _output_sizes(sizes, kernel)
  width = rows.padded_width(filters)
  offsets = rows.offsets_of(kernel, 1, sizes[1] * sizes[2], sizes[2])
  row, in_row = np.zeros(nw * width, np.float32), np.zeros(width, np.float32)
  for n in range(0, len(maps[0]), nw):
    some = relu_rows.mask_row(g, bits, n, nw, filters, clip, maps, row, in_row)
    if some:  # all zero where the fold holds the clip out: no product
      start = (n // nw // nh * sizes[1] + n // nw % nh) * sizes[2]
      rows.add_row(x, start, 1, offsets, row, width, nw, width, to_kernel)
    for f in range(width):
      to_bias[f] += in_row[f]
      in_row[f] = 0


@compiled.handler
def _convolve_relu(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _FORWARD)
  if answer != frames.WORK:
    return answer
  x, w = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  bias, used = frames.floats(frame, 2, n), frames.floats(frame, 3, n)
  y, bits = frames.floats(frame, 4, n), frames.octets(frame, 5, n)
  mean, peak = frames.floats(frame, 6, n), frames.floats(frame, 7, n)
  place, map_mean = frames.integers(frame, 8, n), frames.floats(frame, 9, n)
  map_peak, first = frames.floats(frame, 10, n), frames.integers(frame, 11, n)
  filters = n[8]
  shape = (n[1], n[2], n[3]), n[4], (n[5], n[6], n[7]), filters
  parts, width = frames.parts(y), rows.padded_width(filters)
  totals, peaks = np.empty(width, np.float32), np.empty(width, np.float32)
  found = np.empty(width, np.int32)
  taps = n[4] * n[5] * n[6] * n[7]
  packed = [
    rows.pack_kernel(frames.part(w, p, y), taps, filters) for p in range(parts)
  ]
  shifts = np.zeros((parts, width), np.float32)
  for p in range(parts):
    relu_rows.scale_into(frames.part(bias, p, y), 1.0, shifts[p], filters)
  for b in range(n[0]):
    for p in range(parts):
      if frames.clip(used, p, y, b)[0] == 0:
        for numbers in (y, mean, peak, map_mean, map_peak):
          memory.fill(frames.clip(numbers, p, y, b), 0)
        for places in (place, first):
          memory.fill(frames.clip(places, p, y, b), 0)
        memory.fill(frames.clip(bits, p, y, b), 0)
        continue
      maps = (
        frames.clip(map_mean, p, y, b),
        frames.clip(map_peak, p, y, b),
        frames.clip(first, p, y, b),
      )
      _rectify(
        frames.clip(x, p, y, b),
        packed[p],
        shifts[p],
        shape,
        frames.clip(y, p, y, b),
        frames.clip(bits, p, y, b),
        (totals, peaks, found),
        maps,
      )
      to = (
        frames.clip(mean, p, y, b),
        frames.clip(peak, p, y, b),
        frames.clip(place, p, y, b),
      )
      relu_rows.write_clip((totals, peaks, found), len(maps[0]), to, filters)
  return 0


@compiled.handler
def _convolve_relu_gradient(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _GRADIENT)
  if answer != frames.WORK:
    return answer
  x, bits = frames.floats(frame, 0, n), frames.octets(frame, 1, n)
  place, first = frames.integers(frame, 2, n), frames.integers(frame, 3, n)
  g, to_mean = frames.floats(frame, 4, n), frames.floats(frame, 5, n)
  to_peak, to_map_mean = frames.floats(frame, 6, n), frames.floats(frame, 7, n)
  to_map_peak, out = frames.floats(frame, 8, n), frames.floats(frame, 9, n)
  out_bias = frames.floats(frame, 10, n)
  sizes, kernel, filters = (n[1], n[2], n[3]), (n[4], n[5], n[6]), n[7]
  parts, width = frames.parts(out), rows.padded_width(filters)
  into = np.zeros((parts, n[4] * n[5] * n[6] * width), np.float32)
  into_bias = np.zeros((parts, width), np.float32)
  # Whole vectors of it are read: what lies beyond the filters must stay 0.
  own = np.zeros(width, np.float32)
  for b in range(n[0]):
    for p in range(parts):
      maps = (
        frames.clip(to_map_mean, p, out, b),
        frames.clip(to_map_peak, p, out, b),
        frames.clip(first, p, out, b),
      )
      relu_rows.scale_into(
        frames.clip(to_mean, p, out, b), 1 / len(maps[0]), own, filters
      )
      peak, at = frames.clip(to_peak, p, out, b), frames.clip(place, p, out, b)
      _add_gradient(
        frames.clip(x, p, out, b),
        frames.clip(g, p, out, b),
        frames.clip(bits, p, out, b),
        (own, peak, at),
        maps,
        sizes,
        kernel,
        filters,
        (into[p], into_bias[p]),
      )
  for p in range(parts):
    to = frames.part(out, p, out)
    rows.unpack_kernel(into[p], n[4] * n[5] * n[6], filters, to)
    relu_rows.scale_into(
      into_bias[p], 1.0, frames.part(out_bias, p, out), filters
    )
  return 0


HANDLERS = {
  'convolve_relu': _convolve_relu,
  'convolve_relu_gradient': _convolve_relu_gradient,
}
