"""Probabilities of held-out clips, each by the fold that held it out."""

from collections.abc import Callable

import numpy as np

from mefnet_jax.models import inference
from mefnet_jax.training import parallel


def held_out_probabilities(
  step: Callable,
  index: list[np.ndarray],
  plan: parallel.Plan,
  batch_size: int,
) -> list[list[np.ndarray]]:
  """Computes the probabilities of clips of each fold with its own weights.

  Args:
    step: maps indices (F, M) to logits, as of `parallel.map_evaluation`.
    index: for each fold the indices of the clips to evaluate.
    plan: how the folds are distributed over the devices.
    batch_size: maximum number of clips per fold in one call.

  Returns:
    For each seed and each fold a float64 array (clips, C).
  """
  # Folds of different sizes share one rectangular array; the rest is cut off.
  index_FM = np.zeros((len(index), max(map(len, index))), np.int32)
  for k, some in enumerate(index):
    index_FM[k, : len(some)] = some
  logits_SFMC = inference.in_batches(
    lambda index_FM: plan.join(step(index_FM)), index_FM, batch_size, axis=2
  )
  return [
    [
      inference.softmax(logits_MC[: len(some)])
      for logits_MC, some in zip(logits_FMC, index, strict=True)
    ]
    for logits_FMC in logits_SFMC
  ]


def scores(
  probabilities_BC: np.ndarray, label_B: np.ndarray
) -> dict[str, float]:
  """Returns the mean cross-entropy ('loss') and the accuracy of clips.

  Both are nan if a probability is not finite: the member has diverged.
  """
  if not np.isfinite(probabilities_BC).all():
    return {'loss': np.nan, 'accuracy': np.nan}
  true_B = probabilities_BC[np.arange(len(label_B)), label_B]
  return {
    # A confident mistake has probability 0 in floating point, and log 0 would
    # make the curve and the choice of the epoch useless.
    'loss': float(-np.log(np.maximum(true_B, 1e-12)).mean()),
    'accuracy': float((probabilities_BC.argmax(1) == label_B).mean()),
  }
