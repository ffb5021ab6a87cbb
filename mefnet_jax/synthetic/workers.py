"""Runs the generators in worker processes."""

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mefnet_jax.runs import child_processes, errors


def each(
  work: Callable[[Any], Any], items: Sequence, processes: int | None
) -> Iterator:
  """Yields the result of `work` for each item, in the order of completion.

  Args:
    work: a function that can be sent to another process.
    items: its arguments.
    processes: number of worker processes; by default one a core. With 1 the
      work is done in this process.

  Raises:
    errors.UserError: the system ended a process.
  """
  processes = min(processes or os.cpu_count(), len(items))
  if processes < 2 or not child_processes.allowed():
    yield from map(work, items)
    return
  # A fork of a process with threads, such as jax's, may hang.
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(
    processes, context, initializer=_start
  ) as pool:
    futures = [pool.submit(work, item) for item in items]
    try:
      for future in concurrent.futures.as_completed(futures):
        yield future.result()
    except concurrent.futures.BrokenExecutor:
      raise errors.UserError(
        'a process of the generator was ended (out of memory?): run it once '
        'more'
      ) from None
    finally:
      for future in futures:
        future.cancel()


def _start():
  """Leaves Ctrl-C to the process that started the workers."""
  child_processes.end_with_parent()
  signal.signal(signal.SIGINT, signal.SIG_IGN)
