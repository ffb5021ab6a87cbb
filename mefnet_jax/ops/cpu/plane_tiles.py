"""The innermost loops of `planes`, as instructions on vectors of places."""

from numba import types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import simd

LANES, TILE = simd.LANES, simd.TILE


@intrinsic
def slide(context, x, x_at, offsets, w, w_at, taps, y, y_at, n):
  """Up to TILE vectors of neighbours, times the taps of one filter.

  y[y_at + i] = sum of x[x_at + i + offsets[t]] * w[w_at + t] over t < taps,
  for i < n * LANES.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    x, offsets, w, y = (code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7)))

    def tap(i, *sums):
      here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
      # One load of a weight serves all vectors of the tile.
      weight = code.broadcast(builder.load(builder.gep(w, [i])))
      return [
        code.fma(weight, code.load(here, v), total)
        for v, total in enumerate(sums)
      ]

    def write(vectors):
      for v, total in enumerate(
        code.loop(args[5], tap, *[simd.ZERO] * vectors)
      ):
        code.store(total, y, v)

    code.choose(args[8], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(x, i, offsets, w, i, i, y, i, i), generate


@intrinsic
def slide_gradient(context, x, x_at, offsets, g, g_at, taps, w, w_at, n):
  """Adds some vectors of places to the gradient of the taps of `slide`.

  w[w_at + t * LANES + l] += sum of x[x_at + i + offsets[t]] * g[g_at + i] over
  the i of lane l, i < n * LANES. The gradient is the sum over the lanes, which
  is taken once at the end: adding up a vector is slow.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    x, offsets, g, w = (code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7)))

    def write(vectors):
      down = [code.load(g, v) for v in range(vectors)]

      def tap(i, w):
        here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
        total = code.load(w)
        for v in range(vectors):
          total = code.fma(down[v], code.load(here, v), total)
        code.store(total, w)
        return [builder.gep(w, [code.number(LANES)])]

      code.loop(args[5], tap, w)

    code.choose(args[8], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(x, i, offsets, g, i, i, w, i, i), generate
