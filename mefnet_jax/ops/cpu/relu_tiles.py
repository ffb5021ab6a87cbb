"""The innermost loops of `relu`, as instructions on vectors of filters."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import simd

LANES = simd.LANES
MOST_FILTERS = 64  # on any processor
MOST = MOST_FILTERS // LANES  # vectors of filters, at most


@intrinsic
def rectify(
  context,
  row,
  row_at,
  bias,
  vectors,
  y,
  y_at,
  bits,
  bits_at,
  totals,
  peaks,
  places,
  n,
):
  """y = max(row + bias, 0) of vectors * LANES filters; bits: where above 0.

  Adds y to totals; where it is larger than peaks, replaces them and sets places
  to n. Returns its largest value, its sum, and the first filter with the
  largest value. NaN stays NaN, so that a diverged training is noticed.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    row, bias, y, bits = (
      code.array(*a) for a in ((0, 1), (2,), (4, 5), (6, 7))
    )
    totals, peaks, places = (code.array(n) for n in (8, 9, 10))
    bits = builder.bitcast(bits, simd.WORD.as_pointer())
    here = code.broadcast(builder.trunc(args[11], simd.SHORT))

    def write(vectors):
      values, total = [], simd.ZERO
      for i in range(vectors):
        at = code.number(i * LANES)
        value = builder.fadd(code.load(row, at=at), code.load(bias, at=at))
        # "Ordered" is false for NaN, which therefore passes the ReLU.
        low = builder.fcmp_ordered('<=', value, simd.ZERO)
        value = builder.select(low, simd.ZERO, value)
        code.store(value, y, at=at)
        above = builder.fcmp_unordered('>', value, simd.ZERO)
        word = builder.gep(bits, [code.number(i)])
        builder.store(builder.bitcast(above, simd.WORD), word).align = 1
        code.store(builder.fadd(code.load(totals, at=at), value), totals, at=at)
        code.keep_larger(value, peaks, places, at, here)
        total = builder.fadd(total, value)
        values.append(builder.bitcast(value, simd.LANES_OF_SHORT))
      peak = _largest(code, values)
      first = _first(code, values, peak)
      return builder.bitcast(peak, simd.FLOAT), code.sum(total), first

    # A program for each number of vectors: sums then stay in registers.
    kinds = simd.FLOAT, simd.FLOAT, simd.INT
    found = code.choose(args[3], MOST, write, *kinds)
    return context.make_tuple(builder, signature.return_type, found)

  i = types.intp
  answer = types.Tuple((types.float32, types.float32, types.intp))
  kinds = (row, i, bias, i, y, i, bits, i, totals, peaks, places, i)
  return answer(*kinds), generate


def _largest(code, values):
  """The largest number of some vectors of bits of floats that are not below 0.

  Those lie in the order of their bits, and NaN above all. As floats the lanes
  would be compared one after another, because of NaN.
  """
  largest = values[0]
  for value in values[1:]:
    larger = code.b.icmp_unsigned('>', value, largest)
    largest = code.b.select(larger, value, largest)
  return code.largest(largest)


def _first(code, values, number):
  """The first position in some vectors that holds the number."""
  found, everywhere = code.number(0), code.broadcast(number)
  for i in reversed(range(len(values))):
    equal = code.b.icmp_unsigned('==', values[i], everywhere)
    equal = code.b.bitcast(equal, simd.WORD)
    zeros = code.b.cttz(equal, ir.Constant(ir.IntType(1), 0))
    first = code.b.add(code.number(i * LANES), code.b.zext(zeros, simd.INT))
    none = code.b.icmp_unsigned('==', equal, ir.Constant(simd.WORD, 0))
    found = code.b.select(none, found, first)
  return found


@intrinsic
def mask_and_add(
  context, g, g_at, bits, bits_at, vectors, own, common, y, y_at, totals
):
  """y = g + own + common where the bit is set, else 0; adds y to totals.

  own and totals have a number for each filter. Returns whether any y is not 0.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    g, bits, own = (code.array(*a) for a in ((0, 1), (2, 3), (5,)))
    y, totals = code.array(7, 8), code.array(9)
    bits = builder.bitcast(bits, simd.WORD.as_pointer())
    common = code.broadcast(args[6])
    lanes = ir.VectorType(ir.IntType(1), LANES)

    def write(vectors):
      some = ir.Constant(simd.WORD, 0)
      for i in range(vectors):
        at = code.number(i * LANES)
        value = builder.fadd(code.load(g, at=at), code.load(own, at=at))
        value = builder.fadd(value, common)
        word = builder.load(builder.gep(bits, [code.number(i)]))
        word.align = 1
        # A select, not a product with 0: NaN times 0 would be NaN.
        value = builder.select(builder.bitcast(word, lanes), value, simd.ZERO)
        code.store(value, y, at=at)
        total = builder.fadd(code.load(totals, at=at), value)
        code.store(total, totals, at=at)
        other = builder.fcmp_unordered('!=', value, simd.ZERO)
        some = builder.or_(some, builder.bitcast(other, simd.WORD))
      return (some,)

    (some,) = code.choose(args[4], MOST, write, simd.WORD)
    some = builder.icmp_unsigned('!=', some, ir.Constant(simd.WORD, 0))
    return context.cast(builder, some, types.boolean, types.boolean)

  i = types.intp
  kinds = (g, i, bits, i, i, own, types.float32, y, i, totals)
  return types.boolean(*kinds), generate
