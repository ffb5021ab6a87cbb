"""MEFNet in JAX: micro-expression recognition whose numbers are believed."""

import typing

from mefnet_jax.runs import early_errors

__version__ = '0.1.0'
__all__ = ('Model', 'load')

early_errors.begin()

if typing.TYPE_CHECKING:
  from mefnet_jax.predict.api import Model, load


def __getattr__(name):
  """`load` and `Model`, imported when they are asked for: jax is slow."""
  if name in __all__:
    from mefnet_jax.predict import api

    return getattr(api, name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
