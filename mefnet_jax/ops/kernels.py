"""What a CPU computes of one convolution layer, compiled by Numba.

Every function works on flat arrays; one convolution is of grey clips, and
`taps` are its kernel's places. Axes: B clips, T frames, H rows, W columns, D
filters; t, h, w the same after the convolution, or cells of a pooling. The
filters are filled up to `width`, a multiple of `tiles.LANES`, with zeros.
"""

import numpy as np
from numba import njit

from mefnet_jax.ops import tiles

LANES, TILE = tiles.LANES, tiles.TILE
_how = dict(nogil=True, cache=tiles.KEPT, error_model='numpy')


@njit(**_how)
def filled(filters):
  """`width`: the filters, filled up to whole vectors."""
  return (filters + LANES - 1) // LANES * LANES


@njit(**_how)
def offsets_of(kt, kh, kw, step_t, step_h, step_w):
  """Where each tap reads, in the order of the kernel."""
  offsets = np.empty(kt * kh * kw, np.int64)
  at = 0
  for t in range(kt):
    for h in range(kh):
      for w in range(kw):
        offsets[at] = t * step_t + h * step_h + w * step_w
        at += 1
  return offsets


@njit(**_how)
def packed(w, taps, filters):
  """The kernel as `convolve` reads it: for two vectors of filters all taps."""
  width = filled(filters)
  out = np.zeros(taps * width, np.float32)
  for first in range(0, width, 2 * LANES):
    span = min(2 * LANES, width - first)
    for tap in range(taps):
      for f in range(min(span, filters - first)):
        out[first * taps + tap * span + f] = w[tap * filters + first + f]
  return out


@njit(**_how)
def convolve_row(x, x_at, offsets, w, width, out, places):
  """`places` neighbours along a row, all filters: out (places, width)."""
  taps = len(offsets)
  parts = (places + TILE - 1) // TILE
  done = 0
  for part in range(parts):
    size = (places - done + parts - part - 1) // (parts - part)
    for first in range(0, width, 2 * LANES):
      at, to = first * taps, done * width + first
      if width - first > LANES:
        tiles.convolve_2(
          x, x_at + done, offsets, w, at, taps, out, to, width, size
        )
      else:
        tiles.convolve_1(
          x, x_at + done, offsets, w, at, taps, out, to, width, size
        )
    done += size


@njit(**_how)
def frames_last(x, frames, rows, columns):
  """A clip with its frames innermost: (H, W, T), and LANES zeros behind."""
  out = np.zeros(frames * rows * columns + LANES, np.float32)
  places = rows * columns
  for start in range(0, places, 64):  # of a size that stays in the cache
    stop = min(start + 64, places)
    for t in range(frames):
      for p in range(start, stop):
        out[p * frames + t] = x[t * places + p]
  return out


@njit(**_how)
def convolve_pool(x, w, sizes, kernel, window, filters, y, choice):
  """VALID convolution and max-pooling of one clip.

  x (T, H, W); w packed; y and choice (t, h, w, D): the first largest of each
  window, and its number in the window.
  """
  frames, rows, columns = sizes
  kt, kh, kw = kernel
  wt, wh, ww = window
  ct, ch, cw = (
    (frames - kt + 1) // wt,
    (rows - kh + 1) // wh,
    (columns - kw + 1) // ww,
  )
  width = filled(filters)
  offsets = offsets_of(kt, kh, kw, rows * columns, columns, 1)
  row = np.empty(cw * ww * width, np.float32)
  best = np.empty(cw * width, np.float32)
  chosen = np.empty(cw * width, np.int32)
  for t in range(ct):
    for h in range(ch):
      for i in range(wt):
        for j in range(wh):
          start = ((t * wt + i) * rows + h * wh + j) * columns
          convolve_row(x, start, offsets, w, width, row, cw * ww)
          number = (i * wh + j) * ww
          for c in range(cw):
            for k in range(ww):
              tiles.keep_larger(
                row,
                (c * ww + k) * width,
                best,
                chosen,
                c * width,
                width // LANES,
                number + k,
              )
      for c in range(cw):
        to = ((t * ch + h) * cw + c) * filters
        for f in range(filters):
          y[to + f] = best[c * width + f]
          choice[to + f] = chosen[c * width + f]


