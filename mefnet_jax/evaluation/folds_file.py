"""folds.csv: who trains, validates and is tested. folds.json is made from it.

folds.csv   clip,subject,fold,role: a row a clip, fold and role
folds.json  version, protocol, seed; of each fold its name, the clips that
            train and are tested, and both sides as sums of TFDS splits
"""

import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import errors, files, predictions

ROLES = ('train', 'validation', 'test')
COLUMNS = ('clip', 'subject', 'fold', 'role')

# fold: role: clip: subject
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
    clip, subject: (N,) ids of the clips, and whose they are.
    config: the run's; seed and protocol are read.
  """
  rows = [
    (clip[i], subject[i], fold.name, role)
    for fold in splits
    for role in ROLES
    for i in getattr(fold, role)
  ]
  files.write_csv(workdir / 'folds.csv', COLUMNS, rows)
  sides = {fold.name: {'train': [], 'test': []} for fold in splits}
  for name, _, fold, role in rows:
    if role in sides[fold]:
      sides[fold][role].append(name)
  content = {
    'version': folds.VERSION,
    'protocol': config.protocol.name,
    'seed': int(config.seed),
    'folds': [_described(fold, sides[fold.name]) for fold in splits],
  }
  files.write_json(workdir / 'folds.json', content)


def _described(fold, sides):
  """Splits are null where a subject is on both sides: no split says it."""
  train_split, test_split = folds.split_strings(fold) or (None, None)
  return {
    'name': fold.name,
    **sides,
    'train_split': train_split,
    'test_split': test_split,
  }


def read(path: pathlib.Path) -> Table:
  """Who is where in each fold; a clip may well be in two roles.

  Raises:
    errors.UserError: a table that cannot be read, or a role that is none.
  """
  table: Table = {}
  for number, row in enumerate(predictions.rows(path, COLUMNS), 2):
    if row['role'] not in ROLES:
      raise errors.UserError(
        f'{path}: row {number}: role {row["role"]!r}: one of {", ".join(ROLES)}'
      )
    fold = table.setdefault(row['fold'], {role: {} for role in ROLES})
    fold[row['role']][row['clip']] = row['subject']
  return table
