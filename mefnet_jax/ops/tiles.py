"""Small loops whose sums stay in the processor's registers, for `kernels`.

Numba cannot be told which values stay in registers, so these few loops are
written as LLVM instructions over vectors of `LANES` numbers; they run on any
processor that LLVM compiles for. All arrays are flat float32 (offsets int64);
`at` is where in an array a loop begins.
"""

import functools

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

_FEATURES = binding.get_host_cpu_features()
_WIDE = bool(_FEATURES.get('avx512f'))
LANES = 16 if _WIDE else 8
# Accumulators of a tile: 2 vectors of filters times so many places.
TILE = 12 if _WIDE else 6

# Whether compiled kernels are kept. The folder is of these files alone, as
# `compilation` sees to: Numba looks at a function's own file only.
KEPT = bool(config.CACHE_DIR)

MOST = 8  # vectors of filters, at most, of what attention looks at

_FLOAT, _INT, _SHORT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_WORD = ir.IntType(LANES)  # a bit for each lane
_LANES_OF_SHORT = ir.VectorType(_SHORT, LANES)
_ZERO = ir.Constant(_VECTOR, None)


class _Code:
  """Instructions on vectors, at the place where a builder writes."""

  def __init__(self, context, builder, signature, args):
    self.b = builder
    self._given = context, signature, args

  def array(self, number, at=None):
    """The address of an array argument, at the argument `at`."""
    context, signature, args = self._given
    made = cgutils.create_struct_proxy(signature.args[number])
    data = made(context, self.b, args[number]).data
    return data if at is None else self.b.gep(data, [args[at]])

  def int(self, value):
    return ir.Constant(_INT, value)

  def load(self, address, steps=0, *, at=None, kind=_VECTOR):
    """A vector, `steps` vectors or `at` numbers behind the address."""
    at = self.int(steps * LANES) if at is None else at
    address = self.b.gep(address, [at])
    value = self.b.load(self.b.bitcast(address, kind.as_pointer()))
    value.align = 4
    return value

  def store(self, value, address, steps=0, *, at=None):
    at = self.int(steps * LANES) if at is None else at
    address = self.b.gep(address, [at])
    place = self.b.bitcast(address, value.type.as_pointer())
    self.b.store(value, place).align = 4

  def everywhere(self, number):
    """A vector that holds one number in each lane."""
    empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    one = self.b.insert_element(empty, number, ir.Constant(_SHORT, 0))
    lanes = ir.Constant(_LANES_OF_SHORT, [0] * LANES)
    return self.b.shuffle_vector(one, empty, lanes)

  def fma(self, x, y, z):
    """x * y + z, rounded once where the processor can."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f'llvm.fmuladd.v{LANES}f32'
    known = cgutils.get_or_insert_function(self.b.module, kind, name)
    return self.b.call(known, [x, y, z])

  def keep_larger(self, value, best, places, at, place, begins=None):
    """Keeps the larger of a vector and of best[at:], and where it was."""
    old = self.load(best, at=at)
    larger = self.is_larger(value, old, begins)
    self.store(self.b.select(larger, value, old), best, at=at)
    known = self.load(places, at=at, kind=place.type)
    self.store(self.b.select(larger, place, known), places, at=at)

  def is_larger(self, value, old, begins=None):
    """Where a value is larger than the old one, is NaN, or the first of all."""
    larger = self.b.fcmp_ordered('>', value, old)
    larger = self.b.or_(larger, self.b.fcmp_unordered('uno', value, value))
    return larger if begins is None else self.b.or_(larger, begins)

  def reduced(self, how, value, *start):
    """One number of a vector: its largest ('fmax') or its sum ('fadd')."""
    kind = ir.FunctionType(_FLOAT, [*(s.type for s in start), _VECTOR])
    name = f'llvm.vector.reduce.{how}.v{LANES}f32'
    known = cgutils.get_or_insert_function(self.b.module, kind, name)
    return self.b.call(known, [*start, value], fastmath=('reassoc',))

  def loop(self, count, body, *first):
    """`values = body(i, *values)` for i of count > 0; returns the last."""
    before = self.b.basic_block
    inside = self.b.append_basic_block('body')
    after = self.b.append_basic_block('after')
    self.b.branch(inside)
    self.b.position_at_end(inside)
    i = self.b.phi(_INT)
    i.add_incoming(self.int(0), before)
    values = [self.b.phi(value.type) for value in first]
    for value, start in zip(values, first, strict=True):
      value.add_incoming(start, before)
    results = body(i, *values)
    following = self.b.add(i, self.int(1))
    i.add_incoming(following, self.b.basic_block)
    for value, result in zip(values, results, strict=True):
      value.add_incoming(result, self.b.basic_block)
    self.b.cbranch(self.b.icmp_signed('<', following, count), inside, after)
    self.b.position_at_end(after)
    return results

  def choose(self, number, most, write):
    """Runs what `write(n)` writes for the n of 1 to `most` that `number` is."""
    after = self.b.append_basic_block('chosen')
    switch = self.b.switch(number, after)
    for n in range(1, most + 1):
      block = self.b.append_basic_block(f'of_{n}')
      switch.add_case(self.int(n), block)
      self.b.position_at_end(block)
      write(n)
      self.b.branch(after)
    self.b.position_at_end(after)


def _convolution(vectors):
  """The intrinsic `convolve`, of one or two vectors of filters."""

  @intrinsic
  def convolve(context, x, x_at, offsets, w, w_at, taps, y, y_at, step, n):
    """Up to TILE neighbours along a row, times all taps of some filters.

    y[y_at + i * step + f] = sum of x[x_at + i + offsets[t]] * w[t, f] over
    t < taps, for i < n; w holds vectors * LANES filters a tap.
    """

    def generate(context, builder, signature, args):
      code = _Code(context, builder, signature, args)
      x, offsets, w, y = (
        code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7))
      )

      def tap(places, i, w, *sums):
        here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
        weights = [code.load(w, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for place in range(places):
          pixel = builder.load(builder.gep(here, [code.int(place)]))
          pixel = code.everywhere(pixel)
          added += [code.fma(pixel, weight, next(sums)) for weight in weights]
        return [builder.gep(w, [code.int(vectors * LANES)]), *added]

      def write(places):
        body = functools.partial(tap, places)
        zeros = [_ZERO] * (places * vectors)
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
      code = _Code(context, builder, signature, args)
      x, g, w = (code.array(*a) for a in ((0, 1), (3, 4), (7, 8)))

      def place(taps, i, x, g, *sums):
        down = [code.load(g, v) for v in range(vectors)]
        sums, added = iter(sums), []
        for t in range(taps):
          pixel = builder.load(builder.gep(x, [code.int(t)]))
          pixel = code.everywhere(pixel)
          added += [code.fma(pixel, one, next(sums)) for one in down]
        return [builder.gep(x, [args[2]]), builder.gep(g, [args[5]]), *added]

      def write(taps):
        rows = [
          builder.gep(w, [builder.mul(args[5], code.int(t))])
          for t in range(taps)
        ]
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


@intrinsic
def slide(context, x, x_at, offsets, w, w_at, taps, y, y_at, n):
  """Up to TILE vectors of neighbours, times the taps of one filter.

  y[y_at + i] = sum of x[x_at + i + offsets[t]] * w[w_at + t] over t < taps,
  for i < n * LANES.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    x, offsets, w, y = (code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7)))

    def tap(i, *sums):
      here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
      weight = code.everywhere(builder.load(builder.gep(w, [i])))
      return [
        code.fma(weight, code.load(here, v), total)
        for v, total in enumerate(sums)
      ]

    def write(vectors):
      for v, total in enumerate(code.loop(args[5], tap, *[_ZERO] * vectors)):
        code.store(total, y, v)

    code.choose(args[8], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(x, i, offsets, w, i, i, y, i, i), generate


@intrinsic
def slide_gradient(context, x, x_at, offsets, g, g_at, taps, w, w_at, n):
  """Adds some vectors of places to the gradient of the taps of `slide`.

  w[w_at + t * LANES + l] += sum of x[x_at + i + offsets[t]] * g[g_at + i] over
  the i of lane l, i < n * LANES: what is sought is the sum of the lanes.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    x, offsets, g, w = (code.array(*a) for a in ((0, 1), (2,), (3, 4), (6, 7)))

    def write(vectors):
      down = [code.load(g, v) for v in range(vectors)]

      def tap(i, w):
        here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
        total = code.load(w)
        for v in range(vectors):
          total = code.fma(down[v], code.load(here, v), total)
        code.store(total, w)
        return [builder.gep(w, [code.int(LANES)])]

      code.loop(args[5], tap, w)

    code.choose(args[8], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(x, i, offsets, g, i, i, w, i, i), generate


@intrinsic
def multiply(
  context, a, a_at, a_row, a_step, b, b_at, count, y, y_at, y_row, n, adds
):
  """Up to TILE rows of a product, two vectors of columns.

  y[y_at + i * y_row + f] = sum of a[a_at + i * a_row + k * a_step] * b[b_at +
  k * 2 * LANES + f] over k < count, for i < n; added to y if `adds`.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    a, b, y = (code.array(*n) for n in ((0, 1), (4, 5), (7, 8)))
    adds = builder.icmp_signed('!=', args[11], code.int(0))

    def row(start, step, i):
      return builder.gep(start, [builder.mul(step, code.int(i))])

    def term(rows, k, a, b, *sums):
      columns = [code.load(b, v) for v in range(2)]
      sums, added = iter(sums), []
      for i in range(rows):
        value = code.everywhere(builder.load(row(a, args[2], i)))
        added += [code.fma(value, column, next(sums)) for column in columns]
      a, b = builder.gep(a, [args[3]]), builder.gep(b, [code.int(2 * LANES)])
      return [a, b, *added]

    def write(rows):
      starts = [row(y, args[9], i) for i in range(rows)]
      known = [code.load(start, v) for start in starts for v in range(2)]
      known = [builder.select(adds, value, _ZERO) for value in known]
      body = functools.partial(term, rows)
      _, _, *sums = code.loop(args[6], body, a, b, *known)
      for i, start in enumerate(starts):
        for v in range(2):
          code.store(sums[2 * i + v], start, v)

    code.choose(args[10], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(a, i, i, i, b, i, i, y, i, i, i, i), generate


convolve_1, convolve_2 = _convolution(1), _convolution(2)
correlate_1, correlate_2 = _kernel_gradient(1), _kernel_gradient(2)


@intrinsic
def add_windows(context, x, x_at, offsets, count, factor, y, y_at):
  """y[y_at + i * LANES + l] += factor * x[x_at + offsets[i] + l], i < count."""

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    x, offsets, y = (code.array(*a) for a in ((0, 1), (2,), (5, 6)))
    factor = code.everywhere(args[4])

    def window(i, y):
      here = builder.gep(x, [builder.load(builder.gep(offsets, [i]))])
      code.store(code.fma(factor, code.load(here), code.load(y)), y)
      return [builder.gep(y, [code.int(LANES)])]

    code.loop(args[3], window, y)
    return context.get_dummy_value()

  i = types.intp
  kinds = (x, i, offsets, i, types.float32, y, i)
  return types.void(*kinds), generate


@intrinsic
def rectify(
  context,
  row,
  row_at,
  bias,
  vectors,
  bits,
  bits_at,
  totals,
  peaks,
  places,
  place,
):
  """row = max(row + bias, 0) of vectors * LANES filters; bits: where above 0.

  Adds it to totals, and keeps in peaks and places what is larger than before,
  at this place. Returns the largest, the sum, and the first filter with the
  largest. NaN stays.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    row, bias, bits = (code.array(*a) for a in ((0, 1), (2,), (4, 5)))
    totals, peaks, places = (code.array(n) for n in (6, 7, 8))
    bits = builder.bitcast(bits, _WORD.as_pointer())
    here = code.everywhere(builder.trunc(args[9], _SHORT))
    results = [
      cgutils.alloca_once(builder, kind) for kind in (_FLOAT, _FLOAT, _INT)
    ]

    def write(vectors):
      values, largest, total = [], _ZERO, _ZERO
      for i in range(vectors):
        at = code.int(i * LANES)
        value = builder.fadd(code.load(row, at=at), code.load(bias, at=at))
        low = builder.fcmp_ordered('<=', value, _ZERO)
        value = builder.select(low, _ZERO, value)
        code.store(value, row, at=at)
        above = builder.fcmp_unordered('>', value, _ZERO)
        word = builder.gep(bits, [code.int(i)])
        builder.store(builder.bitcast(above, _WORD), word).align = 1
        code.store(builder.fadd(code.load(totals, at=at), value), totals, at=at)
        code.keep_larger(value, peaks, places, at, here)
        larger = builder.fcmp_unordered('>', value, largest)
        largest = builder.select(larger, value, largest)
        total = builder.fadd(total, value)
        values.append(value)
      peak = code.reduced('fmax', largest)
      found, everywhere = code.int(0), code.everywhere(peak)
      for i in reversed(range(vectors)):
        equal = builder.fcmp_ordered('==', values[i], everywhere)
        equal = builder.bitcast(equal, _WORD)
        zeros = builder.cttz(equal, ir.Constant(ir.IntType(1), 0))
        first = builder.add(code.int(i * LANES), builder.zext(zeros, _INT))
        none = builder.icmp_unsigned('==', equal, ir.Constant(_WORD, 0))
        found = builder.select(none, found, first)
      total = code.reduced('fadd', total, ir.Constant(_FLOAT, 0.0))
      for result, value in zip(results, (peak, total, found), strict=True):
        builder.store(value, result)

    code.choose(args[3], MOST, write)
    found = [builder.load(result) for result in results]
    return context.make_tuple(builder, signature.return_type, found)

  i = types.intp
  answer = types.Tuple((types.float32, types.float32, types.intp))
  kinds = (row, i, bias, i, bits, i, totals, peaks, places, i)
  return answer(*kinds), generate


@intrinsic
def copy(context, row, row_at, y, y_at, vectors):
  """y[y_at:] = row[row_at:], of up to MOST vectors."""

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    row, y = code.array(0, 1), code.array(2, 3)

    def write(vectors):
      for i in range(vectors):
        code.store(code.load(row, i), y, i)

    code.choose(args[4], MOST, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(row, i, y, i, i), generate


@intrinsic
def keep_larger(context, y, y_at, best, chosen, at, vectors, number):
  """Keeps in best[at:] and chosen[at:] what of y[y_at:] is larger there.

  The first of equals stays, and NaN. `number` 0 begins.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    y, best, chosen = (code.array(*a) for a in ((0, 1), (2, 4), (3, 4)))
    here = code.everywhere(builder.trunc(args[6], _SHORT))
    begins = builder.icmp_signed('==', args[6], code.int(0))
    begins = code.everywhere(begins)

    def one(i):
      at = builder.mul(i, code.int(LANES))
      code.keep_larger(code.load(y, at=at), best, chosen, at, here, begins)
      return []

    code.loop(args[5], one)
    return context.get_dummy_value()

  i = types.intp
  return types.void(y, i, best, chosen, i, i, i), generate


@intrinsic
def pool_window(
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
    code = _Code(context, builder, signature, args)
    y, weight, steps = code.array(0, 6), code.array(1), code.array(3)
    outputs = [code.array(n, 12) for n in range(7, 12)]
    none = ir.Constant(_LANES_OF_SHORT, None)

    def place(i, plain, weighed, value, plain_choice, weighed_choice):
      here = builder.add(args[2], builder.load(builder.gep(steps, [i])))
      new = code.load(y, at=builder.mul(here, args[5]))
      factor = builder.load(builder.gep(weight, [here]))
      scaled = builder.fmul(new, code.everywhere(factor))
      number = code.everywhere(builder.trunc(i, _SHORT))
      begins = builder.icmp_signed('==', i, code.int(0))
      begins = code.everywhere(begins)
      larger = code.is_larger(new, plain, begins)
      larger_scaled = code.is_larger(scaled, weighed, begins)
      return [
        builder.select(larger, new, plain),
        builder.select(larger_scaled, scaled, weighed),
        builder.select(larger_scaled, new, value),
        builder.select(larger, number, plain_choice),
        builder.select(larger_scaled, number, weighed_choice),
      ]

    found = code.loop(args[4], place, _ZERO, _ZERO, _ZERO, none, none)
    for value, to in zip(found, outputs, strict=True):
      code.store(value, to)
    return context.get_dummy_value()

  i = types.intp
  outputs = plain, weighed, value, plain_choice, weighed_choice
  return types.void(y, weight, i, steps, i, i, i, *outputs, i), generate


@intrinsic
def mask_and_add(
  context, g, g_at, bits, bits_at, vectors, own, common, y, y_at, totals
):
  """y = g + own + common where the bit is set, else 0; adds y to totals.

  own and totals have a number for each filter. Returns whether any y is not 0.
  """

  def generate(context, builder, signature, args):
    code = _Code(context, builder, signature, args)
    g, bits, own = (code.array(*a) for a in ((0, 1), (2, 3), (5,)))
    y, totals = code.array(7, 8), code.array(9)
    bits = builder.bitcast(bits, _WORD.as_pointer())
    common = code.everywhere(args[6])
    lanes = ir.VectorType(ir.IntType(1), LANES)

    result = cgutils.alloca_once(builder, _WORD)

    def write(vectors):
      some = ir.Constant(_WORD, 0)
      for i in range(vectors):
        at = code.int(i * LANES)
        value = builder.fadd(code.load(g, at=at), code.load(own, at=at))
        value = builder.fadd(value, common)
        word = builder.load(builder.gep(bits, [code.int(i)]))
        word.align = 1
        value = builder.select(builder.bitcast(word, lanes), value, _ZERO)
        code.store(value, y, at=at)
        total = builder.fadd(code.load(totals, at=at), value)
        code.store(total, totals, at=at)
        other = builder.fcmp_unordered('!=', value, _ZERO)
        some = builder.or_(some, builder.bitcast(other, _WORD))
      builder.store(some, result)

    code.choose(args[4], MOST, write)
    some = builder.load(result)
    some = builder.icmp_unsigned('!=', some, ir.Constant(_WORD, 0))
    return context.cast(builder, some, types.boolean, types.boolean)

  i = types.intp
  kinds = (g, i, bits, i, i, own, types.float32, y, i, totals)
  return types.boolean(*kinds), generate
