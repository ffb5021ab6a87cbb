"""Reads predictions.csv, a run's or somebody else's, and doubts each row."""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from mefnet_jax.runs import errors, files

_COLUMNS = ('clip', 'subject', 'fold', 'label', 'predicted')
_PREFIX = 'prob_'
_NAMED = 5  # clips that an error names


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
  """Rows of a predictions.csv; N clips, C classes; a clip occurs once.

  probabilities is (N, C), or None where the file has no such columns.
  """

  path: pathlib.Path
  classes: tuple[str, ...]
  clip: tuple[str, ...]
  subject: tuple[str, ...]
  fold: tuple[str, ...]
  label: np.ndarray
  predicted: np.ndarray
  probabilities: np.ndarray | None


def write(
  path: str | os.PathLike,
  *,
  clip: Sequence[str],
  subject: Sequence[str],
  fold: Sequence[str],
  label: Sequence[str],
  predicted: Sequence[str],
  probabilities_NC: np.ndarray,
  classes: Sequence[str],
) -> None:
  """Writes a row a held-out clip; label and predicted are names of classes.

  Probabilities have nine significant digits, enough for any float32.
  """
  rows = zip(
    clip,
    subject,
    fold,
    label,
    predicted,
    probabilities_NC.tolist(),
    strict=True,
  )
  files.write_csv(
    path,
    [*_COLUMNS, *(f'{_PREFIX}{name}' for name in classes)],
    ([*names, *(f'{x:.9g}' for x in p)] for *names, p in rows),
  )


def read(path) -> Predictions:
  """The predictions of a file, or of the workdir that holds it.

  Raises:
    UserError: it cannot be read, lacks a column or one of its cells, has a
      doubled clip, a label that is no class, or probabilities that are no
      numbers of 0 to 1 or do not sum to 1. The clips are named.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    path = path / 'predictions.csv'
  head, rows = _rows(path, _COLUMNS)
  _refuse(path, _doubled([row['clip'] for row in rows]), 'doubled clip')
  probable = [name for name in head if name.startswith(_PREFIX)]
  classes = tuple(name.removeprefix(_PREFIX) for name in probable)
  if not classes:
    said = {row[key] for row in rows for key in ('label', 'predicted')}
    classes = tuple(sorted(said))
  for key in ('label', 'predicted'):
    wrong = [row['clip'] for row in rows if row[key] not in classes]
    _refuse(path, wrong, f'{key} that is none of {", ".join(classes)}, at clip')
  columns = {key: tuple(row[key] for row in rows) for key in _COLUMNS}
  return Predictions(
    path=path,
    classes=classes,
    clip=columns['clip'],
    subject=columns['subject'],
    fold=columns['fold'],
    label=np.array([classes.index(x) for x in columns['label']]),
    predicted=np.array([classes.index(x) for x in columns['predicted']]),
    probabilities=_probabilities(path, rows, probable) if probable else None,
  )


def check(made: Predictions, expected, known=()) -> None:
  """Raises UserError if expected clips are missing, or others than they and
  the `known` ones are there: either are named."""
  have, expected = set(made.clip), set(expected)
  _refuse(made.path, sorted(expected - have), 'missing clip')
  _refuse(made.path, sorted(have - expected - set(known)), 'unknown clip')


def improbable(made: Predictions) -> list[str]:
  """Clips whose predicted class is not the most probable one."""
  if made.probabilities is None:
    return []
  said = np.take_along_axis(made.probabilities, made.predicted[:, None], 1)
  below = said[:, 0] < made.probabilities.max(1) - 1e-6
  return [clip for clip, low in zip(made.clip, below, strict=True) if low]


def rows(path, columns) -> list[dict[str, str]]:
  """Rows of any CSV file with at least these columns; UserError if not."""
  return _rows(pathlib.Path(path), columns)[1]


def _rows(path, columns):
  """Names of the columns, and the rows, none of them short; none of these
  columns empty."""
  try:
    with path.open(newline='', encoding='utf-8-sig') as file:
      reader = csv.DictReader(file, strict=True)
      found = list(reader)
      head = reader.fieldnames or []
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(f'{path}: cannot be read ({why})') from error
  lacking = [name for name in columns if name not in head]
  if lacking:
    raise errors.UserError(
      f'{path}: no column {", ".join(lacking)}; needed: {",".join(columns)}'
    )
  twice = _doubled(head)
  if twice:
    raise errors.UserError(f'{path}: doubled column {", ".join(twice)}')
  if not found:
    raise errors.UserError(f'{path}: no rows below the header')
  for number, row in enumerate(found, 2):
    if None in row or None in row.values():
      raise errors.UserError(f'{path}: row {number} has not {len(head)} cells')
    empty = [name for name in columns if not row[name].strip()]
    if empty:
      raise errors.UserError(f'{path}: row {number} has no {empty[0]}')
  return head, found


def _probabilities(path, rows, columns):
  """(N, C); each row of numbers of 0 to 1 that sum to 1."""
  table = np.full((len(rows), len(columns)), np.nan)
  for n, row in enumerate(rows):
    try:
      table[n] = [float(row[name]) for name in columns]
    except ValueError:
      continue
  inside = ((table >= -1e-6) & (table <= 1 + 1e-6)).all(1)  # False for NaN
  _refuse(
    path,
    [row['clip'] for row, fine in zip(rows, inside, strict=True) if not fine],
    'probabilities that are no numbers of 0 to 1, at clip',
  )
  off = np.abs(table.sum(1) - 1) > 1e-3
  _refuse(
    path,
    [
      f'{row["clip"]} ({total:.4g})'
      for row, total, wrong in zip(rows, table.sum(1), off, strict=True)
      if wrong
    ],
    'probabilities that do not sum to 1, at clip',
  )
  return table


def _doubled(names):
  seen = set()
  return list(dict.fromkeys(n for n in names if n in seen or seen.add(n)))


def _refuse(path, clips, what):
  """Raises UserError that names the first of the clips, if there are any."""
  if not clips:
    return
  more = f' and {len(clips) - _NAMED} more' if len(clips) > _NAMED else ''
  named = ', '.join(clips[:_NAMED])
  raise errors.UserError(f'{path}: {what}: {named}{more}')
