"""Sets training subjects of each fold aside for validation."""

import dataclasses
import zlib

import numpy as np
import numpy.typing as npt

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import errors

_NUM_ORDERS = 32  # random orders of the subjects that are tried


def add_validation(
  splits: tuple[folds.Fold, ...],
  label: npt.ArrayLike,
  subject: npt.ArrayLike,
  *,
  share: float,
  seed: int,
) -> tuple[folds.Fold, ...]:
  """Moves whole training subjects of each fold to its validation set.

  The choice depends only on the fold's training clips, its name and the seed,
  not on its test clips or on other folds.

  Args:
    splits: as `folds.make` returns them.
    label, subject: (N,) of all clips.
    share: approximate share of the training clips that go to validation.
    seed: for the choice.

  Raises:
    UserError: a fold trains on a single subject.
  """
  label, subject = np.asarray(label), np.asarray(subject)
  return tuple(_divide(fold, label, subject, share, seed) for fold in splits)


def _divide(fold, label, subject, share, seed):
  """The fold with some of its training subjects moved to validation."""
  names = np.unique(subject[fold.train])
  if len(names) < 2:
    raise errors.UserError(
      f'fold {fold.name} trains on the one subject {names[0]}: '
      'set --config.train.selection=last, validation needs two'
    )
  # Seeded by the fold's name, so that other folds do not affect the choice.
  # By CRC, because Python's own hash of a string changes with each process.
  rng = np.random.default_rng([seed, zlib.crc32(fold.name.encode())])
  label_M, subject_M = label[fold.train], subject[fold.train]
  tried = [
    _set_aside(rng.permutation(names), label_M, subject_M, share)
    for _ in range(_NUM_ORDERS)
  ]
  inside_M = min(tried, key=lambda cost_inside: cost_inside[0])[1]
  train = fold.train[~inside_M]
  return dataclasses.replace(
    fold,
    train=train,
    validation=fold.train[inside_M],
    train_subjects=tuple(np.unique(subject[train]).tolist()),
  )


def _set_aside(names, label_M, subject_M, share):
  """Takes names until the share is reached: (cost, mask of their clips).

  The cost is how far the class frequencies differ from those of the rest.
  """
  inside_M = np.zeros(len(subject_M), bool)
  for name in names[:-1]:  # one subject at least is left to train on
    inside_M |= subject_M == name
    if inside_M.mean() >= share:
      break
  # Losing a class for training is worse than not validating on it.
  classes = np.unique(label_M)
  part_C = np.array([inside_M[label_M == c].mean() for c in classes])
  lost = (part_C == 1).sum() + 0.1 * (part_C == 0).sum()
  return 1e3 * lost + ((part_C - share) ** 2).sum(), inside_M
