"""Registers the kernels with XLA under a name, and calls them by it."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax import ad_checkpoint

from mefnet_jax.ops import pooling

_PREFIX = 'mefnet_jax.'


def register(handlers: Mapping[str, Any]) -> None:
  """Registers Numba's C functions with XLA, each by its name.

  Raises:
    Exception: XLA's interface is of another version than `call_frame.VERSIONS`.
  """
  for name, handler in handlers.items():
    capsule = jax.ffi.pycapsule(handler.address)
    jax.ffi.register_ffi_target(_PREFIX + name, capsule, 'cpu')


def call(
  name: str,
  results: Iterable[tuple[tuple[int, ...], Any]],
  *operands: jax.Array | np.ndarray,
) -> list[jax.Array]:
  """Calls a kernel.

  Args:
    name: as registered.
    results: shape and dtype of each result.
    *operands: of the kernel.
  """
  shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results]
  # Under vmap an operand that is not mapped gets an axis of size 1, so that
  # what the folds share is not copied for each of them.
  run = jax.ffi.ffi_call(_PREFIX + name, shapes, vmap_method='expand_dims')
  return run(*operands)


def used(
  x_BTHWC: jax.Array, used_B: jax.Array | None
) -> jax.Array | np.ndarray:
  """`used_B` as kernels take it: ones where all clips are read."""
  return np.ones(len(x_BTHWC), np.float32) if used_B is None else used_B


def saved(*arrays: jax.Array) -> tuple[jax.Array, ...]:
  """Names what `streams.over_clips` stores instead of computing it again."""
  return tuple(
    ad_checkpoint.checkpoint_name(a, pooling.SAVED[2]) for a in arrays
  )


def in_place(
  name: str, aliases: dict[int, int], *operands: jax.Array
) -> list[jax.Array]:
  """Calls a kernel that changes operands in place; returns the changed ones.

  Args:
    name: as registered.
    aliases: the number of each changed operand, and that of its result.
    *operands: of the kernel.
  """
  shapes = [
    jax.ShapeDtypeStruct(operands[i].shape, operands[i].dtype) for i in aliases
  ]
  run = jax.ffi.ffi_call(_PREFIX + name, shapes, input_output_aliases=aliases)
  return run(*operands)
