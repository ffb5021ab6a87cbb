"""The convolution of grey clips row by row, and its gradient.

A row of outputs stays in the cache until everything that reads it is done. A
"place" is one position (t, h, w) of the output. Axes: T
frames, H rows, W columns, D filters; `taps` are the kernel's places. The
filters are padded with zeros to `width`, a multiple of `simd.LANES`.
"""

import functools

import numpy as np
from numba import types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import compiled, simd

LANES, TILE = simd.LANES, simd.TILE


def _convolution(vectors):
  """The intrinsic `convolve`, of one or two vectors of filters."""

  @intrinsic
  def convolve(
    context,
    x,
    x_at,
    x_step,
    offsets,
    first,
    taps,
    w,
    w_at,
    bias,
    b_at,
    floor,
    y,
    y_at,
    y_step,
    n,
  ):
    """Up to TILE neighbours along a row, times some taps of some filters.

    y[y_at + i * y_step + f] = bias[b_at + f] + sum of x[x_at + i * x_step +
    offsets[first + t]] * w[w_at + t, f] over t < taps, or `floor` if that is
    larger, for i < n; w holds vectors * LANES filters a tap. NaN stays NaN.
    """

    def generate(context, builder, signature, args):
      code = simd.Code(context, builder, signature, args)
      arrays = (0, 1), (3, 4), (6, 7), (8, 9), (11, 12)
      x, offsets, w, bias, y = (code.array(*a) for a in arrays)
      floor = code.broadcast(args[10])

      def tap(steps, i, w, *sums):
        here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
        weights = [code.load(w, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for step in steps:
          pixel = code.broadcast(builder.load(builder.gep(here, [step])))
          added += [code.fma(pixel, weight, next(sums)) for weight in weights]
        return [builder.gep(w, [code.int(vectors * LANES)]), *added]

      def write(places):
        steps = [builder.mul(args[2], code.int(i)) for i in range(places)]
        body = functools.partial(tap, steps)
        # Sums are values of the loop, which LLVM keeps in registers; in an
        # array they would be stored and loaded again for every tap.
        begin = [code.load(bias, v) for v in range(vectors)] * places
        _, *sums = code.loop(args[5], body, w, *begin)
        for place in range(places):
          row = builder.gep(y, [builder.mul(args[13], code.int(place))])
          for v in range(vectors):
            value = sums[place * vectors + v]
            low = builder.fcmp_ordered('<=', value, floor)
            code.store(builder.select(low, floor, value), row, v)

      code.choose(args[14], TILE, write)
      return context.get_dummy_value()

    i, f = types.intp, types.float32
    kinds = (x, i, i, offsets, i, i, w, i, bias, i, f, y, i, i, i)
    return types.void(*kinds), generate

  return convolve


def _kernel_gradient(vectors):
  """The intrinsic `correlate`, of one or two vectors of filters."""

  @intrinsic
  def correlate(
    context,
    x,
    x_at,
    x_step,
    offsets,
    first,
    g,
    g_at,
    g_step,
    places,
    w,
    w_at,
    w_step,
    n,
  ):
    """Adds a row of places to the gradient of up to TILE taps.

    w[w_at + t * w_step + f] += sum of x[x_at + p * x_step + offsets[first + t]]
    * g[g_at + p * g_step + f] over p < places, for t < n and vectors * LANES
    filters f.
    """

    def generate(context, builder, signature, args):
      code = simd.Code(context, builder, signature, args)
      x, offsets, g, w = (
        code.array(*a) for a in ((0, 1), (3, 4), (5, 6), (9, 10))
      )

      def place(steps, i, x, g, *sums):
        down = [code.load(g, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for step in steps:
          pixel = code.broadcast(builder.load(builder.gep(x, [step])))
          added += [code.fma(pixel, one, next(sums)) for one in down]
        return [builder.gep(x, [args[2]]), builder.gep(g, [args[7]]), *added]

      def write(taps):
        numbers = [code.int(t) for t in range(taps)]
        steps = [builder.load(builder.gep(offsets, [t])) for t in numbers]
        rows = [builder.gep(w, [builder.mul(args[11], t)]) for t in numbers]
        # The gradient is read before the loop and written after it, not at each
        # place.
        known = [code.load(row, v) for row in rows for v in range(vectors)]
        body = functools.partial(place, steps)
        _, _, *sums = code.loop(args[8], body, x, g, *known)
        for t, row in enumerate(rows):
          for v in range(vectors):
            code.store(sums[t * vectors + v], row, v)

      code.choose(args[12], TILE, write)
      return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, offsets, i, g, i, i, i, w, i, i, i), generate

  return correlate


_convolve_1, _convolve_2 = _convolution(1), _convolution(2)
_correlate_1, _correlate_2 = _kernel_gradient(1), _kernel_gradient(2)


@compiled.kernel
def padded_width(filters):
  """Returns `width`: the number of filters, padded to whole vectors."""
  return (filters + LANES - 1) // LANES * LANES


@compiled.kernel
def offsets_of(kernel, channels, frame_step, row_step):
  """Where each tap reads, in the order of the kernel (kt, kh, kw, C)."""
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
      if span > LANES:
        _convolve_2(
          x,
          start,
          x_step,
          offsets,
          skip,
          count,
          w,
          at,
          bias,
          f,
          floor,
          out,
          to,
          width,
          n,
        )
      else:
        _convolve_1(
          x,
          start,
          x_step,
          offsets,
          skip,
          count,
          w,
          at,
          bias,
          f,
          floor,
          out,
          to,
          width,
          n,
        )
    done += n


@compiled.kernel
def frames_last(x, frames, rows, columns):
  """A clip with its frames innermost, (H, W, T), followed by LANES zeros.

  The gradient of a kernel that is long in time then reads runs of frames. The
  zeros are read by the last vector, which reaches beyond the last frame.
  """
  out = np.zeros(frames * rows * columns + LANES, np.float32)
  places = rows * columns
  for start in range(0, places, 64):  # so many stay in the cache
    stop = min(start + 64, places)
    for t in range(frames):
      for p in range(start, stop):
        out[p * frames + t] = x[t * places + p]
  return out


@compiled.kernel
def run_columns(kernel, frames_):
  """Columns of the kernel whose pixels lie end to end in `frames_last`.

  All of a row if the kernel is as long as the clip, as with maps of channels.
  """
  return kernel[2] if kernel[0] == frames_ else 1


@compiled.kernel
def run_offsets(kernel, frames_, columns):
  """Offsets in `frames_last` of the kernel's rows, runs and vectors."""
  kt, kh, kw = kernel
  run = run_columns(kernel, frames_)
  vectors = (run * kt + LANES - 1) // LANES
  offsets = np.empty(kh * (kw // run) * vectors, np.int64)
  at = 0
  for h in range(kh):
    for w in range(0, kw, run):
      for v in range(vectors):
        offsets[at] = (h * columns + w) * frames_ + v * LANES
        at += 1
  return offsets


@compiled.kernel
def unpack_runs(into, kernel, frames_, filters, out):
  """The gradient in the kernel's order, (kt, kh, kw, D)."""
  kt, kh, kw = kernel
  run = run_columns(kernel, frames_)
  deep, runs = (run * kt + LANES - 1) // LANES * LANES, kh * kw // run
  for t in range(kt):
    for p in range(kh * kw):
      for f in range(filters):
        at = (f * runs + p // run) * deep + p % run * kt + t
        out[(t * kh * kw + p) * filters + f] = into[at]


@compiled.kernel
def add_row(x, x_at, x_step, offsets, row, row_step, places, width, into):
  """Adds what a row of places gives to the gradient (taps, width) of all taps.

  row: `row_step` numbers a place; whole vectors of it are read.
  """
  taps = len(offsets)
  parts = (taps + TILE - 1) // TILE
  done = 0
  for part in range(parts):
    n = (taps - done + parts - part - 1) // (parts - part)
    for f in range(0, width, 2 * LANES):
      to = done * width + f
      if width - f > LANES:
        _correlate_2(
          x,
          x_at,
          x_step,
          offsets,
          done,
          row,
          f,
          row_step,
          places,
          into,
          to,
          width,
          n,
        )
      else:
        _correlate_1(
          x,
          x_at,
          x_step,
          offsets,
          done,
          row,
          f,
          row_step,
          places,
          into,
          to,
          width,
          n,
        )
    done += n


@compiled.kernel
def unpack_kernel(into, taps, filters, out):
  """(taps, width) without the padding of the filters."""
  width = padded_width(filters)
  for t in range(taps):
    for f in range(filters):
      out[t * filters + f] = into[t * width + f]
