"""ReLU and its gradient of one row of maps, with the sums of attention.

Axes: T frames, H rows, W columns of maps, D filters. A row has `width` numbers
a place: its filters, padded with zeros to whole vectors.
"""

import numpy as np

from mefnet_jax.ops.cpu import compiled, relu_tiles, rows, simd

MOST_FILTERS = relu_tiles.MOST_FILTERS


@compiled.kernel
def rectify_row(row, places, n, bias, filters, y, bits, clip, maps, in_row):
  """ReLU(row + bias) of the places from the n-th on, and what is kept of it.

  y (T, H, W, D) is written; bits: which of it are above 0; clip: (width,) sum,
  maximum and the maximum's place of each filter; maps: (T, H, W) mean, maximum
  and the first filter that has it. `in_row` must be zeros, and is again.
  """
  (totals, peaks, peak_places), (mean, most, first) = clip, maps
  width = rows.padded_width(filters)
  vectors, words = width // simd.LANES, width // 8
  share = np.float32(1 / filters)
  for p in range(places):
    at, to = p * width, n * filters
    # Whole vectors are written where they belong.
    out, out_at = (y, to) if filters == width else (row, at)
    tile = row, at, bias, vectors, out, out_at, bits, n * words
    most[n], total, first[n] = relu_tiles.rectify(
      *tile, in_row, peaks, peak_places, n
    )
    mean[n] = total * share
    if filters != width:
      for f in range(filters):
        y[to + f] = row[at + f]
    n += 1
  # Summed by rows first: one float32 sum over all places would lose digits.
  for f in range(width):
    totals[f] += in_row[f]
    in_row[f] = 0


@compiled.kernel
def mask_row(g, bits, n, places, filters, clip, maps, row, in_row, padded):
  """The gradient of `rectify_row`'s input in `row`; whether any is not 0.

  g (T, H, W, D) is of y; clip: (width,) gradients of each filter's sum and
  maximum, and the maximum's place; maps: (T, H, W) gradients of mean and
  maximum of each place, and the first filter. `in_row` gets the row's sums;
  padded: (width,) zeros, room for the filters of a place.
  """
  (to_total, to_peak, peak_places), (to_mean, to_most, first) = clip, maps
  width = rows.padded_width(filters)
  vectors, words = width // simd.LANES, width // 8
  share = np.float32(1 / filters)
  some = False
  for p in range(places):
    source, at = g, (n + p) * filters
    if filters != width:
      for f in range(filters):
        padded[f] = g[at + f]
      source, at = padded, 0
    shared, word = to_mean[n + p] * share, (n + p) * words
    some |= relu_tiles.mask_and_add(
      source,
      at,
      bits,
      word,
      vectors,
      to_total,
      shared,
      row,
      p * width,
      in_row,
    )
    down, f = to_most[n + p], first[n + p]
    if down != 0 and _is_set(bits, word, f):
      row[p * width + f] += down
      in_row[f] += down
      some = True
  for f in range(filters):
    p = peak_places[f] - n
    if 0 <= p < places and _is_set(bits, peak_places[f] * words, f):
      row[p * width + f] += to_peak[f]
      in_row[f] += to_peak[f]
      some |= to_peak[f] != 0
  return some


@compiled.kernel
def _is_set(bits, at, number):
  return (bits[at + number // 8] >> (number % 8)) & 1


@compiled.kernel
def write_clip(clip, places, to, filters):
  """Writes mean, maximum and its place of each filter of a clip.

  clip: of `rectify_row`, after all rows.
  """
  compiled.for_size()
  (totals, peaks, peak_places), (mean, peak, place) = clip, to
  share = np.float32(1 / places)
  for f in range(filters):
    mean[f], peak[f], place[f] = totals[f] * share, peaks[f], peak_places[f]


@compiled.kernel
def scale_into(values, factor, to, count):
  """to = values * factor, of the first `count`."""
  compiled.for_size()
  for i in range(count):
    to[i] = values[i] * factor
