"""Max-pooling of maps, as they are and times a map of weights, in one pass.

Axes: T frames, H rows, W columns, D filters; t, h, w cells of the pooling.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from numba import carray

from mefnet_jax.ops import maps, pooling
from mefnet_jax.ops.cpu import (
  arrays,
  call_frame,
  compiled,
  custom_calls,
  memory,
  pool_windows,
  signatures,
  simd,
)

LANES = simd.LANES
_CELLS = '(T/0)(H/1)(W/2)d'
_FORWARD = signatures.signature(
  f'w fbTHWd fbTHW -> fb{_CELLS} ib{_CELLS} fb{_CELLS} ib{_CELLS} fb{_CELLS}'
)
_GRADIENT = signatures.signature(
  f'w fbTHW fb{_CELLS} ib{_CELLS} fb{_CELLS} ib{_CELLS} fb{_CELLS} '
  '-> fbTHWd fbTHW'
)


def takes(given: maps.Maps) -> bool:
  """Whether `max_pools` accepts these: maps that a kernel has made.

  XLA would write and read them once more between the two.
  """
  return given.fused


def max_pools(
  given: maps.Maps, weight: jax.Array | None, window: tuple[int, int, int]
) -> tuple[jax.Array, jax.Array]:
  """As `ops.max_pools`.

  Raises:
    ValueError: a window larger than the maps.
  """
  weight = jnp.ones_like(given.map_mean) if weight is None else weight
  return _max_pools(given.y, weight[..., 0], window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _max_pools(y, weight, window):
  return _vjp_forward(y, weight, window)[0]


def _vjp_forward(y, weight, window):
  pooling.check(y.shape[1:4], window)
  sizes = (n // w for n, w in zip(y.shape[1:4], window, strict=True))
  shape = (len(y), *sizes, y.shape[-1])
  # Both places and the value are kept, so that the way back needs no maps.
  plain, choice, weighed, weighed_choice, value = custom_calls.call(
    'pool_weighed',
    [(shape, d) for d in ('float32', 'int32', 'float32', 'int32', 'float32')],
    np.asarray(window, np.int32),
    y,
    weight,
  )
  plain, weighed, choice, weighed_choice, value = custom_calls.saved(
    plain, weighed, choice, weighed_choice, value
  )
  return (plain, weighed), (weight, choice, weighed_choice, value)


def _vjp_backward(window, known, bars):
  weight, choice, weighed_choice, value = known
  shape = (*weight.shape, value.shape[-1])
  return tuple(
    custom_calls.call(
      'pool_weighed_gradient',
      [(shape, jnp.float32), (weight.shape, jnp.float32)],
      np.asarray(window, np.int32),
      weight,
      bars[0],
      choice,
      bars[1],
      weighed_choice,
      value,
    )
  )


_max_pools.defvjp(_vjp_forward, _vjp_backward)


@compiled.inlined
def _pool(y, weight, sizes, window, filters, plain, weighed, value):
  """Pools one clip: y (T, H, W, D), weight (T, H, W).

  Results (t, h, w, D): plain, the largest and its number in the window;
  weighed, the same of y * weight; value, that one before it was weighed.
  """
  (plain, choice), (weighed, weighed_choice) = plain, weighed
  ct, ch, cw = _cells(sizes, window)
  steps = pool_windows.grid(window, (sizes[1] * sizes[2], sizes[2], 1))
  # A vector beyond the last whole one would write into the next cell.
  whole = filters // LANES * LANES
  for cell in range(ct * ch * cw):
    to, corner = cell * filters, _corner(cell, ch, cw, sizes, window)
    for f in range(0, whole, LANES):
      pool_windows.weighed(
        y,
        weight,
        corner,
        steps,
        len(steps),
        filters,
        f,
        plain,
        weighed,
        value,
        choice,
        weighed_choice,
        to + f,
      )
    for f in range(whole, filters):  # filters that fill no vector
      for n in range(len(steps)):
        v = y[(corner + steps[n]) * filters + f]
        s = v * weight[corner + steps[n]]
        # v != v: NaN is larger than anything here, as in the vectors.
        if n == 0 or v > plain[to + f] or v != v:
          plain[to + f], choice[to + f] = v, n
        if n == 0 or s > weighed[to + f] or v != v:
          weighed[to + f], weighed_choice[to + f] = s, n
          value[to + f] = v


@compiled.kernel
def _cells(sizes, window):
  return sizes[0] // window[0], sizes[1] // window[1], sizes[2] // window[2]


@compiled.kernel
def _corner(cell, ch, cw, sizes, window):
  """Where the window of a cell begins."""
  t, rest = cell // (ch * cw), cell % (ch * cw)
  row = t * window[0] * sizes[1] + rest // cw * window[1]
  return row * sizes[2] + rest % cw * window[2]


@compiled.inlined
def _add_gradient(
  plain, weighed, value, weight, sizes, window, to_y, to_weight
):
  """Gradients of one clip's maps and weights; plain, weighed: (g, choice)."""
  (g, choice), (g_weighed, weighed_choice) = plain, weighed
  # XLA does not clear the results of a call, and only maxima are written.
  memory.fill(to_y, 0)
  memory.fill(to_weight, 0)
  ct, ch, cw = _cells(sizes, window)
  steps = pool_windows.grid(window, (sizes[1] * sizes[2], sizes[2], 1))
  filters = len(to_y) // len(to_weight)
  for cell in range(ct * ch * cw):
    corner = _corner(cell, ch, cw, sizes, window)
    for f in range(filters):
      n = cell * filters + f
      # All zero for the clips that a fold holds out.
      if g[n] != 0:
        to_y[(corner + steps[choice[n]]) * filters + f] += g[n]
      if g_weighed[n] != 0:
        place = corner + steps[weighed_choice[n]]
        to_y[place * filters + f] += g_weighed[n] * weight[place]
        to_weight[place] += g_weighed[n] * value[n]


