"""Reads and writes metrics.jsonl, the training curves of a run.

A row holds epoch, seed, fold, split ('train', 'validation', 'held-out') and
scores; a score that is not finite is null in the file and nan in memory.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from mefnet_jax.runs import errors, files, regular_file

FILE = 'metrics.jsonl'
_KEYS = {'epoch': int, 'seed': int, 'fold': str, 'split': str}
_LEAST = {'epoch': 1, 'seed': 0}
_LARGEST = sys.float_info.max
_MOST_BYTES = 2**30
_SPLITS = ('train', 'validation', 'held-out')


def read(workdir: pathlib.Path) -> list[dict]:
  """Reads the rows of metrics.jsonl; [] if there is no such file.

  A last line that a killed process left incomplete is ignored.

  Raises:
    errors.UserError: the file is not UTF-8, or a row is invalid.
  """
  return [
    {name: math.nan if x is None else x for name, x in row.items()}
    for row in read_raw(workdir)
  ]


def read_raw(workdir: pathlib.Path) -> list[dict]:
  """Reads the rows as `read` does, but with None for null.

  Raises:
    errors.UserError: as `read`.
  """
  return _rows(workdir / FILE)


def seal(rows: Iterable[dict]) -> str:
  """Returns the SHA-256 of rows of `read_raw`, in their order; '' for none."""
  text = ''.join(map(_line, rows))
  return hashlib.sha256(text.encode()).hexdigest() if text else ''


def merge(workdir: pathlib.Path, parts: Iterable[pathlib.Path]) -> None:
  """Merges the rows of several folders into one file, sorted by epoch.

  Args:
    workdir: where the merged file is written.
    parts: folders with a metrics.jsonl each.
  """
  rows = [row for part in parts for row in _rows(part / FILE)]
  # As one process would have written them; the sort keeps the folds' order.
  rows.sort(key=lambda row: (row['seed'], row['epoch']))
  _rewrite(workdir / FILE, rows)


def select(
  source: pathlib.Path, workdir: pathlib.Path, rename: Callable[[str], str]
) -> None:
  """Copies the rows of some folds from one run to another.

  Args:
    source: workdir from which rows are read.
    workdir: workdir to which they are written.
    rename: maps the name of a fold to its new name; '' drops the fold.
  """
  rows = [row | {'fold': rename(row['fold'])} for row in _rows(source / FILE)]
  _rewrite(workdir / FILE, [row for row in rows if row['fold']])


def _rows(path):
  """The rows as stored, without a last line that was left incomplete."""
  try:
    text = regular_file.read(path, _MOST_BYTES).decode('utf-8')
  except FileNotFoundError:
    return []
  except (OSError, UnicodeDecodeError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(
      f'{path}: cannot be read ({why}): {_REMEDY}'
    ) from error
  lines = text.split('\n')
  # Writers end each row with a newline, so a complete file ends in ''.
  *complete, last = lines
  rows = [_row(path, number, line) for number, line in enumerate(complete, 1)]
  # The last line may lack only its newline.
  with contextlib.suppress(errors.UserError):
    rows.append(_row(path, len(lines), last))
  return rows


def refuse(workdir: pathlib.Path, why: str) -> NoReturn:
  """Raises errors.UserError: the file does not belong to this run.

  Args:
    workdir: the run's folder.
    why: the reason, in the middle of a sentence.
  """
  raise errors.UserError(f'{workdir / FILE}: {why}: {_REMEDY}')


_REMEDY = 'repair it or delete it; it only holds the curves of past epochs'


def _row(path, number, line):
  """Parses one row; UserError if it is invalid."""
  try:
    row = json.loads(line, parse_constant=_not_finite)
    _check(row)
  except (ValueError, RecursionError) as error:
    raise errors.UserError(
      f'{path}: row {number} is invalid ({error}): {_REMEDY}'
    ) from error
  return row


def _check(row):
  """Raises ValueError for a row that `Writer.add` would not write."""
  if not isinstance(row, dict):
    raise ValueError('no epoch, fold, seed, split')
  for key, kind in _KEYS.items():
    if type(row.get(key)) is not kind:
      word = 'a whole number' if kind is int else 'a text'
      raise ValueError(f'its {key} is not {word}')
  for key, least in _LEAST.items():
    if row[key] < least:
      raise ValueError(f'its {key} is below {least}')
  if row['split'] not in _SPLITS:
    raise ValueError(f'its split is none of {", ".join(_SPLITS)}')
  for key, value in row.items():
    if key not in _KEYS and not (value is None or _is_number(value)):
      raise ValueError(f'its {key} is not a number')


def _is_number(value):
  """Whether a value is a number that a float can hold."""
  if isinstance(value, bool) or not isinstance(value, int | float):
    return False
  return -_LARGEST <= value <= _LARGEST


def _not_finite(word):
  raise ValueError(f'{word}: a number that is not finite is written as null')


class Writer:
  """Appends rows to metrics.jsonl.

  Args:
    workdir: the run's folder.
    keep: whether an existing row stays in the file.
    own: whether an existing row is sealed; rows that are added always are.
  """

  def __init__(
    self,
    workdir: pathlib.Path,
    keep: Callable[[dict], bool],
    own: Callable[[dict], bool],
  ):
    path, self._own = workdir / FILE, hashlib.sha256()
    rows = [row for row in _rows(path) if keep(row)]
    _rewrite(path, rows)
    for row in rows:
      if own(row):
        self._own.update(_line(row).encode())
    # After a rewrite without the rows that a resumed run computes again.
    self._file = open(path, 'a', encoding='utf-8')

  def add(self, row: dict[str, object]) -> None:
    """Writes one row, with floats rounded to six decimals."""
    line = _line({k: _plain(x) for k, x in row.items()})
    self._own.update(line.encode())
    self._file.write(line)

  def seal(self) -> str:
    """Returns the digest, as of `seal`, of the block's rows so far."""
    return self._own.hexdigest()

  def flush(self) -> None:
    """Flushes all rows to the disk."""
    self._file.flush()
    # A checkpoint must not outlive the rows of the epochs before it.
    os.fsync(self._file.fileno())

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


def _plain(value):
  """A value for JSON: None instead of a number that is not finite."""
  if not isinstance(value, float):
    return value
  return round(float(value), 6) if math.isfinite(value) else None


def _rewrite(path, rows):
  files.write(path, ''.join(map(_line, rows)))


def _line(row):
  return json.dumps(row) + '\n'
