"""folds.csv, the roles of the clips in each fold, and folds.json beside it.

folds.csv   clip,subject,fold,role: one row per clip, fold and role
folds.json  version, protocol and seed; for each fold its name, the training
            and test clips, and both sides as TFDS split strings
"""

import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import csv_table, errors, files

ROLES = ('train', 'validation', 'test')
COLUMNS = ('clip', 'subject', 'fold', 'role')

# table[fold][role][clip] is the clip's subject.
Table = dict[str, dict[str, dict[str, str]]]


def write(
  workdir: pathlib.Path,
  splits: Sequence[folds.Fold],
  clip: Sequence[str],
  subject: Sequence[str],
  config: ConfigDict,
) -> None:
  """Writes both files; equal folds give equal bytes.

  Args:
    workdir: of the run.
    splits: the folds, as indices into the clips.
    clip, subject: (N,) names of the clips and of the people in them.
    config: of the run; seed and protocol are read.
  """
  rows = [
    (clip[i], subject[i], fold.name, role)
    for fold in splits
    for role in ROLES
    for i in getattr(fold, role)
  ]
  files.write_csv(workdir / 'folds.csv', COLUMNS, rows)
  sides: dict[str, dict[str, list[str]]] = {
    fold.name: {'train': [], 'test': []} for fold in splits
  }
  for name, _, fold, role in rows:
    if role in sides[fold]:  # folds.json has no validation side
      sides[fold][role].append(name)
  content = {
    'version': folds.VERSION,
    'protocol': config.protocol.name,
    'seed': int(config.seed),
    'folds': [_described(fold, sides[fold.name]) for fold in splits],
  }
  files.write_json(workdir / 'folds.json', content)


def _described(fold, sides):
  """A fold in folds.json; its splits are null if a subject is on both sides."""
  train_split, test_split = folds.split_strings(fold) or (None, None)
  return {
    'name': fold.name,
    **sides,
    'train_split': train_split,
    'test_split': test_split,
  }


def read(path: pathlib.Path) -> Table:
  """Reads folds.csv; a clip may have several roles in a (leaky) fold.

  Raises:
    errors.UserError: the file cannot be read, or holds an unknown role.
  """
  table: Table = {}
  for number, row in csv_table.filled(path, COLUMNS):
    if row['role'] not in ROLES:
      raise errors.UserError(
        f'{path}: row {number}: role {row["role"]!r}: write one of '
        + ', '.join(ROLES)
      )
    fold = table.setdefault(row['fold'], {role: {} for role in ROLES})
    fold[row['role']][row['clip']] = row['subject']
  return table
