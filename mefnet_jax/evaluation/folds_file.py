"""folds.csv, the roles of the clips in each fold, and folds.json beside it.

folds.csv   clip,subject,fold,role: one row per clip, fold and role
folds.json  version, protocol and seed; for each fold its name, the training
            and test clips, and both sides as TFDS split strings

A leave-one-out over thousands of people would take gigabytes. In a file of more
than MOST_ROWS rows, a fold that trains on every clip that it does not hold out
has one row `*,*,FOLD,train` instead, and `null` for its training side in
folds.json.
"""

import collections.abc
import pathlib
import typing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import csv_table, errors, files

FILE = 'folds.csv'
ROLES = ('train', 'validation', 'test')
COLUMNS = ('clip', 'subject', 'fold', 'role')

# table[fold][role][clip] is the clip's subject.
Table = dict[str, dict[str, Mapping[str, str]]]

MOST_ROWS = 2_000_000  # about 100 MB
ALL_OTHERS = '*'


class Others(collections.abc.Mapping):
  """A view {clip: subject} of all clips except those that a fold holds out.

  As dicts, the folds of a leave-one-out over thousands of clips would take
  the square of their number in memory.

  Attributes:
    everyone: {clip: subject} of all clips.
    held_out: the clips that are not in the view.
  """

  def __init__(
    self, everyone: Mapping[str, str], held_out: collections.abc.Set[str]
  ):
    self.everyone, self.held_out = everyone, held_out

  def __getitem__(self, clip: str) -> str:
    if clip in self.held_out:
      raise KeyError(clip)
    return self.everyone[clip]

  def __iter__(self) -> Iterator[str]:
    return (clip for clip in self.everyone if clip not in self.held_out)

  def __len__(self) -> int:
    return len(self.everyone) - len(self.held_out)


def write(
  workdir: pathlib.Path,
  splits: Sequence[folds.Fold],
  clip: Sequence[str],
  subject: Sequence[str],
  config: ConfigDict,
) -> None:
  """Writes both files; equal folds give equal bytes.

  Args:
    workdir: the run's folder.
    splits: the folds, as indices into the clips.
    clip, subject: (N,) names of the clips and of the people in them.
    config: the run's config, of which seed and protocol are read.
  """
  short = _shortened(splits, clip)
  rows = []
  for fold in splits:
    roles: tuple[str, ...] = ROLES
    if fold.name in short:
      rows.append((ALL_OTHERS, ALL_OTHERS, fold.name, 'train'))
      roles = ROLES[1:]
    rows += [
      (clip[i], subject[i], fold.name, role)
      for role in roles
      for i in getattr(fold, role)
    ]
  files.write_csv(workdir / FILE, COLUMNS, rows)
  sides: dict[str, dict[str, list[str]]] = {
    fold.name: {'train': [], 'test': []} for fold in splits
  }
  for name, _, of_fold, role in rows:
    # folds.json has no validation side
    side = sides[of_fold].get(role)
    if side is not None and (of_fold not in short or role == 'test'):
      side.append(name)
  content = {
    'version': folds.VERSION,
    'protocol': config.protocol.name,
    'seed': int(config.seed),
    'folds': [
      _described(fold, sides[fold.name], fold.name in short) for fold in splits
    ],
  }
  files.write_json(workdir / 'folds.json', content)


def _shortened(splits, clip):
  """Names of the folds whose training side is one row: all other clips."""
  sizes = [sum(len(getattr(fold, role)) for role in ROLES) for fold in splits]
  if sum(sizes) <= MOST_ROWS or ALL_OTHERS in clip:
    return set()
  # `read` finds only the clips that the file lists: all must be tested.
  tested = np.zeros(len(clip), bool)
  for fold in splits:
    tested[fold.test] = True
  if not tested.all():
    return set()
  return {
    fold.name
    for fold, size in zip(splits, sizes, strict=True)
    if size == len(clip)
  }


def _described(fold, sides, is_short):
  """A fold in folds.json; its splits are null if a subject is on both sides."""
  if is_short:
    left_out = {'train': None, 'train_split': None}
    test = {'test_split': '+'.join(fold.test_subjects)}
    return {'name': fold.name, **sides, **left_out, **test}
  train_split, test_split = folds.split_strings(fold) or (None, None)
  return {
    'name': fold.name,
    **sides,
    'train_split': train_split,
    'test_split': test_split,
  }


def read(path: pathlib.Path) -> Table:
  """Reads folds.csv; a clip may have several roles in a (leaky) fold.

  The training side of a fold that trains on all others is a view, `Others`.

  Raises:
    errors.UserError: the file cannot be read, or holds an unknown role, or one
      clip of two subjects.
  """
  table: Table = {}
  everyone: dict[str, str] = {}
  short = []
  for number, row in csv_table.filled(path, COLUMNS):
    if row['role'] not in ROLES:
      raise errors.UserError(
        f'{path}: row {number}: role {row["role"]!r}: write one of '
        + ', '.join(ROLES)
      )
    fold = table.setdefault(row['fold'], {role: {} for role in ROLES})
    if row['clip'] == row['subject'] == ALL_OTHERS and row['role'] == 'train':
      short.append(row['fold'])
      continue
    everyone[row['clip']] = row['subject']
    own = typing.cast(dict[str, str], fold[row['role']])
    if own.setdefault(row['clip'], row['subject']) != row['subject']:
      raise errors.UserError(
        f'{path}: row {number}: another subject for {row["clip"]} than above'
      )
  for name in short:
    fold = table[name]
    if not fold['train']:
      held_out = fold['test'].keys() | fold['validation'].keys()
      fold['train'] = Others(everyone, held_out)
  return table
