"""Finds the file of a config: as named, or among the installed configs."""

import importlib.util
import pathlib

from mefnet_jax.runs import regular_file

_FOLDER = pathlib.Path('configs')


def resolve(argv: list[str]) -> list[str]:
  """Returns the command line with each --config replaced by an existing file.

  A path that exists is kept. Otherwise `mfcnn`, `mfcnn.py` and
  `configs/mfcnn.py` all name the config that is installed with the package; a
  variant stays behind its colon. Unknown names are kept for the parser to
  reject.

  Raises:
    OSError: a path that exists is neither a regular file nor a folder.
  """
  words = list(argv)
  for i, word in enumerate(words):
    flag, equals, value = word.partition('=')
    if flag not in ('--config', '-config'):
      continue
    if equals:
      words[i] = f'{flag}={_file(value)}'
    elif i + 1 < len(words):
      words[i + 1] = _file(words[i + 1])
  return words


def installed() -> dict[str, pathlib.Path]:
  """Returns the files of the installed configs by name, except `base`."""
  spec = importlib.util.find_spec('configs')
  folders = (spec and spec.submodule_search_locations) or ()
  return {
    file.stem: file
    for folder in folders
    for file in sorted(pathlib.Path(folder).glob('*.py'))
    if file.stem not in ('__init__', 'base')
  }


def _file(value):
  """Replaces `mfcnn:late` by `/.../configs/mfcnn.py:late`, if installed."""
  name, colon, variant = value.partition(':')
  path = pathlib.Path(name)
  if path.exists() and not path.is_dir():
    regular_file.check(path)  # Python would wait for a pipe
  if path.is_file() or path.parent not in (pathlib.Path(), _FOLDER):
    return value
  found = installed().get(path.stem if path.suffix == '.py' else path.name)
  return f'{found}{colon}{variant}' if found else value
