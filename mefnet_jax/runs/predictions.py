"""Reads predictions.csv, a run's or somebody else's, and doubts each row."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from mefnet_jax.runs import csv_table, errors, files, names

_COLUMNS = ('clip', 'subject', 'fold', 'label', 'predicted')
_PREFIX = 'prob_'
_NAMED = 5  # clips that an error names
_MOST_CLASSES = 200


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

  Classes are compared by `names.label_key`: 1 and 1.0, Joy and joy are one.

  Raises:
    UserError: it cannot be read, lacks a column or one of its cells, has a
      doubled clip, a label that is no class, more classes than anybody can
      name, labels and predictions that share no class, or probabilities that
      are no numbers of 0 to 1 or do not sum to 1. The clips are named.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    path = path / 'predictions.csv'
  rows = [row for _, row in csv_table.filled(path, _COLUMNS)]
  _refuse(path, _doubled([row['clip'] for row in rows]), 'doubled clip')
  probable = [name for name in rows[0] if name.startswith(_PREFIX)]
  classes = _classes(path, rows, probable)
  index = {names.label_key(name): i for i, name in enumerate(classes)}
  for column in ('label', 'predicted'):
    wrong = [r['clip'] for r in rows if names.label_key(r[column]) not in index]
    known = ', '.join(classes)
    _refuse(path, wrong, f'{column} that is none of {known}, at clip')
  columns = {name: tuple(row[name] for row in rows) for name in _COLUMNS}
  label, predicted = (
    np.array([index[names.label_key(text)] for text in columns[name]])
    for name in ('label', 'predicted')
  )
  return Predictions(
    path=path,
    classes=classes,
    clip=columns['clip'],
    subject=columns['subject'],
    fold=columns['fold'],
    label=label,
    predicted=predicted,
    probabilities=_probabilities(path, rows, probable) if probable else None,
  )


def _classes(path, rows, probable):
  """Names of the classes: of the probabilities, else those that occur."""
  if probable:
    found = [name.removeprefix(_PREFIX) for name in probable]
    twice = _doubled([names.label_key(name) for name in found])
    if twice:
      raise errors.UserError(f'{path}: two columns for class {twice[0]}')
  else:
    said = {
      key: names.spellings(row[key] for row in rows)
      for key in ('label', 'predicted')
    }
    _check_shared(path, *said.values())
    both = names.spellings([*said['label'], *said['predicted']])
    found = sorted(set(both.values()))
  if len(found) > _MOST_CLASSES:
    raise errors.UserError(
      f'{path}: {len(found)} different labels; label and predicted name '
      f'classes, of which there may be {_MOST_CLASSES}'
    )
  return tuple(found)


def _check_shared(path, label, predicted):
  """Raises UserError where no label is ever predicted: other words are used."""
  one, other = (
    {names.label_key(text): text for text in texts}
    for texts in (label, predicted)
  )
  if not one.keys() & other.keys():
    shown = (
      ', '.join(sorted(texts.values())[:_NAMED]) for texts in (one, other)
    )
    raise errors.UserError(
      f'{path}: label and predicted share no class: {" against ".join(shown)}; '
      'write both in the same words'
    )


def check_clips(made: Predictions, expected, known=()) -> None:
  """Raises UserError if expected clips are missing, or others than they and
  the `known` ones are there: either are named."""
  have, expected = set(made.clip), set(expected)
  _refuse(made.path, sorted(expected - have), 'missing clip')
  _refuse(made.path, sorted(have - expected - set(known)), 'unknown clip')


def renamed(clips: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
  """Clips as they are called in `known`, where two spellings are one name.

  Names that differ by case or the like within `known` stay apart.
  """
  own, same = set(known), {names.key(clip): clip for clip in known}
  if len(same) < len(own):
    return tuple(clips)
  return tuple(
    clip if clip in own else same.get(names.key(clip), clip) for clip in clips
  )


def not_most_probable(made: Predictions) -> list[str]:
  """Clips whose predicted class is not the most probable one."""
  if made.probabilities is None:
    return []
  said = np.take_along_axis(made.probabilities, made.predicted[:, None], 1)
  below = said[:, 0] < made.probabilities.max(1) - 1e-6
  return [clip for clip, low in zip(made.clip, below, strict=True) if low]


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


def _doubled(texts):
  count = collections.Counter(texts)
  return [text for text in count if count[text] > 1]


def _refuse(path, clips, what):
  """Raises UserError that names the first of the clips, if there are any."""
  if not clips:
    return
  more = f' and {len(clips) - _NAMED} more' if len(clips) > _NAMED else ''
  named = ', '.join(clips[:_NAMED])
  raise errors.UserError(f'{path}: {what}: {named}{more}')
