"""The allowed values of the networks' fields, and their validation."""

from collections.abc import Callable, Collection
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

FORMS = ('3d', '2d')
CONVOLUTIONS = ('3d', '2plus1d')
PLACES = ('conv', 'pool')
FUSIONS = ('intermediate', 'late')
FUSION_NORMS = ('l2', 'layer')
NORMALISATIONS = ('none', 'group', 'layer')
DTYPES = ('float32', 'bfloat16')
INITIALIZERS = {
  'glorot_uniform': nn.initializers.glorot_uniform(),  # Keras's, the paper's
  'glorot_normal': nn.initializers.glorot_normal(),
  'he_uniform': nn.initializers.he_uniform(),
  'he_normal': nn.initializers.he_normal(),
  'lecun_uniform': nn.initializers.lecun_uniform(),
  'lecun_normal': nn.initializers.lecun_normal(),
  'orthogonal': nn.initializers.orthogonal(),
  'zeros': nn.initializers.zeros,
}
# The position of a stream seeds its dropout: new ones are appended, so that the
# others keep their draws.
CLIP_STREAMS = ('eyes', 'mouth', 'face', 'flow', 'eyes_flow', 'mouth_flow')
STREAMS = (*CLIP_STREAMS, 'audio', 'text')


def one_of(field: str, value: Any, allowed: Collection[str]) -> Any:
  """Returns the value, or raises ValueError if it is not allowed."""
  if value not in allowed:
    raise ValueError(f'{field}={value!r}: choose one of {", ".join(allowed)}')
  return value


def one_stream(streams: tuple[str, ...]) -> None:
  """Raises ValueError if a network of one stream is given another number."""
  if len(streams) != 1:
    raise ValueError(f'streams={streams}: this network looks at one stream')


def initializer(name: str, field: str = 'kernel_init') -> Callable:
  """Returns the initialiser of that name.

  Raises:
    ValueError: there is none; the message names the `field`.
  """
  return INITIALIZERS[one_of(field, name, INITIALIZERS)]


def cast(dtype: str, *arrays: Any) -> list[Any]:
  """Casts arrays to the dtype in which products are computed.

  Raises:
    ValueError: the dtype is not one of `DTYPES`.
  """
  dtype = jnp.dtype(one_of('dtype', dtype, DTYPES))
  return [array.astype(dtype) for array in arrays]


def three_sizes(field: str, value: Any) -> tuple[int, int, int]:
  """Returns the value as (frames, rows, columns).

  Raises:
    ValueError: it is not three positive whole numbers.
  """
  sizes = tuple(value) if isinstance(value, (tuple, list)) else ()
  if len(sizes) != 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
    raise ValueError(
      f'{field}={value}: three whole numbers above 0 (frames, rows, columns)'
    )
  return sizes


def share(field: str, value: float) -> None:
  """Raises ValueError unless 0 <= value < 1."""
  if not 0 <= value < 1:
    raise ValueError(f'{field}={value}: at least 0 and below 1')


def widths(field: str, value: tuple[int, ...]) -> None:
  """Raises ValueError unless all values are positive whole numbers."""
  if not all(isinstance(n, int) and n > 0 for n in value):
    raise ValueError(f'{field}={tuple(value)}: whole numbers above 0')
