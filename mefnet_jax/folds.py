"""Who trains and who is tested: the folds of a protocol, as clip indices."""

import dataclasses
import zlib

import numpy as np

from mefnet_jax import errors

_SAME_FACES = (
  'clips are split at random, so the same people are in training and in '
  'test: the score also counts recognising the person'
)
_LEAKY = {
  'loso': '',
  'kfold': '',
  'holdout': _SAME_FACES,
  'kfold_clips': _SAME_FACES,
}
_ORDERS = 32  # orders of subjects that kfold tries


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
  """One training and its test: sorted int32 indices into the clips.

  train, test and validation share no clip; validation may be empty.
  train_subjects and test_subjects name whose clips these are.
  """

  name: str
  train: np.ndarray
  test: np.ndarray
  validation: np.ndarray
  train_subjects: tuple[str, ...] = ()
  test_subjects: tuple[str, ...] = ()


def make(protocol, label, subject, *, seed: int) -> tuple[Fold, ...]:
  """The folds of a protocol: a function of its arguments alone.

  Args:
    protocol: has name (loso, kfold, holdout, kfold_clips), folds (K of kfold
      and kfold_clips) and test_share (of holdout), as in configs/base.py.
    label: (N,) classes, non-negative integers.
    subject: (N,) names of the people seen.
    seed: of the random choices; loso makes none.

  Returns:
    Folds in a stable order: a subject's name each for loso, 'fold1', ... for
    kfold and kfold_clips, one 'holdout'. In all but holdout, each clip is in
    the test side of exactly one fold.

  Raises:
    UserError: unknown protocol, or too few subjects or clips for it.
  """
  label, subject = np.asarray(label), np.asarray(subject)
  is_leaky(protocol.name)
  split = {
    'loso': _loso,
    'kfold': _kfold,
    'holdout': _holdout,
    'kfold_clips': _kfold_clips,
  }[protocol.name]
  tests = split(protocol, label, subject, np.random.default_rng(seed))
  return tuple(_fold(name, test, subject) for name, test in tests.items())


def with_validation(
  splits: tuple[Fold, ...], label, subject, *, share: float, seed: int
) -> tuple[Fold, ...]:
  """Sets whole training subjects of each fold aside, to choose by.

  A fold's choice follows from its own training clips, its name and the seed;
  nothing is known of its test side or of other folds.

  Args:
    splits: of `make`.
    label, subject: (N,) of all clips.
    share: of the training clips, that validation has about.
    seed: of the choice.

  Raises:
    UserError: a fold that trains on one subject only.
  """
  label, subject = np.asarray(label), np.asarray(subject)
  return tuple(_inner(fold, label, subject, share, seed) for fold in splits)