@njit(**_how)
def add_pool_gradient(
  x, g, choice, sizes, kernel, window, filters, offsets, into
):
  """Adds one clip's share to the gradient of the kernel of `convolve_pool`.

  Of each window one place counts, so this costs a small part of a product.
  x is `frames_last`; g and choice (t, h, w, D); offsets of the
  kernel's rows and columns and of vectors of frames; into (D, len(offsets) *
  LANES).
  """
  frames, rows, columns = sizes
  kt, kh, kw = kernel
  wt, wh, ww = window
  ct, ch, cw = (
    (frames - kt + 1) // wt,
    (rows - kh + 1) // wh,
    (columns - kw + 1) // ww,
  )
  span = len(offsets) * LANES
  at = 0
  for t in range(ct):
    for h in range(ch):
      for c in range(cw):
        for f in range(filters):
          down = g[at]
          if down != 0:
            number = choice[at]
            i, rest = number // (wh * ww), number % (wh * ww)
            j, k = rest // ww, rest % ww
            place = (h * wh + j) * columns + c * ww + k
            start = place * frames + t * wt + i
            tiles.add_windows(
              x, start, offsets, len(offsets), down, into, f * span
            )
          at += 1


@njit(**_how)
def windows_of(kt, kh, kw, frames, columns):
  """Offsets in `frames_last` of what `add_pool_gradient` adds at once."""
  vectors = (kt + LANES - 1) // LANES
  offsets = np.empty(kh * kw * vectors, np.int64)
  at = 0
  for h in range(kh):
    for w in range(kw):
      for v in range(vectors):
        offsets[at] = (h * columns + w) * frames + v * LANES
        at += 1
  return offsets


@njit(**_how)
def unpacked_windows(into, kernel, filters, out):
  """The gradient in the kernel's order, (kt, kh, kw, D)."""
  kt, kh, kw = kernel
  deep = (kt + LANES - 1) // LANES * LANES
  for t in range(kt):
    for p in range(kh * kw):
      for f in range(filters):
        out[(t * kh * kw + p) * filters + f] = into[
          (f * kh * kw + p) * deep + t
        ]


@njit(**_how)
def unpacked_taps(into, kernel, filters, out):
  """(kh * kw, kt, width) in the kernel's order, (kt, kh, kw, D)."""
  kt, kh, kw = kernel
  width = filled(filters)
  for t in range(kt):
    for p in range(kh * kw):
      to, row = (t * kh * kw + p) * filters, (p * kt + t) * width
      for f in range(filters):
        out[to + f] = into[row + f]


@njit(**_how)
def convolve_relu(
  x,
  w,
  bias,
  sizes,
  kernel,
  filters,
  y,
  bits,
  totals,
  peaks,
  places,
  mean,
  most,
  first,
):
  """ReLU(VALID convolution + bias) of one clip, and what attention asks.

  y (t, h, w, D); bits: which of y are above 0; totals, peaks and places
  (width,): sum, maximum and the maximum's place of each filter; mean, most
  and first (t, h, w): of the filters at each place.
  """
  frames, rows, columns = sizes
  kt, kh, kw = kernel
  nt, nh, nw = frames - kt + 1, rows - kh + 1, columns - kw + 1
  width = filled(filters)
  vectors, words = width // LANES, width // 8
  offsets = offsets_of(kt, kh, kw, rows * columns, columns, 1)
  row, in_row = np.empty(nw * width, np.float32), np.zeros(width, np.float32)
  totals[:] = 0
  peaks[:] = -1
  places[:] = 0
  share = np.float32(1 / filters)
  place = 0
  for t in range(nt):
    for h in range(nh):
      start = (t * rows + h) * columns
      convolve_row(x, start, offsets, w, width, row, nw)
      for p in range(nw):
        at, to = p * width, place * filters
        most[place], total, first[place] = tiles.rectify(
          row,
          at,
          bias,
          vectors,
          bits,
          place * words,
          in_row,
          peaks,
          places,
          place,
        )
        mean[place] = total * share
        if filters == width:
          tiles.copy(row, at, y, to, vectors)
        else:
          for f in range(filters):
            y[to + f] = row[at + f]
        place += 1
      for f in range(width):  # row by row, for the sake of the last digits
        totals[f] += in_row[f]
        in_row[f] = 0


