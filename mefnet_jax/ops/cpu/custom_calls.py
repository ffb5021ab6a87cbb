"""The kernels by name in XLA's programs."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

_PREFIX = 'mefnet_jax.'


def register(handlers: Mapping[str, Any]):
  """Makes Numba's C functions known to XLA, each by its name.

  Raises:
    Exception: XLA's interface is of another version than `frames.VERSIONS`.
  """
  for name, one in handlers.items():
    capsule = jax.ffi.pycapsule(one.address)
    jax.ffi.register_ffi_target(_PREFIX + name, capsule, 'cpu')


def call(
  name: str,
  results: Iterable[tuple[tuple[int, ...], Any]],
  *operands: jax.Array | np.ndarray,
) -> list[jax.Array]:
  """What a kernel makes: arrays of these shapes and types."""
  made = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results]
  run = jax.ffi.ffi_call(_PREFIX + name, made, vmap_method='expand_dims')
  return run(*operands)


def in_place(
  name: str, aliases: dict[int, int], *operands: jax.Array
) -> list[jax.Array]:
  """Operands that a kernel changes where they lie; of each, its result."""
  given = [
    jax.ShapeDtypeStruct(operands[i].shape, operands[i].dtype) for i in aliases
  ]
  run = jax.ffi.ffi_call(_PREFIX + name, given, input_output_aliases=aliases)
  return run(*operands)
