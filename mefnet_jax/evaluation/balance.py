"""Assigns subjects to folds of similar size and class frequencies."""

import numpy as np

_NUM_ORDERS = 32  # random orders of the subjects that are tried


def assign_folds(
  counts_SC: np.ndarray, num_folds: int, rng: np.random.Generator
) -> np.ndarray:
  """Returns the fold of each subject: the best of several greedy assignments.

  Args:
    counts_SC: number of clips of each subject (row) and class (column).
    num_folds: K, at most the number of subjects.
    rng: draws the orders in which the subjects are assigned.

  Returns:
    (S,) fold indices; no fold is empty.
  """
  # Large subjects first is usually best for a greedy assignment; the random
  # orders are a safeguard.
  largest_first = np.argsort(-counts_SC.sum(1), kind='stable')
  orders = [largest_first] + [
    rng.permutation(len(counts_SC)) for _ in range(_NUM_ORDERS - 1)
  ]
  tried = [_greedy(counts_SC, num_folds, order) for order in orders]
  return min(tried, key=lambda cost_fold: cost_fold[0])[1]


def _greedy(counts_SC, num_folds, order):
  """Puts each subject where the imbalance grows least: (cost, fold_S)."""
  # All K choices for a subject are scored at once: row k of after_KKC is the
  # table of all folds if the subject joins fold k.
  table_KC = np.zeros((num_folds, counts_SC.shape[1]), np.int64)
  fold_S = np.full(len(order), -1)
  for s in order:
    added_KKC = np.eye(num_folds, dtype=int)[:, :, None] * counts_SC[s]
    after_KKC = table_KC + added_KKC
    fold_S[s] = _imbalance(after_KKC, counts_SC).argmin()
    table_KC = after_KKC[fold_S[s]]
  return _imbalance(table_KC, counts_SC), fold_S


def _imbalance(table_KC, counts_SC):
  """Unevenness of the folds in classes and size; lost classes dominate.

  A class is lost if one fold holds all of its clips, because that fold then
  trains without it. A class that only one subject has is always lost. The
  squared size makes an empty fold the cheapest choice, so none stays empty.
  """
  total_C = counts_SC.sum(0)
  # One lost class must outweigh any difference of the other two terms.
  lost = (table_KC == total_C).sum((-2, -1))
  classes = ((table_KC / total_C) ** 2).sum((-2, -1)) / len(total_C)
  size = ((table_KC.sum(-1) / total_C.sum()) ** 2).sum(-1)
  return 1e3 * lost + classes + size
