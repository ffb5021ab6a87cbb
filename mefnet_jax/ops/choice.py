"""Which form of each layer is used: the one place that chooses.

A step is traced under `using`; outside of it, and for what no kernel is made
for, the forms are XLA's.
"""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mefnet_jax.ops import placement, xla

CHOICES = ('auto', 'xla', 'cpu')
KERNELS = ('adam', 'convolve', 'convolve_max_pool', 'convolve_relu', 'dense')
_AUTO, _XLA, _CPU = CHOICES

_on: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar(
  'kernels', default=frozenset()
)


def resolve(kernels: str) -> tuple[str, str]:
  """What a choice comes to on this machine.

  Args:
    kernels: 'auto', 'xla' or 'cpu'.

  Returns:
    'xla' or 'cpu', and what is to be said of it; '' if nothing.

  Raises:
    ValueError: 'cpu' where the kernels cannot run, with the reason, or
      another word.
  """
  if kernels not in CHOICES:
    raise ValueError(f'{kernels!r}: one of {", ".join(CHOICES)}')
  if kernels == _XLA:
    return _XLA, ''
  why_not = obstacle()
  if why_not and kernels == _CPU:
    raise ValueError(why_not)
  if why_not:
    return _XLA, why_not
  from mefnet_jax.ops import cpu

  note = cpu.KEPT_NOT and f'compiled for this process only: {cpu.KEPT_NOT}'
  return _CPU, note


@functools.cache
def obstacle() -> str:
  """Why the kernels cannot run here; '' if they can: compiled, and tried."""
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
    tried = cpu.FORMS['dense'][0](jnp.ones((1, 2)), jnp.ones((2, 32)))
    right = bool((tried == 2).all())
  except Exception as error:  # XLA raises what it likes
    said = str(error).splitlines()[0]
    return f'XLA does not take them ({said[:120]})'
  return '' if right else 'they compute wrong numbers'


def using(
  step: Callable,
  kernels: str = _AUTO,
  *,
  under_pmap: bool = False,
  without: tuple[str, ...] = (),
) -> Callable:
  """`step`, traced so that its layers take the chosen forms.

  Args:
    step: takes arrays, under any number of `jax.vmap`.
    kernels: of `resolve`.
    under_pmap: around these is a pmap that splits its state.
    without: of KERNELS, those that are left to XLA.

  Raises:
    ValueError: as of `resolve`.
  """
  chosen, _ = resolve(kernels)
  on = frozenset(KERNELS) - set(without) if chosen == _CPU else frozenset()

  @functools.wraps(step)
  def chosen_step(*args, **kwargs):
    before, outside = _on.set(on), placement.under_pmap.set(under_pmap)
    try:
      return step(*args, **kwargs)
    finally:
      _on.reset(before)
      placement.under_pmap.reset(outside)

  return chosen_step


def takes(name: str, *operands: Any) -> bool:
  """Whether a kernel does a layer of these arrays."""
  if name not in _on.get():
    return False
  from mefnet_jax.ops import cpu

  return cpu.FORMS[name][1](*operands)


def form(name: str, *operands: Any) -> Callable:
  """The function that does a layer of these arrays."""
  if takes(name, *operands):
    from mefnet_jax.ops import cpu

    return cpu.FORMS[name][0]
  return getattr(xla, name)
