"""Values that one caller uses at a time, of a library whose objects threads
cannot share."""

import contextlib
import functools
import typing
from collections.abc import Callable, Iterator

Value = typing.TypeVar('Value')


def pool(
  make: Callable[[], Value],
) -> Callable[[], contextlib.AbstractContextManager[Value]]:
  """A context manager that lends a value which nobody else uses.

  One that has been given back is lent again. So there are as many as callers at
  once, not as threads that ever called: a thread that ends leaves its own.
  """
  free: list[Value] = []

  @functools.wraps(make)
  @contextlib.contextmanager
  def lend() -> Iterator[Value]:
    try:
      value = free.pop()  # at once: no two threads get the same
    except IndexError:
      value = make()
    try:
      yield value
    finally:
      free.append(value)

  return lend
