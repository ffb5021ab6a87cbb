"""Probabilities of held-out clips, each by the fold that never saw it."""

from collections.abc import Callable

import numpy as np

from mefnet_jax import parallel


def judged(
  step: Callable,
  clips: list[np.ndarray],
  how: parallel.Plan,
  batch_size: int,
) -> list[list[np.ndarray]]:
  """Probabilities of some clips of each fold, by that fold's weights only.

  Args:
    step: indices (F, M) to logits, as `parallel.eval_step` gives them.
    clips: indices of each fold's clips, such as its test side.
    how: the plan of the training.
    batch_size: the most clips a fold in one call.

  Returns:
    For each seed and each fold a (clips, C) float64 array.
  """
  longest = max(map(len, clips))
  calls = -(-longest // batch_size)
  size = -(-longest // calls)
  index_FM = np.zeros((len(clips), calls * size), np.int32)
  for k, some in enumerate(clips):
    index_FM[k, : len(some)] = some
  parts = [
    how.join(step(index_FM[:, i : i + size]))
    for i in range(0, calls * size, size)
  ]
  logits_SFMC = np.concatenate([np.asarray(p, np.float64) for p in parts], 2)
  return [
    [
      softmax(logits_MC[: len(some)])
      for logits_MC, some in zip(logits_FMC, clips, strict=True)
    ]
    for logits_FMC in logits_SFMC
  ]


def softmax(logits_BC: np.ndarray) -> np.ndarray:
  """Probabilities of logits; each row sums to one."""
  e_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
  return e_BC / e_BC.sum(-1, keepdims=True)


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
