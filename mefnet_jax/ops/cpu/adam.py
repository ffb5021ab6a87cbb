"""Adam in one pass over memory, where the state lies."""

import jax
import jax.numpy as jnp
import numpy as np
from numba import carray

from mefnet_jax.ops import placement
from mefnet_jax.ops.cpu import compiled, custom_calls, frames, signatures

_HEAVY = 1 << 16  # weights of one array, from where memory sets the pace
_ARRAYS = signatures.signature('f8 f* f* f* f* -> f* f* f*')


def takes(params: jax.Array, *others: jax.Array) -> bool:
  """Whether `adam` moves these: so many that memory sets the pace."""
  exact = all(x.dtype == np.float32 for x in (params, *others))
  return exact and params.size >= _HEAVY


def adam(
  params: jax.Array,
  mean: jax.Array,
  square: jax.Array,
  gradient: jax.Array,
  numbers: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """As `ops.adam`."""
  return _adam(numbers, params, mean, square, gradient)


@jax.custom_batching.custom_vmap
def _adam(*operands):
  """Numbers first; axes that all arrays have in front are of `jax.vmap`.

  A pmap takes the axis of the devices off its arguments, and XLA copies what
  is reshaped before a call that works in place. Put on again, both cancel.
  """
  mapped = placement.under_pmap.get()
  if mapped:
    operands = [x[None] for x in operands]
  results = custom_calls.in_place('adam', {1: 0, 2: 1, 3: 2}, *operands)
  return tuple(x[0] for x in results) if mapped else tuple(results)


@_adam.def_vmap
def _adam_of_many(size, batched, *operands):
  operands = [
    x if has else jnp.broadcast_to(x, (size, *x.shape))
    for x, has in zip(operands, batched, strict=True)
  ]
  return _adam(*operands), (True,) * 3


@compiled.kernel
def _step(p, m, v, g, numbers):
  rate, b1, a1, b2 = numbers[0], numbers[1], numbers[2], numbers[3]
  a2, c1, c2, epsilon = numbers[4], numbers[5], numbers[6], numbers[7]
  for i in range(len(p)):
    m[i] = b1 * m[i] + a1 * g[i]
    v[i] = b2 * v[i] + a2 * (g[i] * g[i])
    p[i] -= rate * ((m[i] / c1) / (np.sqrt(v[i] / c2) + epsilon))


@compiled.kernel
def _copied(x, y):
  for i in range(len(x)):
    y[i] = x[i]


@compiled.handler
def _adam_call(address):
  frame = carray(address, 21, np.int64)
  answer, n = frames.opened(frame, _ARRAYS)
  if answer != frames.WORK:
    return answer
  numbers, g = frames.floats(frame, 0, n), frames.floats(frame, 4, n)
  for i in range(3):
    old, new = frames.floats(frame, 1 + i, n), frames.floats(frame, 5 + i, n)
    if old.values.ctypes.data != new.values.ctypes.data:
      _copied(old.values, new.values)
  p, m = frames.floats(frame, 5, n), frames.floats(frame, 6, n)
  v = frames.floats(frame, 7, n)
  for part in range(frames.parts(p)):
    _step(
      frames.part(p, part, p),
      frames.part(m, part, p),
      frames.part(v, part, p),
      frames.part(g, part, p),
      frames.part(numbers, part, p),
    )
  return 0


HANDLERS = {'adam': _adam_call}
