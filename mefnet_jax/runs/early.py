"""Mistakes in the environment that end a command before it begins.

jax reads its variables when it is imported, and many modules import it above
their command. `python -m` imports their package first, and each package calls
`begin`; a console script calls it itself.
"""

import functools
import os
import sys
from types import TracebackType


def begin(*, console: bool = False) -> None:
  """Makes one line of the mistakes that `cli.status` knows, from now on.

  Does nothing in a process that only imports the package.

  Args:
    console: whether a console script has started this process.
  """
  # Python writes '-m' there while it looks for the module of `python -m`.
  if console or getattr(sys, 'argv', [])[:1] == ['-m']:
    sys.excepthook = _one_line
    # Commands draw into files only. matplotlib fails when it is imported, after
    # hours of training, if it does not know what the variable names.
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
