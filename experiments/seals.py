"""Seals of results: what made them, and the digest of each of their files.

A result in the folder of a cell need not be that cell's: it may have been
copied there from another one, or be damaged. So a seal lies beside it, as with
checkpoints; what does not match its seal is named, and made anew.
"""

import hashlib
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ml_collections

from mefnet_jax.runs import errors, escape, files, json_file, workdirs

_SEAL = 'seal.json'
# What tables and comparisons read of a run; some runs lack some of them.
_OF_A_RUN = (
  'report.json',
  'predictions.csv',
  'metrics.jsonl',
  'folds.csv',
  'clips.csv',
  'facts.json',
)


def write(
  folder: pathlib.Path, made_by: Mapping[str, Any], names: Iterable[str]
) -> None:
  """Seals files of a cell's folder.

  Args:
    folder: of the cell.
    made_by: plain values that distinguish the cell from any other.
    names: of the files; those that are not there are not part of the result.
  """
  there = [folder / name for name in names if (folder / name).exists()]
  _write(folder / _SEAL, made_by, there)


def why_not(folder: pathlib.Path, made_by: Mapping[str, Any]) -> str:
  """Returns why a cell's folder does not hold its result; '' if it does."""
  return _why_not(folder / _SEAL, made_by)


def write_run(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> None:
  """Seals a run that is finished."""
  write(workdir, _of_config(config), _OF_A_RUN)


def is_run(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> bool:
  """Whether a folder holds the finished run of a config."""
  return not why_not(workdir, _of_config(config))


def announce_run(
  workdir: pathlib.Path, config: ml_collections.ConfigDict
) -> None:
  """Says of a report that is there why it is not believed."""
  if (workdir / 'report.json').exists():
    announce(workdir / 'report.json', why_not(workdir, _of_config(config)))


def announce(path: pathlib.Path, why: str) -> None:
  """Prints why a result is made anew; nothing if `why` is ''."""
  if why:
    print(escape.terminal(f'{path}: {why}: made anew'), flush=True)


def once(
  path: pathlib.Path,
  made_by: Mapping[str, Any],
  make: Callable[[pathlib.Path], object],
) -> None:
  """Makes a file or folder, unless it is there as it was made before.

  Args:
    path: of the file or folder; its seal lies beside it.
    made_by: plain values that distinguish it from any other.
    make: called with the path.
  """
  seal = path.with_name(f'{path.stem}.{_SEAL}')
  if path.exists():
    why = _why_not(seal, made_by)
    if not why:
      return
    announce(path, why)
    files.remove(path)
  make(path)
  _write(seal, made_by, files_of(path))


def files_of(path: pathlib.Path) -> list[pathlib.Path]:
  """Returns the path of a file, or those of all files of a folder."""
  if path.is_dir():
    return [file for file in sorted(path.rglob('*')) if file.is_file()]
  return [path]


def digest(path: pathlib.Path) -> str:
  """Returns a digest of a file, or of all files of a folder."""
  found = hashlib.blake2b(digest_size=16)
  for file in files_of(path):
    name = file.relative_to(path.parent).as_posix()
    found.update(f'{name} {files.digest(file)} '.encode())
  return found.hexdigest()


def _of_config(config):
  return {'config': workdirs.digest(config)}


def _write(seal, made_by, made):
  digests = {
    file.relative_to(seal.parent).as_posix(): files.digest(file)
    for file in made
  }
  files.write_json(seal, {'made_by': dict(made_by), 'files': digests})


def _why_not(seal, made_by):
  """Why what a seal covers is not to be believed; '' if it is."""
  if not seal.exists():
    return 'nothing says what made it'
  try:
    found = json_file.read(seal, {'made_by': dict, 'files': dict})
  except errors.UserError:
    return f'its {seal.name} is damaged'
  # Compared as JSON, in which tuples are lists.
  for name, value in json.loads(json.dumps(dict(made_by))).items():
    if found['made_by'].get(name) != value:
      return f'it was made with another {name}'
  for name, expected in found['files'].items():
    try:
      same = files.digest(seal.parent / name) == expected
    except OSError as error:
      return f'{name} cannot be read ({error.strerror})'
    if not same:
      return f'{name} is not the one that was made here'
  return ''
