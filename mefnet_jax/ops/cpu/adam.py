"""Adam in one pass over memory, in place."""

import jax
import jax.numpy as jnp
import numpy as np
from numba import carray

from mefnet_jax.ops import placement
from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  compiled,
  custom_calls,
  signatures,
)

_HEAVY = 1 << 16  # weights in an array from which memory bounds the speed
_ARRAYS = signatures.signature('f8 f* f* f* f* -> f* f* f*')


def takes(params: jax.Array, *others: jax.Array) -> bool:
  """Whether `adam` accepts these: float32, and large enough to gain."""
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
  """Adam of (numbers, params, mean, square, gradient).

  Axes that all of them have in front come from `jax.vmap`. A pmap removes the
  axis of the devices from its arguments by a reshape, and XLA copies an array
  that is reshaped before a call that works in place. Adding the axis again here
  cancels the reshape, and nothing is copied.
  """
  mapped = placement.under_pmap.get()
  if mapped:
    operands = [x[None] for x in operands]
  results = custom_calls.in_place('adam', {1: 0, 2: 1, 3: 2}, *operands)
  return tuple(x[0] for x in results) if mapped else tuple(results)


@_adam.def_vmap
def _adam_of_members(size, batched, *operands):
  operands = [
    x if has else jnp.broadcast_to(x, (size, *x.shape))
    for x, has in zip(operands, batched, strict=True)
  ]
  return _adam(*operands), (True,) * 3


@compiled.inlined
def _step(p, m, v, g, numbers):
  rate, b1, a1, b2 = numbers[0], numbers[1], numbers[2], numbers[3]
  a2, c1, c2, epsilon = numbers[4], numbers[5], numbers[6], numbers[7]
  for i in range(len(p)):
    m[i] = b1 * m[i] + a1 * g[i]
    v[i] = b2 * v[i] + a2 * (g[i] * g[i])
    p[i] -= rate * ((m[i] / c1) / (np.sqrt(v[i] / c2) + epsilon))


@compiled.inlined
def _copy(x, y):
  for i in range(len(x)):
    y[i] = x[i]


@compiled.handler
def _adam_call(address):
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _ARRAYS)
  if answer != call_frame.WORK:
    return answer
  numbers, g = arrays.floats(frame, 0, n), arrays.floats(frame, 4, n)
  for i in range(3):
    old, new = arrays.floats(frame, 1 + i, n), arrays.floats(frame, 5 + i, n)
    # XLA may ignore that an operand and a result share their memory.
    if old.values.ctypes.data != new.values.ctypes.data:
      _copy(old.values, new.values)
  p, m = arrays.floats(frame, 5, n), arrays.floats(frame, 6, n)
  v = arrays.floats(frame, 7, n)
  for part in range(arrays.parts(p)):
    _step(
      arrays.part(p, part, p),
      arrays.part(m, part, p),
      arrays.part(v, part, p),
      arrays.part(g, part, p),
      arrays.part(numbers, part, p),
    )
  return 0


HANDLERS = {'adam': _adam_call}
