"""Chooses the implementation of each operator, and is the only place to do so.

A step is traced under `using`. Outside of it, and for arrays that no kernel
takes, XLA's implementations are used.
"""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mefnet_jax.ops import placement, xla

CHOICES = ('auto', 'xla', 'cpu')
KERNELS = (
  'adam',
  'convolve',
  'convolve_max_pool',
  'convolve_relu',
  'max_pools',
  'relu',
)
_AUTO, _XLA, _CPU = CHOICES

# A context variable, so that what one thread traces does not affect another.
_active: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar(
  'kernels', default=frozenset()
)
_whole: contextvars.ContextVar[bool] = contextvars.ContextVar(
  'whole', default=False
)


def resolve(kernels: str) -> tuple[str, str]:
  """Returns what a choice means on this machine.

  Args:
    kernels: 'auto', 'xla' or 'cpu'.

  Returns:
    'xla' or 'cpu', and the reason or a note to report; '' if there is none.

  Raises:
    ValueError: the choice is unknown, or 'cpu' where the kernels cannot run,
      with the reason.
  """
  if kernels not in CHOICES:
    raise ValueError(f'{kernels!r}: choose one of {", ".join(CHOICES)}')
  if kernels == _XLA:
    return _XLA, ''
  why_not = obstacle()
  if why_not and kernels == _CPU:
    raise ValueError(why_not)
  if why_not:
    return _XLA, why_not
  from mefnet_jax.ops import cpu

  note = cpu.NOT_CACHED and f'compiled for this process only: {cpu.NOT_CACHED}'
  return _CPU, note


@functools.cache
def obstacle() -> str:
  """Returns why the kernels cannot run here; '' if they can.

  Compiles them and tries one: whether XLA accepts them, and whether its frames
  lie as the kernels read them, shows only in a call.
  """
  if jax.default_backend() != 'cpu':
    return f'jax runs on {jax.default_backend()}'
  try:
    import numba
  except ImportError as error:
    return f'Numba cannot be imported ({error})'
  if numba.config.DISABLE_JIT:
    return 'NUMBA_DISABLE_JIT is set'
  from mefnet_jax.ops import cpu

  try:
    cpu.register()
    of_clip = jnp.ones((1, 1, 1, 1, 1)), jnp.ones((1, 1, 1, 1, 16))
    maps = cpu.FORMS['convolve'][0](*of_clip, jnp.ones(16), 'VALID')
    right = bool((maps == 2).all())
  except Exception as error:  # which types XLA raises is not documented
    reason = str(error).splitlines()[0]
    return f'XLA does not take them ({reason[:120]})'
  return '' if right else 'they compute wrong numbers'


def using(
  step: Callable,
  kernels: str = _AUTO,
  *,
  under_pmap: bool = False,
  without: tuple[str, ...] = (),
) -> Callable:
  """Returns `step`, traced so that its operators use the chosen kernels.

  Args:
    step: takes arrays, under any number of `jax.vmap`.
    kernels: as `resolve` takes them.
    under_pmap: whether the step will run under a pmap that splits its state.
    without: names of KERNELS that are left to XLA.

  Raises:
    ValueError: as in `resolve`.
  """
  chosen, _ = resolve(kernels)
  active = frozenset(KERNELS) - set(without) if chosen == _CPU else frozenset()

  @functools.wraps(step)
  def chosen_step(*args, **kwargs):
    # This runs once for each trace, not once for each step.
    kernels_before = _active.set(active)
    pmap_before = placement.under_pmap.set(under_pmap)
    try:
      return step(*args, **kwargs)
    finally:
      _active.reset(kernels_before)
      placement.under_pmap.reset(pmap_before)

  return chosen_step


def whole(function: Callable) -> Callable:
  """`function`, traced with each layer as one primitive (`ops.primitives`)."""

  @functools.wraps(function)
  def traced_whole(*args, **kwargs):
    before = _whole.set(True)
    try:
      return function(*args, **kwargs)
    finally:
      _whole.reset(before)

  return traced_whole


def is_whole() -> bool:
  """Whether `whole` is tracing."""
  return _whole.get()


def takes(name: str, *operands: Any) -> bool:
  """Returns whether a kernel computes this operator for these arrays.

  Args:
    name: one of KERNELS.
    *operands: arrays, or their shapes and types, as the operator takes them.
  """
  if name not in _active.get():
    return False
  from mefnet_jax.ops import cpu

  return cpu.FORMS[name][1](*operands)


def form(name: str, *operands: Any) -> Callable:
  """Returns the implementation for these arrays; arguments as of `takes`."""
  if is_whole():
    from mefnet_jax.ops import primitives

    return getattr(primitives, name)
  if takes(name, *operands):
    from mefnet_jax.ops import cpu

    return cpu.FORMS[name][0]
  return getattr(xla, name)