def _inner(fold, label, subject, share, seed):
  """The fold with some of its training subjects as validation."""
  names = np.unique(subject[fold.train])
  if len(names) < 2:
    raise errors.UserError(
      f'fold {fold.name} trains on the one subject {names[0]}: '
      'set --config.train.selection=last, validation needs two'
    )
  rng = np.random.default_rng([seed, zlib.crc32(fold.name.encode())])
  label_M, subject_M = label[fold.train], subject[fold.train]
  tried = [
    _set_aside(rng.permutation(names), label_M, subject_M, share)
    for _ in range(_ORDERS)
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
  """The first names that hold the share: how unlike the rest, and which."""
  inside_M = np.zeros(len(subject_M), bool)
  for name in names[:-1]:
    inside_M |= subject_M == name
    if inside_M.mean() >= share:
      break
  classes = np.unique(label_M)
  part_C = np.array([inside_M[label_M == c].mean() for c in classes])
  lost = (part_C == 1).sum() + 0.1 * (part_C == 0).sum()
  return 1e3 * lost + ((part_C - share) ** 2).sum(), inside_M


def is_leaky(name: str) -> str:
  """Why a protocol's scores do not hold for new people; '' if they do."""
  if name not in _LEAKY:
    raise errors.UserError(
      f'no protocol {name!r}: set --config.protocol.name=' + '|'.join(_LEAKY)
    )
  return _LEAKY[name]


def split_strings(fold: Fold) -> tuple[str, str] | None:
  """Training and test side as sums of TFDS splits: ('s01+s02', 's03').

  None where a subject is on both sides, for then no split says it.
  """
  if set(fold.train_subjects) & set(fold.test_subjects):
    return None
  return '+'.join(fold.train_subjects), '+'.join(fold.test_subjects)


def _fold(name: str, test_N: np.ndarray, subject) -> Fold:
  """The fold that tests where test_N is true and trains on all the rest."""
  train, test = (
    np.flatnonzero(side).astype(np.int32) for side in (~test_N, test_N)
  )
  return Fold(
    name=name,
    train=train,
    test=test,
    validation=np.zeros(0, np.int32),
    train_subjects=tuple(np.unique(subject[train]).tolist()),
    test_subjects=tuple(np.unique(subject[test]).tolist()),
  )


def _loso(protocol, label, subject, rng):
  """Leave one subject out."""
  names = np.unique(subject).tolist()
  if len(names) < 2:
    raise errors.UserError(
      f'protocol loso needs 2 subjects, the release has {len(names)}: '
      'add subjects, or set --config.protocol.name=holdout (leaky)'
    )
  return {name: subject == name for name in names}


def _kfold(protocol, label, subject, rng):
  """K folds of whole subjects, alike in size and in classes."""
  names, who = np.unique(subject, return_inverse=True)
  _check_folds(protocol, len(names), 'subjects')
  classes, what = np.unique(label, return_inverse=True)
  counts_SC = np.zeros((len(names), len(classes)), np.int64)
  np.add.at(counts_SC, (who, what), 1)
  fold_S = _balanced(counts_SC, protocol.folds, rng)
  # The order of first appearance, so that names do not hang on the search.
  order = list(dict.fromkeys(fold_S.tolist()))
  return {f'fold{i + 1}': fold_S[who] == fold for i, fold in enumerate(order)}


def _check_folds(protocol, count: int, what: str):
  if 2 <= protocol.folds <= count:
    return
  mend = f'set --config.protocol.folds to 2 .. {count}'
  if count < 2:
    mend = f'add {what}'
  raise errors.UserError(
    f'protocol {protocol.name} with {protocol.folds} folds, but the release '
    f'has {count} {what}: {mend}'
  )


def _balanced(counts_SC, folds: int, rng) -> np.ndarray:
  """The fold of each subject: the best of several greedy assignments."""
  largest_first = np.argsort(-counts_SC.sum(1), kind='stable')
  orders = [largest_first] + [
    rng.permutation(len(counts_SC)) for _ in range(_ORDERS - 1)
  ]
  tried = [_greedy(counts_SC, folds, order) for order in orders]
  return min(tried, key=lambda cost_fold: cost_fold[0])[1]


def _greedy(counts_SC, folds: int, order):
  """Puts each subject where the imbalance grows least: (cost, fold)."""
  table_KC = np.zeros((folds, counts_SC.shape[1]), np.int64)
  fold_S = np.full(len(order), -1)
  for s in order:
    after_KKC = table_KC + np.eye(folds, dtype=int)[:, :, None] * counts_SC[s]
    fold_S[s] = _imbalance(after_KKC, counts_SC).argmin()
    table_KC = after_KKC[fold_S[s]]
  return _imbalance(table_KC, counts_SC), fold_S


def _imbalance(table_KC, counts_SC):
  """Unevenness of folds in classes and size; lost classes outweigh all.

  A class is lost when one fold holds all of its clips: that fold trains
  without it. A class that one subject alone has is lost whatever one does.
  The squared size makes an empty fold the cheapest, so none stays empty.
  """
  total_C = counts_SC.sum(0)
  lost = (table_KC == total_C).sum((-2, -1))
  classes = ((table_KC / total_C) ** 2).sum((-2, -1)) / len(total_C)
  size = ((table_KC.sum(-1) / total_C.sum()) ** 2).sum(-1)
  return 1e3 * lost + classes + size


def _holdout(protocol, label, subject, rng):
  """One random split by clip, with the same share of each class."""
  share = protocol.test_share
  if not 0 < share < 1:
    raise errors.UserError(
      f'protocol holdout tests a share of {share}: '
      'set --config.protocol.test_share between 0 and 1'
    )
  order, starts, sizes = _by_class(label, rng)
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
  """K folds of clips at random, alike in size and in classes."""
  _check_folds(protocol, len(label), 'clips')
  order, _, _ = _by_class(label, rng)
  fold_N = np.empty(len(label), int)
  fold_N[order] = np.arange(len(label)) % protocol.folds
  return {f'fold{k + 1}': fold_N == k for k in range(protocol.folds)}


def _by_class(label, rng):
  """Clips in random order within their class; each class's start and size."""
  order = rng.permutation(len(label))
  order = order[np.argsort(label[order], kind='stable')]
  _, starts, sizes = np.unique(
    label[order], return_index=True, return_counts=True
  )
  return order, starts, sizes
