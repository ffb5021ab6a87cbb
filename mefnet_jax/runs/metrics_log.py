"""metrics.jsonl: THE writer and THE reader of a run's curves.

A row holds epoch, seed, fold, split ('train', 'validation', 'held-out') and
scores; a score that was not finite is null in the file and nan in memory.
"""

import contextlib
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterable

from mefnet_jax.runs import errors, files

_FILE = 'metrics.jsonl'
_KEYS = {'epoch': int, 'seed': int, 'fold': str, 'split': str}
_LEAST = {'epoch': 1, 'seed': 0}


def read(workdir: pathlib.Path) -> list[dict]:
  """Rows of metrics.jsonl, without a last line that a kill cut short.

  A value that was not finite is nan.

  Raises:
    errors.UserError: not UTF-8, or a row that is none of a run.
  """
  return [
    {name: math.nan if x is None else x for name, x in row.items()}
    for row in _rows(workdir / _FILE)
  ]


def merge(workdir: pathlib.Path, parts: Iterable[pathlib.Path]) -> None:
  """Writes the rows of several folders as one file, in the order of epochs."""
  rows = [row for part in parts for row in _rows(part / _FILE)]
  rows.sort(key=lambda row: (row['seed'], row['epoch']))
  _rewrite(workdir / _FILE, rows)


def select(
  source: pathlib.Path, workdir: pathlib.Path, rename: Callable[[str], str]
) -> None:
  """Writes the rows of some folds of `source` as the file of `workdir`.

  Args:
    source, workdir: folders of runs.
    rename: the name of a fold to its new one; '' for folds that are not kept.
  """
  rows = [row | {'fold': rename(row['fold'])} for row in _rows(source / _FILE)]
  _rewrite(workdir / _FILE, [row for row in rows if row['fold']])


def _rows(path):
  """The rows as they are written, up to a last line that a kill cut short."""
  try:
    lines = path.read_bytes().decode('utf-8').split('\n')
  except FileNotFoundError:
    return []
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}): {_MEND}'
    ) from error
  *whole, cut = lines
  rows = [_row(path, number, line) for number, line in enumerate(whole, 1)]
  with contextlib.suppress(errors.UserError):
    rows.append(_row(path, len(lines), cut))
  return rows


_MEND = 'mend it or delete it; only the curves of the epochs done are in it'


def _row(path, number, line):
  """One row; UserError if it is none of a run."""
  try:
    row = json.loads(line, parse_constant=_not_finite)
    _check(row)
  except (ValueError, RecursionError) as error:
    raise errors.UserError(
      f'{path}: row {number} is not one of a run ({error}): {_MEND}'
    ) from error
  return row


def _check(row):
  """Raises ValueError for what `Writer.add` would never have written."""
  if not isinstance(row, dict):
    raise ValueError('no epoch, fold, seed, split')
  for key, kind in _KEYS.items():
    if type(row.get(key)) is not kind:
      word = 'a whole number' if kind is int else 'a text'
      raise ValueError(f'its {key} is not {word}')
  for key, least in _LEAST.items():
    if row[key] < least:
      raise ValueError(f'its {key} is below {least}')
  for key, value in row.items():
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key not in _KEYS and not (value is None or number):
      raise ValueError(f'its {key} is not a number')


def _not_finite(word):
  raise ValueError(f'{word}: null is written for what is not finite')


class Writer:
  """Appends rows to metrics.jsonl.

  Args:
    workdir: of the run.
    kept: whether a row that is there already stays.
  """

  def __init__(self, workdir: pathlib.Path, kept: Callable[[dict], bool]):
    path = workdir / _FILE
    _rewrite(path, [row for row in _rows(path) if kept(row)])
    self._file = open(path, 'a', encoding='utf-8')

  def add(self, row: dict[str, object]) -> None:
    """Writes one row; floats are rounded to six digits."""
    self._file.write(json.dumps({k: _plain(x) for k, x in row.items()}) + '\n')

  def flush(self) -> None:
    """Brings all rows to the disk."""
    self._file.flush()
    os.fsync(self._file.fileno())

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


def _plain(value):
  """A number as JSON has it: null for what is not finite."""
  if not isinstance(value, float):
    return value
  return round(float(value), 6) if math.isfinite(value) else None


def _rewrite(path, rows):
  files.write(path, ''.join(json.dumps(row) + '\n' for row in rows))
