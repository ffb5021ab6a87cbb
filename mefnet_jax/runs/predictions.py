"""Writes predictions.csv, and reads and validates those of any run."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from mefnet_jax.runs import csv_table, errors, files, names

FILE = 'predictions.csv'
_COLUMNS = ('clip', 'subject', 'fold', 'label', 'predicted')
# Other programs' names of the columns, in lower case and without '_'.
_SYNONYMS = {
  'clip': 'id name video videoname file filename sample clipid clipname',
  'subject': 'subjectid subj sub participant person',
  'fold': 'foldid split',
  'label': 'ytrue true truelabel target groundtruth gt actual',
  'predicted': 'ypred pred prediction predictedlabel predlabel',
}
_PREFIX = 'prob_'
_NAMED = 5  # clips that an error lists
_MOST_CLASSES = 200  # more suggest a column of names or numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
  """The rows of a predictions.csv: N clips, each once, and C classes.

  Attributes:
    path: the file.
    classes: C names; labels are indices into them.
    clip, subject, fold: N names.
    label, predicted: (N,) true and predicted classes.
    probabilities: (N, C), or None if the file has no such columns.
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
  """Writes one row for each of N held-out clips.

  Args:
    path: the file.
    clip, subject, fold: N names.
    label, predicted: N names of classes.
    probabilities_NC: (N, C); nine digits are written, which identify a float32.
    classes: C names.

  Raises:
    OSError: the file cannot be written.
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
    ([*texts, *(f'{x:.9g}' for x in p)] for *texts, p in rows),
  )


def read(path: str | os.PathLike) -> Predictions:
  """Reads a predictions.csv.

  Classes are compared by `names.label_key`: 1 and 1.0, Joy and joy are equal.
  Columns may have other usual names, such as y_true and y_pred.

  Args:
    path: the file, or the workdir that holds it.

  Raises:
    UserError: the file cannot be read, a column or cell is missing, a clip
      occurs twice, a label is not a class, there are too many classes, labels
      and predictions share no class, or probabilities are not numbers between
      0 and 1 that sum to 1. The clips are named.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    path = path / FILE
  head, _ = csv_table.read(path)
  our_names = _our_names(path, head)
  rows = [
    {our_names.get(name, name): cell for name, cell in row.items()}
    for _, row in csv_table.filled(path, list(our_names))
  ]
  # A clip that is scored twice weighs twice.
  _refuse(path, _doubled([row['clip'].strip() for row in rows]), 'doubled clip')
  for column in ('label', 'predicted'):
    unknown = [row['clip'] for row in rows if names.is_missing(row[column])]
    _refuse(
      path, unknown, f'{column} that is a missing value, such as nan, at clip'
    )
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


def _our_names(path, head):
  """Our names of a file's columns: {'y_true': 'label', ...}; or UserError."""
  plain = {name: re.sub(r'[\W_]+', '', names.key(name)) for name in head}
  found = {
    column: [column]
    if column in head
    else [x for x in head if plain[x] in (column, *others.split())]
    for column, others in _SYNONYMS.items()
  }
  lacking = [column for column, names_here in found.items() if not names_here]
  if lacking:
    raise errors.UserError(
      f'{path}: no column {", ".join(lacking)}; needed: {",".join(_COLUMNS)}'
    )
  for column, names_here in found.items():
    if len(names_here) > 1:
      raise errors.UserError(
        f'{path}: {" and ".join(names_here)} may both be the column {column}: '
        f'call one of them {column}'
      )
  return {names_here[0]: column for column, names_here in found.items()}


def _classes(path, rows, probable):
  """Names of the classes: of the probability columns, or of all labels."""
  if probable:
    found = [name.removeprefix(_PREFIX) for name in probable]
    twice = _doubled([names.label_key(name) for name in found])
    if twice:
      raise errors.UserError(f'{path}: two columns for class {twice[0]}')
  else:
    texts = {
      key: names.spellings(row[key] for row in rows)
      for key in ('label', 'predicted')
    }
    _check_shared(path, *texts.values())
    both = names.spellings([*texts['label'], *texts['predicted']])
    found = sorted(set(both.values()))
  if len(found) > _MOST_CLASSES:
    raise errors.UserError(
      f'{path}: {len(found)} different labels; label and predicted name '
      f'classes, of which there may be {_MOST_CLASSES}'
    )
  return tuple(found)


def _check_shared(path, label, predicted):
  """Raises UserError if labels and predictions have no class in common.

  One of the columns then probably uses other words, or numbers.
  """
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


def check_clips(
  run: Predictions, required: Iterable[str], optional: Iterable[str] = ()
) -> None:
  """Checks that the predictions are those of the expected clips.

  Args:
    run: the predictions.
    required: names of the clips that must be there.
    optional: names of further clips that may be there.

  Raises:
    UserError: required clips are missing, or there are unknown ones.
  """
  found, needed = set(run.clip), set(required)
  _refuse(run.path, sorted(needed - found), 'missing clip')
  _refuse(run.path, sorted(found - needed - set(optional)), 'unknown clip')


def renamed(clips: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
  """Returns clips under their spelling in `known`.

  No clip is renamed if names in `known` differ only in spelling.
  """
  exact, by_key = set(known), {names.key(clip): clip for clip in known}
  if len(by_key) < len(exact):
    return tuple(clips)
  return tuple(
    clip if clip in exact else by_key.get(names.key(clip), clip)
    for clip in clips
  )


def contradiction(run: Predictions) -> str:
  """A sentence on clips whose `predicted` is not most probable; '' if none.

  This is no error, since thresholds may be chosen per class, but the reader
  must know which of the two is scored.
  """
  if run.probabilities is None:
    return ''
  p_N1 = np.take_along_axis(run.probabilities, run.predicted[:, None], 1)
  # Ties and rounding in the file must not look like another class.
  below_N = p_N1[:, 0] < run.probabilities.max(1) - 1e-6
  odd = [run.clip[n] for n in np.flatnonzero(below_N)]
  if not odd:
    return ''
  return (
    f'predicted is not the most probable class of {len(odd)} of '
    f'{len(run.clip)} clips ({", ".join(odd[:3])}): scores are those of '
    'predicted, not of the probabilities'
  )


def _probabilities(path, rows, columns):
  """(N, C) probabilities, checked to be in 0..1 and to sum to 1."""
  table = np.full((len(rows), len(columns)), np.nan)
  for n, row in enumerate(rows):
    try:
      table[n] = [float(row[name]) for name in columns]
    except ValueError:
      continue  # the row stays NaN, and is refused below
  inside = ((table >= -1e-6) & (table <= 1 + 1e-6)).all(1)  # False for NaN
  _refuse(
    path,
    [rows[n]['clip'] for n in np.flatnonzero(~inside)],
    'probabilities that are not numbers from 0 to 1, at clip',
  )
  # A file may round probabilities.
  off = np.abs(table.sum(1) - 1) > 1e-3
  _refuse(
    path,
    [f'{rows[n]["clip"]} ({table[n].sum():.4g})' for n in np.flatnonzero(off)],
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
  first = ', '.join(clips[:_NAMED])
  raise errors.UserError(f'{path}: {what}: {first}{more}')
