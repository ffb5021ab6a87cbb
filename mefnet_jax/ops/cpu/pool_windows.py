"""What `max_pool` and `pools` do to windows, as instructions on vectors."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import compiled, simd

LANES = simd.LANES


@compiled.kernel
def grid(sizes, steps):
  """The sums of so many steps along each axis, the last one innermost."""
  compiled.for_size()
  out, at = np.empty(sizes[0] * sizes[1] * sizes[2], np.int64), 0
  for t in range(sizes[0]):
    for h in range(sizes[1]):
      for w in range(sizes[2]):
        out[at] = t * steps[0] + h * steps[1] + w * steps[2]
        at += 1
  return out


@intrinsic
def keep(context, y, best, chosen, cells, wide, vectors, number):
  """Keeps in best and chosen, of each cell, what is larger in a row of y.

  best and chosen (cells, vectors * LANES), y (cells * wide, vectors * LANES);
  the first of equals stays, and NaN. `number` is that of a cell's first place
  in the window; 0 begins.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    y, best, chosen = (code.array(n) for n in range(3))
    _, _, _, cells, wide, vectors, number = args
    width = builder.mul(vectors, code.number(LANES))

    def cell(c):
      first = builder.mul(builder.mul(c, wide), width)

      def vector(v):
        lane = builder.mul(v, code.number(LANES))
        at = builder.add(builder.mul(c, width), lane)

        def place(n, old, known):
          to = builder.add(builder.add(first, builder.mul(n, width)), lane)
          here = builder.add(number, n)
          begins = builder.icmp_signed('==', here, code.number(0))
          value = code.load(y, at=to)
          larger = code.is_larger(value, old, code.broadcast(begins))
          here = code.broadcast(builder.trunc(here, simd.SHORT))
          return [
            builder.select(larger, value, old),
            builder.select(larger, here, known),
          ]

        known = code.load(chosen, at=at, kind=simd.LANES_OF_SHORT)
        found = code.loop(wide, place, code.load(best, at=at), known)
        for result, array in zip(found, (best, chosen), strict=True):
          code.store(result, array, at=at)
        return []

      code.loop(vectors, vector)
      return []

    code.loop(cells, cell)
    return context.get_dummy_value()

  i = types.intp
  return types.void(y, best, chosen, i, i, i, i), generate


@intrinsic
def add(context, x, x_at, offsets, count, factor, y, y_at):
  """y[y_at + i * LANES + l] += factor * x[x_at + offsets[i] + l], i < count."""

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    x, offsets, y = (code.array(*a) for a in ((0, 1), (2,), (5, 6)))
    factor = code.broadcast(args[4])

    def window(i, y):
      here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
      code.store(code.fma(factor, code.load(here), code.load(y)), y)
      return [builder.gep(y, [code.number(LANES)])]

    code.loop(args[3], window, y)
    return context.get_dummy_value()

  i = types.intp
  kinds = (x, i, offsets, i, types.float32, y, i)
  return types.void(*kinds), generate


@intrinsic
def spread(context, x, x_at, offsets, count, factor, y, y_at):
  """y[y_at + offsets[i] + l] += factor * x[x_at + i * LANES + l], i < count."""

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    x, offsets, y = (code.array(*a) for a in ((0, 1), (2,), (5, 6)))
    factor = code.broadcast(args[4])

    def window(i, x):
      to = builder.gep(y, [builder.load(builder.gep(offsets, [i]))])
      code.store(code.fma(factor, code.load(x), code.load(to)), to)
      return [builder.gep(x, [code.number(LANES)])]

    code.loop(args[3], window, x)
    return context.get_dummy_value()

  i = types.intp
  kinds = (x, i, offsets, i, types.float32, y, i)
  return types.void(*kinds), generate


@intrinsic
def weighed(
  context,
  y,
  weight,
  corner,
  steps,
  count,
  filters,
  first,
  plain,
  weighed,
  value,
  plain_choice,
  weighed_choice,
  at,
):
  """The largest of y and of y * weight over the places of a window.

  The places are corner + steps[i], i < count; y has `filters` numbers a place,
  of which LANES from `first` on are looked at. Written, behind `at`: the
  largest y, the largest y * weight and its y, and which i the two are of. The
  first of equals stays, and NaN.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    y, weight, steps = code.array(0, 6), code.array(1), code.array(3)
    outputs = [code.array(n, 12) for n in range(7, 12)]
    none = ir.Constant(simd.LANES_OF_SHORT, None)

    def place(i, plain, weighed, value, plain_choice, weighed_choice):
      here = builder.add(args[2], builder.load(builder.gep(steps, [i])))
      new = code.load(y, at=builder.mul(here, args[5]))
      factor = builder.load(builder.gep(weight, [here]))
      scaled = builder.fmul(new, code.broadcast(factor))
      number = code.broadcast(builder.trunc(i, simd.SHORT))
      begins = builder.icmp_signed('==', i, code.number(0))
      begins = code.broadcast(begins)
      larger = code.is_larger(new, plain, begins)
      larger_scaled = code.is_larger(scaled, weighed, begins)
      return [
        builder.select(larger, new, plain),
        builder.select(larger_scaled, scaled, weighed),
        builder.select(larger_scaled, new, value),
        builder.select(larger, number, plain_choice),
        builder.select(larger_scaled, number, weighed_choice),
      ]

    found = code.loop(
      args[4], place, simd.ZERO, simd.ZERO, simd.ZERO, none, none
    )
    for value, to in zip(found, outputs, strict=True):
      code.store(value, to)
    return context.get_dummy_value()

  i = types.intp
  outputs = plain, weighed, value, plain_choice, weighed_choice
  return types.void(y, weight, i, steps, i, i, i, *outputs, i), generate
