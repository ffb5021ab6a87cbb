"""What features tell besides the emotion: who it is, and nothing at all.

Both probes judge each clip by ridge regression on the others' features, in
closed form; nothing is tuned. Suffixes: N clips, D features, C classes.
"""

import numpy as np

from mefnet_jax.evaluation import metrics

_RIDGE = 1.0  # of features with mean square 1
_PERMUTATIONS = 100


def subjects(features_ND: np.ndarray, subject) -> dict[str, float] | None:
  """How well features tell who it is: each clip by all the other clips.

  Args:
    features_ND: any features of N clips.
    subject: (N,) names; people with a single clip are left out.

  Returns:
    accuracy, balanced accuracy, the share of the commonest person, chance
    (1 / people), people, clips; None for fewer than two people.
  """
  names, who, count = np.unique(
    np.asarray(subject), return_inverse=True, return_counts=True
  )
  kept = count[who] > 1
  names, who = np.unique(who[kept], return_inverse=True)
  if len(names) < 2:
    return None
  said = _leave_one_out(_scaled(features_ND[kept]), np.eye(len(names))[who])
  counts_CC = metrics.confusion(who, said.argmax(1), len(names))
  found = metrics.from_confusion(counts_CC)
  return {
    'accuracy': float(found['accuracy']),
    'balanced_accuracy': float(found['uar']),
    'commonest': float(counts_CC.sum(1).max() / len(who)),
    'chance': 1 / len(names),
    'people': len(names),
    'clips': int(kept.sum()),
  }


def permutations(
  features_ND: np.ndarray, label, train_FN, test_FN, *, seed: int = 0
) -> dict[str, float]:
  """Do the folds give a score to labels that mean nothing?

  Args:
    features_ND: of N clips.
    label: (N,) classes.
    train_FN, test_FN: (folds, N) whether a fold trains on, and tests, a clip.
    seed: of the permutations.

  Returns:
    uar of the true labels; mean, low and high (2.5 and 97.5 %) of the UAR of
    permuted ones; chance; p, the share of permutations at least as good.
  """
  classes, label = np.unique(np.asarray(label), return_inverse=True)
  features_ND = _scaled(features_ND)
  smooth = [
    (_onto(features_ND[train], features_ND[test]), train, test)
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
    'p': float((1 + (other >= true).sum()) / (1 + len(other))),
  }


def bits(marks) -> np.ndarray:
  """Marks of clips (`sameness.mark`) as features (N, 384) of -1 and 1."""
  packed = [np.frombuffer(bytes.fromhex(mark), np.uint8) for mark in marks]
  return np.unpackbits(np.stack(packed), axis=1) * 2.0 - 1.0


def _scaled(features_ND):
  """Columns with mean 0 and all together with mean square 1."""
  x = features_ND - features_ND.mean(0)
  return x / max(np.sqrt((x**2).mean()), 1e-12)


def _leave_one_out(x_ND, y_NC):
  """Ridge regression's value for each row, fitted without that row."""
  gram = x_ND @ x_ND.T / x_ND.shape[1] + 1 / len(x_ND)
  hat = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), gram)
  fitted, own = hat.T @ y_NC, np.diagonal(hat)[:, None]
  return (fitted - own * y_NC) / np.maximum(1 - own, 1e-9)


def _onto(x_train, x_test):
  """The matrix that takes training targets to test values."""
  gram = x_train @ x_train.T / x_train.shape[1]
  cross = x_test @ x_train.T / x_train.shape[1]
  return np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), cross.T).T


def _uar(smooth, label, classes):
  """Pooled UAR, classes weighed alike in training."""
  counts_CC = np.zeros((classes, classes), np.int64)
  for matrix, train, test in smooth:
    y_NC = np.eye(classes)[label[train]]
    y_NC /= np.maximum(y_NC.sum(0), 1)
    said = (matrix @ (y_NC - y_NC.mean(0))).argmax(1)
    counts_CC += metrics.confusion(label[test], said, classes)
  return float(metrics.from_confusion(counts_CC)['uar'])
