"""A value for each thread, of a library whose objects threads cannot share."""

import functools
import threading
import typing
from collections.abc import Callable

Value = typing.TypeVar('Value')


def cache(make: Callable[[], Value]) -> Callable[[], Value]:
  """Like `functools.cache` of a function without arguments, once a thread."""
  own = threading.local()

  @functools.wraps(make)
  def cached() -> Value:
    if not hasattr(own, 'value'):
      own.value = make()
    return own.value

  return cached
