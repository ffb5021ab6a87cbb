"""Ends worker processes whose parent process has died."""

import contextlib
import multiprocessing
import os
import pathlib
import threading
from typing import IO

_PACKAGE = pathlib.Path(__file__).parents[2]
_PIPE = 2**20  # bytes, the most that Linux allows without privileges


def end_with_parent() -> None:
  """Makes this process exit as soon as its parent process has died.

  Without this, the workers of a pool whose owner was killed wait forever:
  each of them holds open the pipe whose closing would wake the others.
  """
  parent = multiprocessing.parent_process()
  if parent is not None:
    threading.Thread(target=_wait, args=(parent,), daemon=True).start()


def allowed() -> bool:
  """Whether this process may have children; a worker of Dask may not."""
  return not multiprocessing.current_process().daemon


def end_with_stdin() -> None:
  """Makes this process exit as soon as its stdin is closed.

  For a process that `subprocess` started with a pipe as stdin: the system
  closes the pipe however the parent ends.
  """
  threading.Thread(target=_wait_for_stdin, daemon=True).start()


def enlarge_pipe(pipe: IO) -> None:
  """Enlarges the pipe's buffer to one frame, so that both ends wake less often.

  Does nothing on systems without that option.
  """
  try:
    import fcntl

    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
  except (ImportError, AttributeError, OSError):
    return


def environment() -> dict[str, str]:
  """Returns the environment variables for a child of `subprocess`.

  With them it finds this package, and NumPy uses one thread.
  """
  paths = [str(_PACKAGE), os.environ.get('PYTHONPATH', '')]
  return {
    **os.environ,
    'PYTHONPATH': os.pathsep.join(filter(None, paths)),
    'OPENBLAS_NUM_THREADS': '1',
    'OMP_NUM_THREADS': '1',
  }


def _wait_for_stdin():
  with contextlib.suppress(OSError):
    while os.read(0, 1):
      pass
  os._exit(1)


def _wait(parent):
  parent.join()
  # sys.exit would end only this thread.
  os._exit(1)
