"""Work for an executor where there is one; otherwise it is done at once."""

from collections.abc import Callable
from concurrent import futures
from typing import Any


def submit(
  executor: futures.Executor | None, function: Callable, *args: Any
) -> futures.Future:
  """Returns the future result of `function(*args)`.

  Args:
    executor: computes it. With None it is computed before this returns, and its
      exceptions are raised here.
    function, *args: the call.
  """
  if executor is not None:
    return executor.submit(function, *args)
  made: futures.Future = futures.Future()
  made.set_result(function(*args))
  return made
