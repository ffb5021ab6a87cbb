"""Instructions on vectors of numbers, for loops whose sums stay in registers.

Numba cannot be told which values stay in registers, so the innermost loops are
written as LLVM instructions over vectors of `LANES` numbers; they run on any
processor that LLVM compiles for. All arrays are flat float32 (offsets int64);
`at` is where in an array a loop begins.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils

# Of the processor that Numba compiles for, in every process that compiles.
_NAMED = numba.config.CPU_FEATURES  # of NUMBA_CPU_FEATURES, or None
if _NAMED is None:
  _WIDE = bool(binding.get_host_cpu_features().get('avx512f'))
else:
  _WIDE = '+avx512f' in _NAMED.split(',')
LANES = 16 if _WIDE else 8
# Accumulators of a tile: 2 vectors of filters times so many places.
# With them a tile takes 20 + 12 of 32 registers, or 12 + 3 of 16.
TILE = 10 if _WIDE else 6


FLOAT, INT, SHORT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
WORD = ir.IntType(LANES)  # a bit for each lane
LANES_OF_SHORT = ir.VectorType(SHORT, LANES)
ZERO = ir.Constant(VECTOR, None)


class Code:
  """Instructions on vectors, at the place where a builder writes."""

  def __init__(
    self, context: Any, builder: ir.IRBuilder, signature: Any, args: Any
  ):
    self.b = builder
    self._given = context, signature, args

  def array(self, number: int, at: int | None = None) -> ir.Value:
    """The address of an array argument, at the argument `at`."""
    context, signature, args = self._given
    made = cgutils.create_struct_proxy(signature.args[number])
    data = made(context, self.b, args[number]).data
    return data if at is None else self.b.gep(data, [args[at]])

  def number(self, value: int) -> ir.Constant:
    """A position or a count."""
    return ir.Constant(INT, value)

  def load(
    self,
    address: ir.Value,
    steps: int = 0,
    *,
    at: ir.Value | None = None,
    kind: ir.Type = VECTOR,
  ) -> ir.Value:
    """A vector, `steps` vectors or `at` numbers behind the address."""
    at = self.number(steps * LANES) if at is None else at
    address = self.b.gep(address, [at])
    value = self.b.load(self.b.bitcast(address, kind.as_pointer()))
    # XLA's arrays begin anywhere; LLVM would assume a multiple of the vector.
    value.align = 4
    return value

  def store(
    self,
    value: ir.Value,
    address: ir.Value,
    steps: int = 0,
    *,
    at: ir.Value | None = None,
  ) -> None:
    """Writes a vector to where `load` would read it."""
    at = self.number(steps * LANES) if at is None else at
    address = self.b.gep(address, [at])
    place = self.b.bitcast(address, value.type.as_pointer())
    self.b.store(value, place).align = 4

  def broadcast(self, number: ir.Value) -> ir.Value:
    """A vector that holds one number in each lane."""
    empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    one = self.b.insert_element(empty, number, ir.Constant(SHORT, 0))
    lanes = ir.Constant(LANES_OF_SHORT, [0] * LANES)
    return self.b.shuffle_vector(one, empty, lanes)

  def fma(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """x * y + z, rounded once where the processor can."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    name = f'llvm.fmuladd.v{LANES}f32'
    known = cgutils.get_or_insert_function(self.b.module, kind, name)
    return self.b.call(known, [x, y, z])

  def keep_larger(
    self,
    value: ir.Value,
    best: ir.Value,
    places: ir.Value,
    at: ir.Value,
    place: ir.Value,
  ) -> None:
    """Keeps the larger of a vector and of best[at:], and where it was."""
    old = self.load(best, at=at)
    larger = self.is_larger(value, old)
    self.store(self.b.select(larger, value, old), best, at=at)
    known = self.load(places, at=at, kind=place.type)
    self.store(self.b.select(larger, place, known), places, at=at)

  def is_larger(
    self, value: ir.Value, old: ir.Value, begins: ir.Value | None = None
  ) -> ir.Value:
    """Where a value is larger than the old one, is NaN, or the first of all."""
    larger = self.b.fcmp_ordered('>', value, old)
    larger = self.b.or_(larger, self.b.fcmp_unordered('uno', value, value))
    return larger if begins is None else self.b.or_(larger, begins)

  def sum(self, value: ir.Value) -> ir.Value:
    """The sum of a vector's numbers."""
    kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
    name = f'llvm.vector.reduce.fadd.v{LANES}f32'
    known = cgutils.get_or_insert_function(self.b.module, kind, name)
    # Without reassociation the lanes would be added one after another.
    zero = ir.Constant(FLOAT, 0.0)
    return self.b.call(known, [zero, value], fastmath=('reassoc',))

  def largest(self, value: ir.Value) -> ir.Value:
    """The largest of a vector of positive whole numbers."""
    kind = ir.FunctionType(SHORT, [LANES_OF_SHORT])
    name = f'llvm.vector.reduce.umax.v{LANES}i32'
    known = cgutils.get_or_insert_function(self.b.module, kind, name)
    return self.b.call(known, [value])

  def loop(
    self,
    count: ir.Value,
    body: Callable[..., list[ir.Value]],
    *first: ir.Value,
    fills_registers: bool = False,
  ) -> list[ir.Value]:
    """`values = body(i, *values)` for i of count > 0; returns the last.

    LLVM may do two turns at once. With many registers it loads what both need
    first, and where a turn needs them all, sums are stored and loaded again.
    """
    before = self.b.basic_block
    inside = self.b.append_basic_block('body')
    after = self.b.append_basic_block('after')
    self.b.branch(inside)
    self.b.position_at_end(inside)
    i = self.b.phi(INT)
    i.add_incoming(self.number(0), before)
    values = [self.b.phi(value.type) for value in first]
    for value, start in zip(values, first, strict=True):
      value.add_incoming(start, before)
    results = body(i, *values)
    following = self.b.add(i, self.number(1))
    i.add_incoming(following, self.b.basic_block)
    for value, result in zip(values, results, strict=True):
      value.add_incoming(result, self.b.basic_block)
    again = self.b.icmp_signed('<', following, count)
    branch = self.b.cbranch(again, inside, after)
    if fills_registers and _WIDE:
      branch.set_metadata('llvm.loop', self._not_unrolled())
    self.b.position_at_end(after)
    return results

  def _not_unrolled(self):
    """What LLVM's manual calls llvm.loop.unroll.disable, for one loop."""
    module = self.b.module
    name = ir.MetaDataString(module, 'llvm.loop.unroll.disable')
    off = module.add_metadata([name])
    n = len(module.metadata)
    loop = module.add_metadata([off, ir.MetaDataString(module, f'loop {n}')])
    # The first operand of a loop's metadata is itself.
    loop.operands = (loop, off)
    return loop

  def choose(
    self,
    number: ir.Value,
    most: int,
    write: Callable[[int], Any],
    *kinds: ir.Type,
  ) -> list[ir.Value]:
    """Runs what `write(n)` writes for the n of 1 to `most` that `number` is.

    Returns the values that `write` returned, of these kinds.
    """
    before = self.b.basic_block
    after = self.b.append_basic_block('chosen')
    switch = self.b.switch(number, after)
    found = []
    for n in range(1, most + 1):
      block = self.b.append_basic_block(f'of_{n}')
      switch.add_case(self.number(n), block)
      self.b.position_at_end(block)
      found.append((write(n), self.b.basic_block))
      self.b.branch(after)
    self.b.position_at_end(after)
    results = [self.b.phi(kind) for kind in kinds]
    for i, (result, kind) in enumerate(zip(results, kinds, strict=True)):
      result.add_incoming(ir.Constant(kind, ir.Undefined), before)
      for values, block in found:
        result.add_incoming(values[i], block)
    return results
