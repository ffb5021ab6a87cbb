"""Assigns subjects to folds of similar size and class frequencies."""

import numpy as np

_NUM_ORDERS = 32  # orders of the subjects that are tried
_MOST_TRIED = 32_000  # subjects in all orders together; from 1,000 on fewer are
_MANY_FOLDS = 64  # from here on only the fold that changes is scored


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
  count = min(_NUM_ORDERS, max(1, _MOST_TRIED // len(counts_SC)))
  orders = [largest_first] + [
    rng.permutation(len(counts_SC)) for _ in range(count - 1)
  ]
  greedy = _greedy if num_folds < _MANY_FOLDS else _greedy_many
  tried = [greedy(counts_SC, num_folds, order) for order in orders]
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


def _greedy_many(counts_SC, num_folds, order):
  """As `_greedy`, whose time grows as the square of the folds.

  Their choices are equal but for folds of equal cost, between which the last
  digits of `_greedy`'s sums decide.
  """
  table_KC = np.zeros((num_folds, counts_SC.shape[1]), np.int64)
  cost_K = _cost_of_folds(table_KC, counts_SC)
  fold_S = np.full(len(order), -1)
  for s in order:
    after_K = _cost_of_folds(table_KC + counts_SC[s], counts_SC)
    fold = fold_S[s] = (after_K - cost_K).argmin()
    table_KC[fold] += counts_SC[s]
    cost_K[fold] = after_K[fold]
  return cost_K.sum(), fold_S


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


def _cost_of_folds(table_KC, counts_SC):
  """The part (K,) of each fold in `_imbalance`, which is their sum."""
  total_C = counts_SC.sum(0)
  lost_K = (table_KC == total_C).sum(1)
  classes_K = ((table_KC / total_C) ** 2).mean(1)
  return 1e3 * lost_K + classes_K + (table_KC.sum(1) / total_C.sum()) ** 2
