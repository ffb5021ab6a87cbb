"""Probabilities of held-out clips, each by the fold that never saw it."""

from collections.abc import Callable

import numpy as np

from mefnet_jax.models import inference
from mefnet_jax.training import parallel


def held_out_probabilities(
  step: Callable,
  clips: list[np.ndarray],
  how: parallel.Plan,
  batch_size: int,
) -> list[list[np.ndarray]]:
  """Probabilities of clips of each fold, by that fold's weights only.

  Args:
    step: indices (F, M) to logits, as `parallel.eval_step` gives them.
    clips: indices of each fold's clips, such as its test side.
    how: the plan of the training.
    batch_size: the most clips a fold in one call.

  Returns:
    For each seed and each fold a (clips, C) float64 array.
  """
  index_FM = np.zeros((len(clips), max(map(len, clips))), np.int32)
  for k, own in enumerate(clips):
    index_FM[k, : len(own)] = own
  logits_SFMC = inference.in_batches(
    lambda index_FM: how.join(step(index_FM)), index_FM, batch_size, axis=2
  )
  return [
    [
      inference.softmax(logits_MC[: len(own)])
      for logits_MC, own in zip(logits_FMC, clips, strict=True)
    ]
    for logits_FMC in logits_SFMC
  ]


def scores(
  probabilities_BC: np.ndarray, label_B: np.ndarray
) -> dict[str, float]:
  """Cross-entropy and accuracy of clips, for the curves.

  Both are nan where a probability is not a number: the member has diverged.
  """
  if not np.isfinite(probabilities_BC).all():
    return {'loss': np.nan, 'accuracy': np.nan}
  own_B = probabilities_BC[np.arange(len(label_B)), label_B]
  return {
    'loss': float(-np.log(np.maximum(own_B, 1e-12)).mean()),
    'accuracy': float((probabilities_BC.argmax(1) == label_B).mean()),
  }
