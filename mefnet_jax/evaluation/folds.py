"""The folds of a protocol: which clips train and which are tested."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ml_collections import ConfigDict

from mefnet_jax.evaluation import balance, cross_database, own_protocol
from mefnet_jax.runs import errors

_SAME_FACES = (
  'clips are split at random, so the same people are in training and in '
  'test, and the score also rewards recognising the person'
)
_LEAKY = {
  'loso': '',
  'kfold': '',
  'cross_database': '',
  'zero_shot': '',
  'holdout': _SAME_FACES,
  'kfold_clips': _SAME_FACES,
}
_OWN: dict[str, own_protocol.Split] = {}
# To be increased whenever the same labels, subjects and seed give other folds.
VERSION = 1

# Allowed values of fields of config.protocol.
CHOICES = {
  'mistake': ('none', 'duplicates', 'tested_on_training'),
  'statistics': ('clip', 'folds', 'all'),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
  """The training, test and validation clips of one fold.

  Attributes:
    name: unique within the protocol.
    train, test, validation: sorted int32 indices of clips, without overlap;
      validation may be empty.
    train_subjects, test_subjects: names of the people in those clips.
  """

  name: str
  train: np.ndarray
  test: np.ndarray
  validation: np.ndarray
  train_subjects: tuple[str, ...] = ()
  test_subjects: tuple[str, ...] = ()


def register(
  name: str, split: own_protocol.Split, *, why_leaky: str = ''
) -> None:
  """Makes a protocol of one's own known, by `config.protocol.name`.

  Args:
    name: the value of config.protocol.name that chooses it.
    split: takes (config.protocol, label (N,) integers, subject (N,) names, a
      random generator) and returns for each fold its name and a mask (N,) of
      the clips that it tests; the fold trains on all others.
    why_leaky: why its scores do not hold for new people; '' if they do. The
      audit looks at the folds in any case.

  Raises:
    ValueError: the package has a protocol of this name.
  """
  if name in _LEAKY and name not in _OWN:
    raise ValueError(f'{name!r} is one of our protocols: choose another name')
  _LEAKY[name], _OWN[name] = why_leaky, split


def make(
  protocol: ConfigDict,
  label: npt.ArrayLike,
  subject: npt.ArrayLike,
  database: npt.ArrayLike = (),
  *,
  seed: int,
) -> tuple[Fold, ...]:
  """Makes the folds of a protocol, deterministically from its arguments.

  Args:
    protocol: has name (loso, kfold, cross_database, zero_shot, holdout,
      kfold_clips), folds (K of kfold and kfold_clips), test_share (of holdout),
      train_on and test_on (of cross_database), as in configs/base.py.
    label: (N,) classes, non-negative integers.
    subject: (N,) names of the people seen.
    database: (N,) databases of origin; only cross_database needs them.
    seed: for random choices; loso and cross_database make none.

  Returns:
    Folds in a stable order, named by their subject (loso), 'fold1', 'fold2',
    ... (kfold, kfold_clips), 'holdout', 'zero_shot', or by the tested databases
    (cross_database). In loso, kfold and kfold_clips each clip is tested in
    exactly one fold; in zero_shot one fold tests all and trains none.

  Raises:
    UserError: the protocol is unknown, or there are too few subjects or clips
      for it.
  """
  label, subject = np.asarray(label), np.asarray(subject)
  why_leaky(protocol.name)  # raises for an unknown name
  if protocol.name == 'cross_database':
    masks = cross_database.train_test_masks(protocol, np.asarray(database))
    people = np.unique(subject, return_inverse=True)
    splits = [_fold(name, *pair, *people) for name, pair in masks.items()]
    return tuple(_check_people(fold) for fold in splits)
  split = {
    'loso': _loso,
    'kfold': _kfold,
    'zero_shot': _zero_shot,
    'holdout': _holdout,
    'kfold_clips': _kfold_clips,
  }.get(protocol.name)
  rng = np.random.default_rng(seed)
  if split is None:
    own = _OWN[protocol.name]
    tests = own_protocol.test_masks(protocol, own, label, subject, rng)
  else:
    tests = split(protocol, label, subject, rng)
  people = np.unique(subject, return_inverse=True)
  return tuple(
    _fold(name, ~test, test, *people) for name, test in tests.items()
  )


def check_rows(protocol: ConfigDict, rows: Sequence, *, seed: int) -> None:
  """Checks before the preparation that there are enough clips for a protocol.

  The preparation may lose some of them; `make` then checks again.

  Args:
    protocol: as for `make`.
    rows: of the release, with subject, label and database.
    seed: as for `make`.

  Raises:
    errors.UserError: as of `make`.
  """
  people = [row.subject for row in rows], [row.database for row in rows]
  make(protocol, [row.label for row in rows], *people, seed=seed)


def why_leaky(name: str) -> str:
  """Returns why a protocol's scores do not hold for new people, '' if they do.

  Raises:
    UserError: there is no such protocol.
  """
  if name not in _LEAKY:
    raise errors.UserError(
      f'no protocol {name!r}: set --config.protocol.name=' + '|'.join(_LEAKY)
    )
  return _LEAKY[name]


def split_strings(fold: Fold) -> tuple[str, str] | None:
  """Returns the training and test splits as TFDS writes them.

  For example ('s01+s02', 's03'). None if a subject is on both sides, because a
  TFDS split holds whole subjects.
  """
  if set(fold.train_subjects) & set(fold.test_subjects):
    return None
  return '+'.join(fold.train_subjects), '+'.join(fold.test_subjects)


def _fold(name: str, train_N, test_N, people, who_N) -> Fold:
  """The fold of a training and a test mask over the clips.

  `people` are the sorted names of all subjects, `who_N` indices into them.
  """
  train, test = (
    np.flatnonzero(side).astype(np.int32) for side in (train_N, test_N)
  )
  return Fold(
    name=name,
    train=train,
    test=test,
    validation=np.zeros(0, np.int32),
    train_subjects=_names(people, who_N[train]),
    test_subjects=_names(people, who_N[test]),
  )


def _names(people, who):
  """The people of some clips, each once, in the order of their names."""
  return tuple(people[np.bincount(who, minlength=len(people)) > 0].tolist())


def _check_people(fold: Fold) -> Fold:
  """Returns the fold, or raises UserError if somebody is on both sides.

  SMIC's cameras, for example, filmed the same people.
  """
  both = sorted(set(fold.train_subjects) & set(fold.test_subjects))
  if both:
    raise errors.UserError(
      f'protocol cross_database, fold {fold.name}: {len(both)} people '
      f'({both[0]}, ...) are in both databases; set '
      '--config.protocol.name=loso'
    )
  return fold


def _loso(protocol, label, subject, rng):
  """Leave one subject out."""
  names, who = np.unique(subject, return_inverse=True)
  if len(names) < 2:
    raise errors.UserError(
      f'protocol loso needs 2 subjects, the release has {len(names)}: '
      'add subjects, or set --config.protocol.name=holdout (leaky)'
    )
  return {name: who == k for k, name in enumerate(names.tolist())}


def _kfold(protocol, label, subject, rng):
  """K folds of whole subjects, of similar size and class frequencies."""
  names, who = np.unique(subject, return_inverse=True)
  _check_folds(protocol, len(names), 'subjects')
  classes, what = np.unique(label, return_inverse=True)
  counts_SC = np.zeros((len(names), len(classes)), np.int64)
  np.add.at(counts_SC, (who, what), 1)
  fold_S = balance.assign_folds(counts_SC, protocol.folds, rng)
  # Numbered by first appearance, so that names do not depend on the search.
  order = list(dict.fromkeys(fold_S.tolist()))
  return {f'fold{i + 1}': fold_S[who] == fold for i, fold in enumerate(order)}


def _check_folds(protocol, count: int, what: str):
  """Raises UserError unless `count` subjects or clips fill all folds."""
  if 2 <= protocol.folds <= count:
    return
  remedy = f'set --config.protocol.folds to 2 .. {count}'
  if count < 2:
    remedy = f'add {what}'
  raise errors.UserError(
    f'protocol {protocol.name} with {protocol.folds} folds, but the release '
    f'has {count} {what}: {remedy}'
  )


def _zero_shot(protocol, label, subject, rng):
  """Every clip is held out."""
  return {'zero_shot': np.ones(len(label), bool)}


def _holdout(protocol, label, subject, rng):
  """One random split of the clips, with the same share of each class."""
  share = protocol.test_share
  if not 0 < share < 1:
    raise errors.UserError(
      f'protocol holdout tests a share of {share}: '
      'set --config.protocol.test_share between 0 and 1'
    )
  order, starts, sizes = _by_class(label, rng)
  # Rounding the cumulative sum keeps the total share exact over all classes.
  # "+ .5 and floor", because NumPy rounds halves to even.
  upto = np.floor(np.cumsum(sizes) * share + 0.5).astype(int)
  # A class keeps at least one clip to train on.
  take = np.minimum(np.diff(upto, prepend=0), sizes - 1)
  if not take.sum():
    raise errors.UserError(
      f'protocol holdout tests none of {len(label)} clips: add clips, or set '
      'a larger --config.protocol.test_share'
    )
  test_N = np.zeros(len(label), bool)
  for start, count in zip(starts, take, strict=True):
    test_N[order[start : start + count]] = True
  return {'holdout': test_N}


def _kfold_clips(protocol, label, subject, rng):
  """K folds of random clips, of similar size and class frequencies."""
  _check_folds(protocol, len(label), 'clips')
  order, _, _ = _by_class(label, rng)
  # Clips are sorted by class, so dealing them in turn stratifies the folds.
  fold_N = np.empty(len(label), int)
  fold_N[order] = np.arange(len(label)) % protocol.folds
  return {f'fold{k + 1}': fold_N == k for k in range(protocol.folds)}


def _by_class(label, rng):
  """Clips grouped by class in random order; start and size of each class."""
  order = rng.permutation(len(label))
  order = order[np.argsort(label[order], kind='stable')]
  _, starts, sizes = np.unique(
    label[order], return_index=True, return_counts=True
  )
  return order, starts, sizes
