"""Deals subjects to folds that are alike in size and in classes."""

import numpy as np

_ORDERS = 32  # orders of subjects that are tried


def subjects(counts_SC, folds: int, rng: np.random.Generator) -> np.ndarray:
  """The fold of each subject: the best of several greedy assignments.

  Args:
    counts_SC: clips of each subject (rows) and class (columns).
    folds: K, at most as many as there are subjects.
    rng: of the orders in which subjects are dealt.

  Returns:
    (S,) indices of folds, none of them empty.
  """
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
