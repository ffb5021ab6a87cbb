"""The kernels of `convolve_relu`: see `relu_clips`.

Axes: T frames, H rows, W columns, C channels of a clip, m channels that the
convolution in space leaves (none: there is none), D filters; t, h, w the sizes
of the maps. `width` is the number of filters, padded to whole vectors.
"""

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  clips,
  compiled,
  relu_arrays,
  relu_clips,
  relu_rows,
  rows,
  signatures,
)

# The kernel in space is 1JKCm, the other one ijkcd; `_shape` compares sizes.
_FORWARD = signatures.signature(
  'fbTHWC f1JKCm fm fijkcd fd fb -> fbthwd ubthwd* fbd fbd ibd fbthw fbthw '
  'ibthw'
)
_GRADIENT = signatures.signature(
  'fbTHWC f1JKCm fm fijkcd ubthwd* ibd ibthw fbthwd fbd fbd fbthw fbthw -> '
  'f1JKCm fm fijkcd fd'
)


@compiled.kernel
def _shape(n):
  """Whether the sizes that a call binds fit, and a shape of `relu_clips`."""
  sizes, channels, window, middle = (n[1], n[2], n[3]), n[4], (n[5], n[6]), n[7]
  kernel, filters, out = (n[8], n[9], n[10]), n[12], (n[13], n[14], n[15])
  right = n[11] == (middle if middle else channels)
  # Behind a convolution in space the other one is in time alone.
  right &= not middle or (kernel[1] == 1 and kernel[2] == 1)
  right &= out[0] == sizes[0] - kernel[0] + 1
  right &= out[1] == sizes[1] - window[0] - kernel[1] + 2
  right &= out[2] == sizes[2] - window[1] - kernel[2] + 2
  flat = (1, window[0], window[1]), middle, (sizes[0], 1, out[2])
  in_space = sizes, channels, *flat
  return right, (sizes, channels, kernel, filters, out, in_space)


@compiled.kernel
def _in_space(kernel, bias, shape):
  """Kernel and bias in space as `relu_clips` reads them, of one part."""
  compiled.for_size()
  _, channels, flat, middle, _ = shape[5]
  return clips.pack(kernel, flat, channels, middle, 1), _padded(bias, middle)


@compiled.kernel
def _of_maps(w, bias, shape):
  """The other kernel, which reads clips or what is left of them, and bias."""
  compiled.for_size()
  _, channels, kernel, filters, _, in_space = shape
  seen = in_space[3] if in_space[3] else channels
  return clips.pack(w, kernel, seen, filters, 1), _padded(bias, filters)


@compiled.kernel
def _padded(values, count):
  """A bias, padded with zeros to whole vectors."""
  compiled.for_size()
  out = np.zeros(rows.padded_width(count), np.float32)
  relu_rows.scale_into(values, 1.0, out, count)
  return out


@compiled.handler
def _convolve_relu(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  fits, shape = _shape(n)
  if not fits:
    return call_frame.misfit(frame, 6)
  x, space = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  space_bias, w = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n)
  bias, used = arrays.floats(frame, 4, n), arrays.floats(frame, 5, n)
  made = relu_arrays.results(frame, 6, n)
  y, filters, room = made[0], shape[3], relu_clips.room_of(shape)
  width = rows.padded_width(filters)
  totals, peaks = np.empty(width, np.float32), np.empty(width, np.float32)
  clip = totals, peaks, np.empty(width, np.int32)
  packed = [
    (
      _in_space(arrays.part(space, p, y), arrays.part(space_bias, p, y), shape),
      _of_maps(arrays.part(w, p, y), arrays.part(bias, p, y), shape),
    )
    for p in range(arrays.parts(y))
  ]
  for b in range(n[0]):
    for p in range(arrays.parts(y)):
      if arrays.clip(used, p, y, b)[0] == 0:
        relu_arrays.leave_out(made, p, b)
        continue
      to, bits, of_filters, maps = relu_arrays.of_clip(made, p, b)
      seen, (in_space, weights) = arrays.clip(x, p, y, b), packed[p]
      relu_clips.rectify(
        seen, in_space, weights, shape, room, to, bits, clip, maps
      )
      relu_rows.write_clip(clip, len(maps[0]), of_filters, filters)
  return 0


@compiled.kernel
def _zeros(shape):
  """The gradients of kernels and biases, with padded filters."""
  compiled.for_size()
  (_, channels, kernel, filters, _, in_space) = shape
  middle, window = in_space[3], in_space[2]
  width, wide = rows.padded_width(filters), rows.padded_width(middle)
  taps = kernel[0] * kernel[1] * kernel[2] * (middle if middle else channels)
  in_space = (
    np.zeros(window[1] * window[2] * channels * wide, np.float32),
    np.zeros(wide, np.float32),
  )
  return (
    in_space,
    np.zeros(taps * width, np.float32),
    np.zeros(width, np.float32),
  )


@compiled.handler
def _convolve_relu_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _GRADIENT)
  if answer != call_frame.WORK:
    return answer
  fits, shape = _shape(n)
  if not fits:
    return call_frame.misfit(frame, 4)
  x, space = arrays.floats(frame, 0, n), arrays.floats(frame, 1, n)
  space_bias, w = arrays.floats(frame, 2, n), arrays.floats(frame, 3, n)
  bars = relu_arrays.gradients(frame, 4, n)
  out, out_bias = arrays.floats(frame, 14, n), arrays.floats(frame, 15, n)
  to_space = arrays.floats(frame, 12, n)
  to_space_bias = arrays.floats(frame, 13, n)
  middle, filters, parts = n[7], shape[3], arrays.parts(out)
  packed = [
    (
      _in_space(
        arrays.part(space, p, out),
        arrays.part(space_bias, p, out),
        shape,
      ),
      relu_clips.pack_turned(arrays.part(w, p, out), shape),
      _zeros(shape),
    )
    for p in range(parts)
  ]
  room = relu_clips.gradient_room_of(shape)
  # Whole vectors of it are read: what lies beyond the filters must stay 0.
  own = np.zeros(rows.padded_width(filters), np.float32)
  for b in range(n[0]):
    for p in range(parts):
      given = relu_arrays.gradients_of_clip(bars, p, out, b, filters, own)
      seen, (in_space, back, into) = arrays.clip(x, p, out, b), packed[p]
      relu_clips.add_gradient(seen, in_space, back, given, shape, room, into)
  for p in range(parts):
    (kernel, bias), whole, whole_bias = packed[p][2]
    to, taps = arrays.part(to_space, p, out), n[5] * n[6] * n[4]
    rows.unpack_kernel(kernel, taps, middle, to)
    to, taps = arrays.part(out, p, out), n[8] * n[9] * n[10] * n[11]
    rows.unpack_kernel(whole, taps, filters, to)
    to = arrays.part(to_space_bias, p, out)
    relu_rows.scale_into(bias, 1.0, to, middle)
    to = arrays.part(out_bias, p, out)
    relu_rows.scale_into(whole_bias, 1.0, to, filters)
  return 0


HANDLERS = {
  'convolve_relu': _convolve_relu,
  'convolve_relu_gradient': _convolve_relu_gradient,
}
