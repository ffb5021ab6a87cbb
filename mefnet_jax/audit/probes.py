"""Linear probes: do features identify people, do folds leak labels?

Both probes predict each clip by ridge regression on the features of other
clips, in closed form and without any tuning. Suffixes: N clips, D features,
C classes, F folds.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mefnet_jax.evaluation import metrics

_RIDGE = 1.0  # regularisation, for features with mean square 1
_PERMUTATIONS = 100


def identify_subjects(
  features_ND: np.ndarray, subject: npt.ArrayLike
) -> dict[str, float] | None:
  """Measures how well the features identify the person in a clip.

  Each clip is attributed by a classifier that is fitted on all other clips.
  People with a single clip cannot be recognised, since no other clip shows
  them.

  Args:
    features_ND: (N, D) features of N clips.
    subject: (N,) names of the people; those with a single clip are left out.

  Returns:
    accuracy and balanced_accuracy, 0 to 1; commonest, the share of the person
    with most clips; chance, 1 / people; people and clips, their numbers. None
    if there are fewer than two people.
  """
  names, who, count = np.unique(
    np.asarray(subject), return_inverse=True, return_counts=True
  )
  repeated = count[who] > 1
  names, who = np.unique(who[repeated], return_inverse=True)
  if len(names) < 2:
    return None
  features_ND = _scaled(features_ND[repeated])
  score_NC = _leave_one_out(features_ND, np.eye(len(names))[who])
  counts_CC = metrics.confusion(who, score_NC.argmax(1), len(names))
  found = metrics.from_confusion(counts_CC)
  return {
    'accuracy': float(found['accuracy']),
    'balanced_accuracy': float(found['uar']),
    'commonest': float(counts_CC.sum(1).max() / len(who)),
    'chance': 1 / len(names),
    'people': len(names),
    'clips': int(repeated.sum()),
  }


def permute_labels(
  features_ND: np.ndarray,
  label: npt.ArrayLike,
  train_FN: np.ndarray,
  test_FN: np.ndarray,
  *,
  seed: int = 0,
) -> dict[str, float]:
  """Measures whether the folds score above chance on permuted labels.

  Args:
    features_ND: (N, D) features of N clips.
    label: (N,) classes.
    train_FN, test_FN: (F, N) masks of the clips that each fold trains on and
      tests.
    seed: the seed of the permutations.

  Returns:
    uar: UAR with the true labels, 0 to 1; permuted_mean, permuted_low,
    permuted_high: mean, 2.5 and 97.5 % quantile of the UAR with permuted
    labels; chance; p: the share of permutations that score at least as well as
    the true labels.
  """
  classes, label = np.unique(np.asarray(label), return_inverse=True)
  features_ND = _scaled(features_ND)
  # The smoother of a fold does not depend on the labels, so it is computed once
  # for all permutations.
  smooth = [
    (_smoother(features_ND[train], features_ND[test]), train, test)
    for train, test in zip(train_FN, test_FN, strict=True)
    if train.any() and test.any()
  ]
  random = np.random.default_rng(seed)
  true = _uar(smooth, label, len(classes))
  other = np.array(
    [
      _uar(smooth, random.permutation(label), len(classes))
      for _ in range(_PERMUTATIONS)
    ]
  )
  low, high = np.percentile(other, (2.5, 97.5))
  return {
    'uar': true,
    'permuted_mean': float(other.mean()),
    'permuted_low': float(low),
    'permuted_high': float(high),
    'chance': 1 / len(classes),
    # The true labels count as one permutation, so that p is never 0.
    'p': float((1 + (other >= true).sum()) / (1 + len(other))),
  }


def hash_bits(marks: Sequence[str]) -> np.ndarray:
  """Returns perceptual hashes of clips as features (N, 384) of -1 and 1.

  Args:
    marks: N hashes, as `perceptual_hash.mark` returns them.
  """
  packed = [np.frombuffer(bytes.fromhex(mark), np.uint8) for mark in marks]
  return np.unpackbits(np.stack(packed), axis=1) * 2.0 - 1.0


def _scaled(features_ND):
  """Centres each column and scales all of them to a joint mean square of 1."""
  x = features_ND - features_ND.mean(0)
  return x / max(np.sqrt((x**2).mean()), 1e-12)


def _leave_one_out(x_ND, y_NC):
  """Ridge regression's prediction of each row, fitted without that row."""
  # In kernel form the cost does not grow with the number of features; the
  # constant that is added to the kernel acts as an intercept.
  gram = x_ND @ x_ND.T / x_ND.shape[1] + 1 / len(x_ND)
  hat = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), gram)
  # The closed form of leave-one-out for linear smoothers (PRESS).
  fitted, leverage = hat.T @ y_NC, np.diagonal(hat)[:, None]
  return (fitted - leverage * y_NC) / np.maximum(1 - leverage, 1e-9)


def _smoother(x_train, x_test):
  """The matrix that maps training targets to predictions of the test clips."""
  gram = x_train @ x_train.T / x_train.shape[1]
  cross = x_test @ x_train.T / x_train.shape[1]
  return np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), cross.T).T


def _uar(smooth, label, classes):
  """Pooled UAR, with equal class weights in training."""
  counts_CC = np.zeros((classes, classes), np.int64)
  for matrix, train, test in smooth:
    y_NC = np.eye(classes)[label[train]]
    y_NC /= np.maximum(y_NC.sum(0), 1)
    predicted = (matrix @ (y_NC - y_NC.mean(0))).argmax(1)
    counts_CC += metrics.confusion(label[test], predicted, classes)
  return float(metrics.from_confusion(counts_CC)['uar'])