@njit(**_how)
def add_relu_gradient(
  x,
  g,
  bits,
  own,
  to_peak,
  places,
  to_mean,
  to_most,
  first,
  sizes,
  kernel,
  filters,
  into,
  into_bias,
):
  """Adds one clip's share to the gradient of kernel and bias.

  x is `frames_last`; g (t, h, w, D) is of y; own (width,) of each
  filter's sum; to_peak, places (width,) of its maximum, at that place;
  to_mean, to_most, first of the maps. into (kh, kw, kt, width).
  """
  frames, rows, columns = sizes
  kt, kh, kw = kernel
  nt, nh, nw = frames - kt + 1, rows - kh + 1, columns - kw + 1
  width = filled(filters)
  vectors, words = width // LANES, width // 8
  row, in_row = np.zeros(nw * width, np.float32), np.zeros(width, np.float32)
  padded = np.zeros(width, np.float32)
  share = np.float32(1 / filters)
  place = 0
  for t in range(nt):
    for h in range(nh):
      some = False
      for p in range(nw):
        source, source_at = g, (place + p) * filters
        if filters != width:
          for f in range(filters):
            padded[f] = g[source_at + f]
          source, source_at = padded, 0
        masked = tiles.mask_and_add(
          source,
          source_at,
          bits,
          (place + p) * words,
          vectors,
          own,
          to_mean[place + p] * share,
          row,
          p * width,
          in_row,
        )
        down, f = to_most[place + p], first[place + p]
        if down != 0 and _is_set(bits, (place + p) * words, f):
          row[p * width + f] += down
          in_row[f] += down
          masked = True
        some |= masked
      for f in range(filters):
        p = places[f] - place
        if 0 <= p < nw and _is_set(bits, places[f] * words, f):
          row[p * width + f] += to_peak[f]
          in_row[f] += to_peak[f]
          some |= to_peak[f] != 0
      if some:
        start = h * columns * frames + t
        _add_row(x, start, row, kernel, frames, columns, nw, width, into)
      for f in range(width):
        into_bias[f] += in_row[f]
        in_row[f] = 0
      place += nw


