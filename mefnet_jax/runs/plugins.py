"""Networks, data sets and protocols that a user's own Python file registers.

Such a file is a program, like a config. It is imported only if the user names
it on the command line, never because a model or a run's folder names it.
"""

import hashlib
import importlib.util
import inspect
import pathlib
import sys
import traceback
from collections.abc import Iterable

from absl import flags

from mefnet_jax.runs import errors

# The flag belongs to the module that calls `DEFINE_files`.
flags.disclaim_key_flags()
HELP = (
  'A Python file of yours that registers a network or data set '
  '(docs/own_network.md)'
)

_names: dict[str, set[str]] = {}


def remember(kind: str, name: str) -> None:
  """Records that a name was registered from outside the package.

  Args:
    kind: 'network', 'data set' or 'protocol'.
    name: the name by which configs choose it.
  """
  _names.setdefault(kind, set()).add(name)


def names(kind: str) -> tuple[str, ...]:
  """Returns all names of a kind that were registered from outside.

  Args:
    kind: as of `remember`.
  """
  return tuple(sorted(_names.get(kind, ())))


def is_own(kind: str, name: object) -> bool:
  """Returns whether a name of a kind was registered from outside."""
  return name in _names.get(kind, ())


def DEFINE_files(name: str) -> flags.FlagHolder:
  """Defines a flag that lists Python files, to be given to `load`."""
  return flags.DEFINE_multi_string(name, [], HELP)


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
        f'--plugin={file}: it {describe_error(error, str(path))}'
      ) from error


def file_of(function: object) -> str:
  """Returns the file that defines a function or class; '' if there is none."""
  try:
    return inspect.getfile(function)  # type: ignore[arg-type]
  except (TypeError, OSError):
    return ''


def describe_error(error: BaseException, file: str) -> str:
  """Describes in one line an exception of a user's code, and its place.

  Args:
    error: the exception.
    file: the path of the user's code.

  Returns:
    A verb phrase, such as "raises KeyError: 'eyes' (own_network.py, line 19)".
  """
  frames = traceback.extract_tb(error.__traceback__)
  inside = [f.lineno for f in frames if f.filename == file]
  line = inside[-1] if inside else getattr(error, 'lineno', None)
  where = f' ({pathlib.Path(file).name}, line {line})' if line else ''
  # Flax appends the address of a web page.
  text = ' '.join(str(error).split()).partition(' (https://')[0]
  return f'raises {type(error).__name__}: {text}'.removesuffix(': ') + where
