"""What somebody's own Python file adds: networks, data sets, protocols.

A file of that kind is a program, like a config. It is imported because a user
names it on the command line, never because a model or a run's folder does.
"""

import hashlib
import importlib.util
import pathlib
import sys
import traceback
from collections.abc import Iterable

from absl import flags

from mefnet_jax.runs import errors

# The flag belongs to the module that calls `DEFINE_files`.
flags.disclaim_key_flags()

_names: dict[str, set[str]] = {}


def note(kind: str, name: str) -> None:
  """Remembers that a name was registered from outside the package.

  Args:
    kind: 'network', 'data set' or 'protocol'.
    name: by which configs choose it.
  """
  _names.setdefault(kind, set()).add(name)


def is_own(kind: str, name: object) -> bool:
  """Returns whether a name was registered from outside the package."""
  return name in _names.get(kind, ())


def DEFINE_files(name: str) -> flags.FlagHolder:
  """Defines a flag of that name, whose files `load` imports."""
  return flags.DEFINE_multi_string(
    name,
    [],
    'A Python file of yours that registers the network or data set of the '
    'model (docs/own_network.md).',
  )


def load(files: Iterable[str]) -> None:
  """Imports Python files, each once, so that they can register what they hold.

  Raises:
    errors.UserError: a file is missing, or raises while it is imported.
  """
  for file in files:
    path = pathlib.Path(file).resolve()
    name = f'mefnet_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}'
    if name in sys.modules:
      continue
    if not path.is_file():
      raise errors.UserError(f'--plugin={file}: no such file')
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
      raise errors.UserError(f'--plugin={file}: not a Python file (.py)')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
      spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
      del sys.modules[name]
      raise errors.UserError(
        f'--plugin={file}: it raises {type(error).__name__}: '
        f'{" ".join(str(error).split())} ({_line(error, path)})'
      ) from error


def _line(error, path):
  """The last line of the file on the way to an error."""
  frames = traceback.extract_tb(error.__traceback__)
  inside = [f.lineno for f in frames if f.filename == str(path)]
  lines = inside or [getattr(error, 'lineno', None)]
  return f'line {lines[-1]}'
