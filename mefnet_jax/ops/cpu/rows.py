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
  def convolve(context, x, x_at, offsets, w, w_at, taps, y, y_at, step, n):
    """Up to TILE neighbours along a row, times all taps of some filters.

    y[y_at + i * step + f] = sum of x[x_at + i + offsets[t]] * w[t, f] over
    t < taps, for i < n; w holds vectors * LANES filters a tap.
    """

    def generate(context, builder, signature, args):
      code = simd.Code(context, builder, signature, args)
      x, offsets, w, y = (
        code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7))
      )

      def tap(places, i, w, *sums):
        here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
        weights = [code.load(w, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for place in range(places):
          pixel = builder.load(builder.gep(here, [code.int(place)]))
          pixel = code.broadcast(pixel)
          added += [code.fma(pixel, weight, next(sums)) for weight in weights]
        return [builder.gep(w, [code.int(vectors * LANES)]), *added]

      def write(places):
        body = functools.partial(tap, places)
        # Sums are values of the loop, which LLVM keeps in registers; in an
        # array they would be stored and loaded again for every tap.
        zeros = [simd.ZERO] * (places * vectors)
        _, *sums = code.loop(args[5], body, w, *zeros)
        for place in range(places):
          row = builder.gep(y, [builder.mul(args[8], code.int(place))])
          for v in range(vectors):
            code.store(sums[place * vectors + v], row, v)

      code.choose(args[9], TILE, write)
      return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, offsets, w, i, i, y, i, i, i), generate

  return convolve


def _kernel_gradient(vectors):
  """The intrinsic `correlate`, of one or two vectors of filters."""

  @intrinsic
  def correlate(context, x, x_at, step, g, g_at, width, places, w, w_at, n):
    """Adds a row of places to the gradient of up to TILE taps.

    w[w_at + t * width + f] += sum of x[x_at + p * step + t] *
    g[g_at + p * width + f] over p < places, for t < n and vectors * LANES
    filters f.
    """

    def generate(context, builder, signature, args):
      code = simd.Code(context, builder, signature, args)
      x, g, w = (code.array(*a) for a in ((0, 1), (3, 4), (7, 8)))

      def place(taps, i, x, g, *sums):
        down = [code.load(g, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for t in range(taps):
          pixel = builder.load(builder.gep(x, [code.int(t)]))
          pixel = code.broadcast(pixel)
          added += [code.fma(pixel, one, next(sums)) for one in down]
        return [builder.gep(x, [args[2]]), builder.gep(g, [args[5]]), *added]

      def write(taps):
        rows = [
          builder.gep(w, [builder.mul(args[5], code.int(t))])
          for t in range(taps)
        ]
        # The gradient is read before the loop and written after it, not at each
        # place.
        known = [code.load(row, v) for row in rows for v in range(vectors)]
        body = functools.partial(place, taps)
        _, _, *sums = code.loop(args[6], body, x, g, *known)
        for t, row in enumerate(rows):
          for v in range(vectors):
            code.store(sums[t * vectors + v], row, v)

      code.choose(args[9], TILE, write)
      return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, g, i, i, i, w, i, i), generate

  return correlate


_convolve_1, _convolve_2 = _convolution(1), _convolution(2)
_correlate_1, _correlate_2 = _kernel_gradient(1), _kernel_gradient(2)


@compiled.kernel
def padded_width(filters):
  """Returns `width`: the number of filters, padded to whole vectors."""
  return (filters + LANES - 1) // LANES * LANES


@compiled.kernel
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
def convolve_row(x, x_at, offsets, w, width, out, places):
  """`places` neighbours along a row, all filters: out (places, width)."""
  taps = len(offsets)
  # Tiles of similar size: a last tile of one place would leave most registers
  # unused while it reads all the weights.
  parts = (places + TILE - 1) // TILE
  done = 0
  for part in range(parts):
    size = (places - done + parts - part - 1) // (parts - part)
    x_from = x_at + done
    for first in range(0, width, 2 * LANES):
      at, to = first * taps, done * width + first
      if width - first > LANES:
        _convolve_2(x, x_from, offsets, w, at, taps, out, to, width, size)
      else:
        _convolve_1(x, x_from, offsets, w, at, taps, out, to, width, size)
    done += size


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
def add_row(x, start, row, kernel, frames, columns, places, width, into):
  """Adds what one row of places gives to the gradient of all taps."""
  kt, kh, kw = kernel
  parts = (kt + TILE - 1) // TILE
  for tap in range(kh * kw):
    at = start + (tap // kw * columns + tap % kw) * frames
    done = 0
    for part in range(parts):
      n = (kt - done + parts - part - 1) // (parts - part)
      to, x_at = (tap * kt + done) * width, at + done
      for f in range(0, width, 2 * LANES):
        if width - f > LANES:
          _correlate_2(x, x_at, frames, row, f, width, places, into, to + f, n)
        else:
          _correlate_1(x, x_at, frames, row, f, width, places, into, to + f, n)
      done += n


@compiled.kernel
def unpack_kernel(into, kernel, filters, out):
  """(kh * kw, kt, width) in the kernel's order, (kt, kh, kw, D)."""
  kt, kh, kw = kernel
  width = padded_width(filters)
  for t in range(kt):
    for p in range(kh * kw):
      to, row = (t * kh * kw + p) * filters, (p * kt + t) * width
      for f in range(filters):
        out[to + f] = into[row + f]
