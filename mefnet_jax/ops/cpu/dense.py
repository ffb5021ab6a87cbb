"""Dense layers with few clips and a large kernel.

Such a product is bound by reading the kernel from memory, so the kernel is read
once, in the order in which it is stored.
"""

import functools

import jax
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import compiled, custom_calls, frames, signatures, simd

LANES, TILE = simd.LANES, simd.TILE
_LARGE = 1 << 14  # numbers in a kernel, at least
_COLUMNS = 32  # a kernel's columns are a multiple of this
_DEEP = 256  # terms of a product at a time; their panels stay in the cache
_FORWARD = signatures.signature('fbK fKN -> fbN')
_GRADIENT = signatures.signature('fbK fKN fbN -> fbK fKN')


def takes(x_BK: jax.Array, kernel_KN: jax.Array) -> bool:
  """Whether `dense` accepts these: few clips, a large kernel, float32."""
  exact = x_BK.dtype == kernel_KN.dtype == np.float32
  whole = kernel_KN.shape[1] % _COLUMNS == 0
  large = kernel_KN.size >= _LARGE and len(x_BK) < min(kernel_KN.shape)
  return exact and whole and large


@jax.custom_vjp
def dense(x_BK: jax.Array, kernel_KN: jax.Array) -> jax.Array:
  """x_BK @ kernel_KN: (B, N); N is a multiple of 32."""
  shape = (len(x_BK), kernel_KN.shape[1])
  (y,) = custom_calls.call('dense', [(shape, np.float32)], x_BK, kernel_KN)
  return y


def _vjp_forward(x, kernel):
  return dense(x, kernel), (x, kernel)


def _vjp_backward(known, y_bar):
  results = [(a.shape, np.float32) for a in known]
  return tuple(custom_calls.call('dense_gradient', results, *known, y_bar))


dense.defvjp(_vjp_forward, _vjp_backward)


@intrinsic
def _multiply(
  context, a, a_at, a_row, a_step, b, b_at, count, y, y_at, y_row, n, adds
):
  """Up to TILE rows of a product, two vectors of columns.

  y[y_at + i * y_row + f] = sum of a[a_at + i * a_row + k * a_step] * b[b_at +
  k * 2 * LANES + f] over k < count, for i < n; added to y if `adds`.
  """

  def generate(context, builder, signature, args):
    code = simd.Code(context, builder, signature, args)
    a, b, y = (code.array(*n) for n in ((0, 1), (4, 5), (7, 8)))
    adds = builder.icmp_signed('!=', args[11], code.int(0))

    def row(start, step, i):
      return builder.gep(start, [builder.mul(step, code.int(i))])

    def term(rows, k, a, b, *sums):
      columns = [code.load(b, v) for v in range(2)]
      sums, added = iter(sums), []
      for i in range(rows):
        value = code.broadcast(builder.load(row(a, args[2], i)))
        added += [code.fma(value, column, next(sums)) for column in columns]
      a, b = builder.gep(a, [args[3]]), builder.gep(b, [code.int(2 * LANES)])
      return [a, b, *added]

    def write(rows):
      starts = [row(y, args[9], i) for i in range(rows)]
      known = [code.load(start, v) for start in starts for v in range(2)]
      known = [builder.select(adds, value, simd.ZERO) for value in known]
      body = functools.partial(term, rows)
      _, _, *sums = code.loop(args[6], body, a, b, *known)
      for i, start in enumerate(starts):
        for v in range(2):
          code.store(sums[2 * i + v], start, v)

    code.choose(args[10], TILE, write)
    return context.get_dummy_value()

  i = types.intp
  return types.void(a, i, i, i, b, i, i, y, i, i, i, i), generate


@compiled.inlined
def _panels(b, start, count, columns, step, turned, out):
  """Pairs of vectors of columns of b one behind another, from row `start` on.

  b (.., step), or turned: (columns, step) with the rows last. What is beyond
  the columns is zero.
  """
  two = 2 * LANES
  if turned:
    for f in range(columns):
      to = f // two * two * count + f % two
      for k in range(count):
        out[to + k * two] = b[f * step + start + k]
    return
  for k in range(count):
    source = (start + k) * step
    for first in range(0, columns, two):
      to = (first * count) + k * two
      for f in range(min(two, columns - first)):
        out[to + f] = b[source + first + f]


@compiled.kernel
def _product(a, b, rows, terms, columns, y):
  """y = a times b, over `terms`, of few rows or few columns.

  a: (values, row, step), a[i * row + k * step]; b: (values, step, turned), as
  `_panels` takes it; y: (values, row), whose row is at least `columns` filled
  up to twice LANES.
  """
  (a, a_row, a_step), (b, b_step, turned), (y, y_row) = a, b, y
  two = 2 * LANES
  packed = np.zeros(_DEEP * ((columns + two - 1) // two * two), np.float32)
  parts = (rows + TILE - 1) // TILE
  for start in range(0, terms, _DEEP):
    n = min(_DEEP, terms - start)
    # A shorter last panel shifts the padding, where old numbers would be left.
    if columns % two != 0 and n < _DEEP:
      packed[:] = 0
    _panels(b, start, n, columns, b_step, turned, packed)
    done = 0
    for part in range(parts):
      size = (rows - done + parts - part - 1) // (parts - part)
      at = done * a_row + start * a_step
      for f in range(0, columns, two):
        to, b_at = done * y_row + f, f * n
        _multiply(
          a, at, a_row, a_step, packed, b_at, n, y, to, y_row, size, start
        )
      done += size


@compiled.inlined
def _turn(x, rows, width, columns, out):
  """x (rows, width), of which `columns` count, as (columns, rows)."""
  # LANES rows at a time, so that both arrays are read and written in runs.
  for start in range(0, rows, LANES):
    for c in range(columns):
      for r in range(start, min(start + LANES, rows)):
        out[c * rows + r] = x[r * width + c]


@compiled.handler
def _dense(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _FORWARD)
  if answer != frames.WORK:
    return answer
  x, w = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  y, batch, deep, wide = frames.floats(frame, 2, n), n[0], n[1], n[2]
  for p in range(frames.parts(y)):
    b, to = (frames.part(w, p, y), wide, False), (frames.part(y, p, y), wide)
    _product((frames.part(x, p, y), deep, 1), b, batch, deep, wide, to)
  return 0


@compiled.handler
def _dense_gradient(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.check_call(frame, _GRADIENT)
  if answer != frames.WORK:
    return answer
  x, w = frames.floats(frame, 0, n), frames.floats(frame, 1, n)
  g, to_x = frames.floats(frame, 2, n), frames.floats(frame, 3, n)
  to_w, batch, deep, wide = frames.floats(frame, 4, n), n[0], n[1], n[2]
  two = 2 * LANES
  full = (batch + two - 1) // two * two
  turned = np.empty(deep * full, np.float32)
  for p in range(frames.parts(to_w)):
    weights, down = frames.part(w, p, to_w), frames.part(g, p, to_w)
    # The transposed product, kernel times clips: its few columns are the clips,
    # and the kernel is read in the order in which it is stored.
    args = (down, wide, True), deep, wide, batch, (turned, full)
    _product((weights, wide, 1), *args)
    _turn(turned, deep, full, batch, frames.part(to_x, p, to_w))
    args = (down, wide, False), deep, batch, wide
    to = frames.part(to_w, p, to_w), wide
    _product((frames.part(x, p, to_w), 1, deep), *args, to)
  return 0


HANDLERS = {'dense': _dense, 'dense_gradient': _dense_gradient}