@njit(**_how)
def _is_set(bits, at, number):
  return (bits[at + number // 8] >> (number % 8)) & 1


@njit(**_how)
def _add_row(x, start, row, kernel, frames, columns, places, width, into):
  """Adds what one row of places gives to all taps."""
  kt, kh, kw = kernel
  parts = (kt + TILE - 1) // TILE
  for i in range(kh):
    for j in range(kw):
      at = start + (i * columns + j) * frames
      to = (i * kw + j) * kt * width
      done = 0
      for part in range(parts):
        size = (kt - done + parts - part - 1) // (parts - part)
        for first in range(0, width, 2 * LANES):
          if width - first > LANES:
            tiles.correlate_2(
              x,
              at + done,
              frames,
              row,
              first,
              width,
              places,
              into,
              to + done * width + first,
              size,
            )
          else:
            tiles.correlate_1(
              x,
              at + done,
              frames,
              row,
              first,
              width,
              places,
              into,
              to + done * width + first,
              size,
            )
        done += size


@njit(**_how)
def pool_weighed(
  y,
  weight,
  sizes,
  window,
  filters,
  plain,
  plain_choice,
  weighed,
  weighed_choice,
  value,
):
  """Max-pooling of one clip's maps, as they are and times a map of weights.

  y (T, H, W, D), weight (T, H, W). Results (t, h, w, D): the largest and its
  number in the window; the largest weighed one, its number, and its value
  before it was weighed.
  """
  ct, ch, cw = (
    sizes[0] // window[0],
    sizes[1] // window[1],
    sizes[2] // window[2],
  )
  wt, wh, ww = window
  steps = steps_of(window, sizes)
  for t in range(ct):
    for h in range(ch):
      for c in range(cw):
        to = ((t * ch + h) * cw + c) * filters
        corner = (t * wt * sizes[1] + h * wh) * sizes[2] + c * ww
        for f in range(0, filters - LANES + 1, LANES):
          tiles.pool_window(
            y,
            weight,
            corner,
            steps,
            len(steps),
            filters,
            f,
            plain,
            weighed,
            value,
            plain_choice,
            weighed_choice,
            to + f,
          )
        for f in range(filters // LANES * LANES, filters):
          for number in range(len(steps)):
            place = corner + steps[number]
            v, s = y[place * filters + f], weight[place]
            if number == 0 or v > plain[to + f] or v != v:
              plain[to + f] = v
              plain_choice[to + f] = number
            if number == 0 or v * s > weighed[to + f] or v != v:
              weighed[to + f] = v * s
              weighed_choice[to + f] = number
              value[to + f] = v


@njit(**_how)
def steps_of(window, sizes):
  """Where the places of a window lie behind its first one."""
  steps, at = np.empty(window[0] * window[1] * window[2], np.int64), 0
  for i in range(window[0]):
    for j in range(window[1]):
      for k in range(window[2]):
        steps[at] = (i * sizes[1] + j) * sizes[2] + k
        at += 1
  return steps


@njit(**_how)
def pool_weighed_gradient(
  g,
  choice,
  g_weighed,
  weighed_choice,
  value,
  weight,
  sizes,
  window,
  filters,
  to_y,
  to_weight,
):
  """The gradients of maps and weights of `pool_weighed`, of one clip."""
  to_y[:] = 0
  to_weight[:] = 0
  ct, ch, cw = (
    sizes[0] // window[0],
    sizes[1] // window[1],
    sizes[2] // window[2],
  )
  wt, wh, ww = window
  steps = steps_of(window, sizes)
  n = 0
  for t in range(ct):
    for h in range(ch):
      for c in range(cw):
        corner = (t * wt * sizes[1] + h * wh) * sizes[2] + c * ww
        for f in range(filters):
          if g[n] != 0:
            place = corner + steps[choice[n]]
            to_y[place * filters + f] += g[n]
          if g_weighed[n] != 0:
            place = corner + steps[weighed_choice[n]]
            to_y[place * filters + f] += g_weighed[n] * weight[place]
            to_weight[place] += g_weighed[n] * value[n]
          n += 1


@njit(**_how)
def planes(x, channels, sizes, before, padded):
  """Maps (T, H, W, C) as planes (C, *padded) with zeros around them."""
  frames, rows, columns = sizes
  deep, high, wide = padded
  # Behind the last plane its last vector's last tap still reads.
  out = np.zeros(channels * deep * high * wide + wide + LANES, np.float32)
  for t in range(frames):
    for h in range(rows):
      for c in range(channels):
        to = ((c * deep + t + before[0]) * high + h + before[1]) * wide
        to += before[2]
        source = (t * rows + h) * columns * channels + c
        for w in range(columns):
          out[to + w] = x[source + w * channels]
  return out


@njit(**_how)
def around(sizes, kernel):
  """The sizes of maps with what SAME padding adds."""
  return (
    sizes[0] + kernel[0] - 1,
    sizes[1] + kernel[1] - 1,
    sizes[2] + kernel[2] - 1,
  )


@njit(**_how)
def plane_offsets(channels, kernel, padded):
  """Where each tap reads in `planes`: channels, frames, rows, columns."""
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


@njit(**_how)
def convolve_planes(x, w, offsets, sizes, padded, filters, y):
  """A convolution of few channels: y (T, H, W, D) of `planes` x.

  w: (D, len(offsets)). Vectors lie along the rows and over their ends, so
  that few filters and short rows waste little.
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
        tiles.slide(x, at, offsets, w, d * taps, taps, plane, start, count)
      for h in range(rows):
        to = (t * rows + h) * columns * filters + d
        for i in range(columns):
          y[to + i * filters] = plane[h * wide + i]


@njit(**_how)
def add_planes_gradient(x, g, offsets, sizes, padded, filters, into):
  """Adds to the gradient (D, len(offsets), LANES) of w in `convolve_planes`.

  g: (T, H, W, D). What is sought is the sum of the lanes.
  """
  frames, rows, columns = sizes
  wide, taps = padded[2], len(offsets)
  vectors = (rows * wide + LANES - 1) // LANES
  plane = np.zeros(vectors * LANES, np.float32)
  for t in range(frames):
    for d in range(filters):
      for h in range(rows):
        source = (t * rows + h) * columns * filters + d
        for i in range(columns):
          plane[h * wide + i] = g[source + i * filters]
      for v in range(0, vectors, TILE):
        start, count = v * LANES, min(TILE, vectors - v)
        at, to = t * padded[1] * wide + start, d * taps * LANES
        tiles.slide_gradient(
          x, at, offsets, plane, start, taps, into, to, count
        )


@njit(**_how)
def by_filter(w, taps, channels, filters, flipped):
  """The kernel (taps, C, D) as `convolve_planes` reads it, (D, C, taps).

  Flipped: as the gradient of its input is convolved, (C, D, taps).
  """
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


@njit(**_how)
def unpacked_planes(into, taps, channels, filters, out):
  """The sums of the lanes, in the kernel's order (taps, C, D)."""
  for t in range(taps):
    for c in range(channels):
      for d in range(filters):
        total = np.float32(0)
        at = ((d * channels + c) * taps + t) * LANES
        for lane in range(LANES):
          total += into[at + lane]
        out[(t * channels + c) * filters + d] = total


_DEEP = 256  # terms of a product at a time, whose panels stay in the cache


@njit(**_how)
def panels(b, start, count, columns, step, turned, out):
  """Pairs of vectors of columns of b one behind another, from row `start` on.

  b (.., step), or turned: (columns, step) with the rows last. What is beyond
  the columns is zero.
  """
  two = 2 * LANES
  if turned:
    for f in range(columns):
      to = f // two * two * count + f % two
      for k in range(count):
        out[to + k * two] = b[f * step + start + k]
    return
  for k in range(count):
    source = (start + k) * step
    for first in range(0, columns, two):
      to = (first * count) + k * two
      if columns - first >= two:
        tiles.copy(b, source + first, out, to, 2)
      else:
        for f in range(columns - first):
          out[to + f] = b[source + first + f]


@njit(**_how)
def product(
  a, a_row, a_step, b, b_step, turned, rows, terms, columns, y, y_row
):
  """y (rows, y_row) = a times b, over `terms`, of few rows or few columns.

  a[i * a_row + k * a_step]; b as `panels` takes it. y_row is at least
  `columns` filled up to twice LANES.
  """
  two = 2 * LANES
  packed = np.zeros(_DEEP * ((columns + two - 1) // two * two), np.float32)
  parts = (rows + TILE - 1) // TILE
  for start in range(0, terms, _DEEP):
    count = min(_DEEP, terms - start)
    if columns % two != 0 and count < _DEEP:
      packed[:] = 0
    panels(b, start, count, columns, b_step, turned, packed)
    done = 0
    for part in range(parts):
      size = (rows - done + parts - part - 1) // (parts - part)
      at = done * a_row + start * a_step
      for first in range(0, columns, two):
        tiles.multiply(
          a,
          at,
          a_row,
          a_step,
          packed,
          first * count,
          count,
          y,
          done * y_row + first,
          y_row,
          size,
          start,
        )
      done += size


@njit(**_how)
def turn(x, rows, width, columns, out):
  """x (rows, width), of which `columns` count, as (columns, rows)."""
  for start in range(0, rows, LANES):
    for c in range(columns):
      for r in range(start, min(start + LANES, rows)):
        out[c * rows + r] = x[r * width + c]


@njit(**_how)
def adam(p, m, v, g, numbers):
  """One step of Adam in one pass: p, m and v become the new ones.

  numbers: rate, b1, 1 - b1, b2, 1 - b2, 1 - b1 ** t, 1 - b2 ** t, epsilon.
  """
  rate, b1, a1, b2 = numbers[0], numbers[1], numbers[2], numbers[3]
  a2, c1, c2, epsilon = numbers[4], numbers[5], numbers[6], numbers[7]
  for i in range(len(p)):
    m[i] = b1 * m[i] + a1 * g[i]
    v[i] = b2 * v[i] + a2 * (g[i] * g[i])
    p[i] -= rate * ((m[i] / c1) / (np.sqrt(v[i] / c2) + epsilon))


@njit(**_how)
def copied(x, y):
  """y = x."""
  for i in range(len(x)):
    y[i] = x[i]
