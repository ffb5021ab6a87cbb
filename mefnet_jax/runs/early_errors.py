"""Reports errors that arise before a command begins as one line.

jax reads its environment variables when it is imported, and many modules import
it before their command runs. `python -m` first imports the package, which calls
`begin`; the console script calls it itself.
"""

import functools
import os
import sys
from types import TracebackType


def begin(*, console: bool = False) -> None:
  """From now on, reports the errors that `cli.status` handles as one line.

  Does nothing in a process that only imports the package.

  Args:
    console: whether a console script has started this process.
  """
  # Python sets '-m' while it looks for the module of `python -m`.
  if console or getattr(sys, 'argv', [])[:1] == ['-m']:
    sys.excepthook = _one_line
    # Commands draw into files only. An unknown backend in the variable would
    # make the import of matplotlib fail, after hours of training.
    os.environ['MPLBACKEND'] = 'agg'


def _one_line(
  kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
  """A hook of sys.excepthook, whose process then ends with status 1."""
  from mefnet_jax.runs import cli  # slow, and only after a mistake

  try:
    cli.status(functools.partial(_raise, error))
  except BaseException:
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def _raise(error):
  raise error
