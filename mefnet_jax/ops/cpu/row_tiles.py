"""The innermost loops of `rows`, as instructions on vectors of filters."""

import functools

from numba import types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import simd

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
      places = (0, 1), (3, 4), (6, 7), (8, 9), (11, 12)
      arrays = [code.array(*a) for a in places]
      numbers = args[2], args[5], args[10], args[13]
      write = functools.partial(_convolve, code, vectors, numbers, *arrays)
      code.choose(args[14], TILE, write)
      return context.get_dummy_value()

    i, f = types.intp, types.float32
    kinds = (x, i, i, offsets, i, i, w, i, bias, i, f, y, i, i, i)
    return types.void(*kinds), generate

  return convolve


def _convolve(code, vectors, numbers, x, offsets, w, bias, y, places):
  """Writes the tile of so many places."""
  x_step, taps, floor, y_step = numbers
  builder = code.b
  steps = [builder.mul(x_step, code.number(i)) for i in range(places)]

  def tap(i, w, *sums):
    here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
    weights = [code.load(w, v) for v in range(vectors)]
    sums, added = iter(sums), []
    for step in steps:
      pixel = code.broadcast(builder.load(builder.gep(here, [step])))
      added += [code.fma(pixel, weight, next(sums)) for weight in weights]
    return [builder.gep(w, [code.number(vectors * LANES)]), *added]

  # Sums are values of the loop, which LLVM keeps in registers; in an array they
  # would be stored and loaded again for every tap.
  begin = [code.load(bias, v) for v in range(vectors)] * places
  _, *sums = code.loop(taps, tap, w, *begin, fills_registers=True)
  floor = code.broadcast(floor)
  for place in range(places):
    row = builder.gep(y, [builder.mul(y_step, code.number(place))])
    for v in range(vectors):
      value = sums[place * vectors + v]
      low = builder.fcmp_ordered('<=', value, floor)
      code.store(builder.select(low, floor, value), row, v)


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
      places = (0, 1), (3, 4), (5, 6), (9, 10)
      arrays = [code.array(*a) for a in places]
      numbers = args[2], args[7], args[8], args[11]
      write = functools.partial(_correlate, code, vectors, numbers, *arrays)
      code.choose(args[12], TILE, write)
      return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, offsets, i, g, i, i, i, w, i, i, i), generate

  return correlate


def _correlate(code, vectors, numbers, x, offsets, g, w, taps):
  """Adds to the gradient of so many taps."""
  x_step, g_step, places, w_step = numbers
  builder = code.b
  counted = [code.number(t) for t in range(taps)]
  steps = [builder.load(builder.gep(offsets, [t])) for t in counted]
  rows = [builder.gep(w, [builder.mul(w_step, t)]) for t in counted]

  def place(i, x, g, *sums):
    down = [code.load(g, v) for v in range(vectors)]
    sums, added = iter(sums), []
    for step in steps:
      pixel = code.broadcast(builder.load(builder.gep(x, [step])))
      added += [code.fma(pixel, one, next(sums)) for one in down]
    return [builder.gep(x, [x_step]), builder.gep(g, [g_step]), *added]

  # The gradient is read before the loop and written after it, not in between.
  known = [code.load(row, v) for row in rows for v in range(vectors)]
  _, _, *sums = code.loop(places, place, x, g, *known, fills_registers=True)
  for t, row in enumerate(rows):
    for v in range(vectors):
      code.store(sums[t * vectors + v], row, v)


convolve_1, convolve_2 = _convolution(1), _convolution(2)
correlate_1, correlate_2 = _kernel_gradient(1), _kernel_gradient(2)
