"""Convolution and ReLU with the sums that micro-attention needs, of one clip.

A convolution in space of each frame, with a ReLU, may come first: (2+1)D. What
it leaves exists for one row of all frames at a time.

Axes: T frames, H rows, W columns, C channels of a clip, m channels that the
convolution in space leaves (none: there is none), D filters; t, h, w the sizes
of the maps. `width` is the number of filters, padded to whole vectors. A
`shape` is as in `clips`, of the clip, kernel and maps, followed by the one of a
row of the convolution in space.
"""

import numpy as np

from mefnet_jax.ops.cpu import clips, compiled, memory, relu_rows, rows


@compiled.inlined
def room_of(shape):
  """Room for `rectify`: a row in space (T, w, m), and of `clips.room_of`."""
  _, _, _, middle, (frames, _, columns) = shape[5]
  row = np.zeros(frames * columns * middle + clips.LANES, np.float32)
  return row, clips.room_of(shape[5], 1)


@compiled.inlined
def gradient_room_of(shape):
  """Room for `add_gradient`: as `room_of`, and for gradients on the way."""
  turned, (_, _, _, filters, (nt, _, nw), in_space) = _turned(shape), shape
  (row, room), width = room_of(shape), rows.padded_width(filters)
  end = np.zeros(rows.padded_width(_block(shape) * in_space[3]), np.float32)
  return (
    (row, room),
    (np.zeros_like(row), clips.room_of(turned, _block(shape)), end),
    clips.gradient_room_of(in_space),
    (np.zeros(nt * nw * width, np.float32), np.zeros(nt, np.bool_)),
    (np.zeros(width, np.float32), np.zeros(width, np.float32)),
  )


@compiled.inlined
def _turned(shape):
  """The shape of the convolution from a row of gradients to one in space.

  Its channels are filters, padded to whole vectors.
  """
  sizes, _, kernel, filters, (nt, _, nw), in_space = shape
  width = rows.padded_width(filters)
  return (nt, 1, nw), width, kernel, in_space[3], (sizes[0], 1, nw)


@compiled.inlined
def _block(shape):
  """Frames that share vectors in the convolution of `_turned`."""
  middle = shape[5][3]
  return clips.block_of(shape[2], middle, shape[0][0]) if middle else 1


@compiled.inlined
def pack_turned(w, shape):
  """The kernel in time, turned, as `add_gradient` reads it."""
  _, _, kernel, filters, _, (_, _, _, middle, _) = shape
  width = rows.padded_width(filters)
  wide = np.zeros(kernel[0] * middle * width, np.float32)
  for tap in range(kernel[0] * middle):
    for f in range(filters):
      wide[tap * width + f] = w[tap * filters + f]
  turned = clips.turned(wide, kernel, middle, width)
  return clips.pack(turned, kernel, width, middle, _block(shape))


@compiled.inlined
def _in_space(x, h, weights, shape, room, middle):
  """Row h of the convolution in space, of all frames: middle (T, w, m)."""
  packed, bias = weights
  end, at = (bias, np.float32(0)), h * shape[0][2] * shape[1]
  clips.convolve_clip(x[at:], packed, end, shape, 0, 1, room, middle)


@compiled.inlined
def _offsets(sizes, channels, kernel, middle, columns):
  """Where each tap reads; steps to the next frame, row and place.

  In the clip, or in a row of what the convolution in space leaves.
  """
  if middle:
    frame_step, row_step, step = columns * middle, 0, middle
  else:
    row_step, step = sizes[2] * channels, channels
    frame_step = sizes[1] * row_step
  offsets = rows.offsets_of(kernel, step, frame_step, row_step)
  return offsets, (frame_step, row_step, step)


@compiled.inlined
def rectify(x, space, weights, shape, room, y, bits, clip, maps):
  """ReLU(VALID convolution + bias) of one clip.

  space and weights: packed kernel and bias; room: of `room_of`; results: see
  `rectify_row`.
  """
  (totals, peaks, places), (w, bias) = clip, weights
  sizes, channels, kernel, filters, (nt, nh, nw), in_space = shape
  width, middle = rows.padded_width(filters), in_space[3]
  offsets, steps = _offsets(sizes, channels, kernel, middle, nw)
  start_of_taps = np.int64(0)
  taps, packed = (offsets, start_of_taps, len(offsets)), (w, width)
  row, in_row = np.empty(nw * width, np.float32), np.zeros(width, np.float32)
  # The ReLU adds the bias: it must know what is below 0.
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  memory.fill(totals, 0)
  memory.fill(peaks, -1)  # below any ReLU
  memory.fill(places, 0)
  frame_peaks = np.full((nt, width), np.float32(-1))
  frame_places = np.zeros((nt, width), np.int32)
  middle_row, in_room = room
  seen = middle_row if middle else x
  # Frames innermost: the rows that they share then stay in the cache.
  for h in range(nh):
    if middle:
      _in_space(x, h, space, in_space, in_room, middle_row)
    for t in range(nt):
      start, n = t * steps[0] + h * steps[1], (t * nh + h) * nw
      rows.convolve_row(
        seen, start, steps[2], taps, packed, end, row, start_of_taps, nw
      )
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


@compiled.inlined
def add_gradient(x, space, back, given, shape, room, into):
  """Adds one clip's share to the gradients `into` of kernels and biases.

  back: of `pack_turned`; given: g, bits, clip and maps of `mask_row`; room: of
  `gradient_room_of`; into: with padded filters, in space and then of the maps.
  """
  (g, bits, clip, maps), (to_space, to_kernel, to_bias) = given, into
  sizes, channels, kernel, filters, (nt, nh, nw), in_space = shape
  width, middle = rows.padded_width(filters), in_space[3]
  offsets, steps = _offsets(sizes, channels, kernel, middle, nw)
  size, taps = nw * width, len(offsets)
  (middle_row, in_room), _, _, (down, some), (in_row, padded) = room
  seen = middle_row if middle else x
  for h in range(nh):
    count = 0
    for t in range(nt):
      row = down[t * size : (t + 1) * size]
      n = (t * nh + h) * nw
      some[t] = relu_rows.mask_row(
        g, bits, n, nw, filters, clip, maps, row, in_row, padded
      )
      count += some[t]
    for f in range(width):
      to_bias[f] += in_row[f]
      in_row[f] = 0
    if count == 0:  # all zero where the fold holds the clip out: no product
      continue
    if middle:
      _in_space(x, h, space, in_space, in_room, middle_row)
    for t in range(nt):
      if some[t]:
        row = down[t * size : (t + 1) * size]
        start, args = t * steps[0] + h * steps[1], (width, nw, width, to_kernel)
        rows.add_row(seen, start, steps[2], offsets, 0, taps, row, *args)
    if middle:
      _add_space_gradient(x, h, back, down, shape, room, to_space)


@compiled.inlined
def _add_space_gradient(x, h, back, down, shape, room, into):
  """Adds what row h gives to the gradients of kernel and bias in space.

  down: the gradient (t, w, width) of the row's maps.
  """
  sizes, channels, kernel, _, _, in_space = shape
  (seen, _), (to_row, turned_room, end), kernel_room, _, _ = room
  clips.convolve_clip(
    down,
    back,
    (end, np.float32(-np.inf)),
    _turned(shape),
    kernel[0] - 1,
    _block(shape),
    turned_room,
    to_row,
  )
  x, floor = x[h * sizes[2] * channels :], np.float32(0)
  to_kernel, to_bias = into
  clips.add_kernel_gradient(
    x, seen, to_row, floor, in_space, 0, kernel_room, to_kernel, to_bias
  )
