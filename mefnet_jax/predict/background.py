"""Work for a thread where there is one; otherwise it is done at once."""

from collections.abc import Callable
from concurrent import futures
from typing import Any


def submit(
  executor: futures.Executor | None, function: Callable, *args: Any
) -> futures.Future:
  """The future result of `function(*args)`.

  Args:
    executor: computes it; None: it is computed before this returns, and what
      it raises is raised here.
  """
  if executor is not None:
    return executor.submit(function, *args)
  made: futures.Future = futures.Future()
  made.set_result(function(*args))
  return made