@compiled.handler
def _pool_weighed(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _FORWARD)
  if answer != call_frame.WORK:
    return answer
  y, weight = arrays.floats(frame, 1, n), arrays.floats(frame, 2, n)
  plain, choice = arrays.floats(frame, 3, n), arrays.integers(frame, 4, n)
  weighed, weighed_choice = (
    arrays.floats(frame, 5, n),
    arrays.integers(frame, 6, n),
  )
  value = arrays.floats(frame, 7, n)
  for b in range(n[0]):
    for p in range(arrays.parts(plain)):
      _pool(
        arrays.clip(y, p, plain, b),
        arrays.clip(weight, p, plain, b),
        (n[1], n[2], n[3]),
        arrays.window(n),
        n[4],
        (
          arrays.clip(plain, p, plain, b),
          arrays.clip(choice, p, plain, b),
        ),
        (
          arrays.clip(weighed, p, plain, b),
          arrays.clip(weighed_choice, p, plain, b),
        ),
        arrays.clip(value, p, plain, b),
      )
  return 0


@compiled.handler
def _pool_weighed_gradient(address):
  compiled.for_size()
  frame = carray(address, 21, np.int64)
  answer, n = call_frame.check_call(frame, _GRADIENT)
  if answer != call_frame.WORK:
    return answer
  weight, g = arrays.floats(frame, 1, n), arrays.floats(frame, 2, n)
  choice, g_weighed = arrays.integers(frame, 3, n), arrays.floats(frame, 4, n)
  weighed_choice = arrays.integers(frame, 5, n)
  value, to_y = arrays.floats(frame, 6, n), arrays.floats(frame, 7, n)
  to_weight = arrays.floats(frame, 8, n)
  for b in range(n[0]):
    for p in range(arrays.parts(to_y)):
      _add_gradient(
        (arrays.clip(g, p, to_y, b), arrays.clip(choice, p, to_y, b)),
        (
          arrays.clip(g_weighed, p, to_y, b),
          arrays.clip(weighed_choice, p, to_y, b),
        ),
        arrays.clip(value, p, to_y, b),
        arrays.clip(weight, p, to_y, b),
        (n[1], n[2], n[3]),
        arrays.window(n),
        arrays.clip(to_y, p, to_y, b),
        arrays.clip(to_weight, p, to_y, b),
      )
  return 0


HANDLERS = {
  'pool_weighed': _pool_weighed,
  'pool_weighed_gradient': _pool_weighed_gradient,
}
