"""ReLU of maps, with the sums and maxima that attention needs, in one pass.

Axes: B clips, T frames, H rows, W columns, D filters.
"""

import jax
import numpy as np
from numba import carray

from mefnet_jax.ops import maps
from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  compiled,
  custom_calls,
  memory,
  relu_arrays,
  relu_rows,
  rows,
  signatures,
  simd,
)

_FORWARD = signatures.signature(
  'fbTHWd -> fbTHWd ubTHWd* fbd fbd ibd fbTHW fbTHW ibTHW'
)
_GRADIENT = signatures.signature(
  'ubTHWd* ibd ibTHW fbTHWd fbd fbd fbTHW fbTHW -> fbTHWd'
)


def takes(x_BTHWD: jax.Array) -> bool:
  """Whether `relu` accepts these: float32 maps of few filters."""
  few = x_BTHWD.ndim == 5 and x_BTHWD.shape[-1] <= relu_rows.MOST_FILTERS
  return few and x_BTHWD.dtype == np.float32


def relu(x_BTHWD: jax.Array) -> maps.Maps:
  """As `ops.relu`; the first of equal maxima gets the gradient."""
  return as_maps(*_relu(x_BTHWD))


def as_maps(
  y: jax.Array,
  mean: jax.Array,
  peak: jax.Array,
  map_mean: jax.Array,
  map_peak: jax.Array,
) -> maps.Maps:
  """The results of a kernel as `Maps`: its last two have (B, T, H, W)."""
  return maps.Maps(
    y, mean, peak, map_mean[..., None], map_peak[..., None], fused=True
  )


def results(batch: int, sizes: tuple[int, ...], filters: int) -> list[tuple]:
  """Shapes and types of what a kernel leaves of a ReLU.

  y; the bits that are set where y is above 0; of each filter the mean, the
  maximum and its place; of each place the mean, the maximum and its filter.

  Args:
    batch: clips.
    sizes: frames, rows, columns of the maps.
    filters: of the maps.
  """
  # A bit for each filter, padded to whole vectors.
  octets = -(-filters // simd.LANES) * simd.LANES // 8
  map_, clip = (batch, *sizes), (batch, filters)
  return [
    ((*map_, filters), np.float32),
    ((*map_, octets), np.uint8),
    (clip, np.float32),
    (clip, np.float32),
    (clip, np.int32),
    (map_, np.float32),
    (map_, np.float32),
    (map_, np.int32),
  ]


@jax.custom_vjp
def _relu(x):
  return _vjp_forward(x)[0]


def _vjp_forward(x):
  shapes = results(len(x), x.shape[1:4], x.shape[-1])
  y, bits, mean, peak, place, map_mean, map_peak, first = custom_calls.call(
    'relu', shapes, x
  )
  bits, mean, peak, place, map_mean, map_peak, first = custom_calls.saved(
    bits, mean, peak, place, map_mean, map_peak, first
  )
  # Not y: where it is above 0 is enough, in a thirty-second of the memory.
  return (y, mean, peak, map_mean, map_peak), (bits, place, first)


def _vjp_backward(known, bars):
  shape = bars[0].shape, np.float32
  return tuple(custom_calls.call('relu_gradient', [shape], *known, *bars))


_relu.defvjp(_vjp_forward, _vjp_backward)


@compiled.inlined
def _rectify(x, sizes, filters, bias, y, bits, clip, maps):
  """ReLU of one clip's maps (T, H, W, D); results: see `rectify_row`."""
  totals, peaks, places = clip
  width, columns = rows.padded_width(filters), sizes[2]
  row = np.zeros(columns * width, np.float32)
  in_row = np.zeros(width, np.float32)
  memory.fill(totals, 0)
  memory.fill(peaks, -1)  # below any ReLU
  memory.fill(places, 0)
  for n in range(0, sizes[0] * sizes[1] * columns, columns):
    _lay(x, n * filters, filters, row, 0, width, columns, filters)
    relu_rows.rectify_row(
      row, columns, n, bias, filters, y, bits, clip, maps, in_row
    )


@compiled.kernel
def _lay(x, x_at, x_step, y, y_at, y_step, count, size):
  """Copies `count` runs of `size` numbers that begin a step apart."""
  if x_step == y_step:  # filters that fill their vectors
    memory.copy(x, x_at, y, y_at, count * size)
  else:
    for i in range(count):
      for j in range(size):
        y[y_at + i * y_step + j] = x[x_at + i * x_step + j]


@compiled.handler
def _forward(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  x, made, filters = (
    arrays.floats(frame, 0, n),
    relu_arrays.results(frame, 1, n),
    n[4],
  )
  width = rows.padded_width(filters)
  totals, peaks = np.empty(width, np.float32), np.empty(width, np.float32)
  found, bias = np.empty(width, np.int32), np.zeros(width, np.float32)
  for b in range(n[0]):
    for p in range(arrays.parts(made[0])):
      y, bits, of_filters, maps = relu_arrays.of_clip(made, p, b)
      _rectify(
        arrays.clip(x, p, made[0], b),
        (n[1], n[2], n[3]),
        filters,
        bias,
        y,
        bits,
        (totals, peaks, found),
        maps,
      )
      clip = totals, peaks, found
      relu_rows.write_clip(clip, len(maps[0]), of_filters, filters)
  return 0


@compiled.inlined
def _mask(g, bits, clip, maps, columns, filters, out):
  """The gradient of one clip's maps; arguments: see `relu_rows.mask_row`."""
  width = rows.padded_width(filters)
  row, padded = np.zeros(columns * width, np.float32), np.zeros_like(clip[0])
  in_row = np.zeros(width, np.float32)
  for n in range(0, len(maps[0]), columns):
    args = clip, maps, row, in_row, padded
    relu_rows.mask_row(g, bits, n, columns, filters, *args)
    _lay(row, 0, width, out, n * filters, filters, columns, filters)


@compiled.handler
def _gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _GRADIENT)
  if answer != call_frame.WORK:
    return answer
  given, out = relu_arrays.gradients(frame, 0, n), arrays.floats(frame, 8, n)
  # Whole vectors of it are read: what lies beyond the filters must stay 0.
  filters, own = n[4], np.zeros(rows.padded_width(n[4]), np.float32)
  for b in range(n[0]):
    for p in range(arrays.parts(out)):
      g, bits, clip, maps = relu_arrays.gradients_of_clip(
        given, p, out, b, filters, own
      )
      to = arrays.clip(out, p, out, b)
      _mask(g, bits, clip, maps, n[3], filters, to)
  return 0


HANDLERS = {'relu': _forward, 'relu_gradient': _gradient}
