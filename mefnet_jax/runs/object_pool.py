"""A pool of objects that threads cannot share, such as those of a library."""

import contextlib
import functools
import typing
from collections.abc import Callable, Iterator

Value = typing.TypeVar('Value')


def pool(
  make: Callable[[], Value],
) -> Callable[[], contextlib.AbstractContextManager[Value]]:
  """Returns a context manager that lends an object to one caller at a time.

  The pool grows to the number of simultaneous callers, not of threads: an ended
  thread's object is reused.

  Args:
    make: makes an object, when all others are lent.
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
