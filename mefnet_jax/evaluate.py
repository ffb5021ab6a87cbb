"""Probabilities of held-out clips, each by the fold that never saw it."""

import jax
import numpy as np

from mefnet_jax import folds, parallel


def held_out(
  step,
  params,
  clips: dict[str, jax.Array],
  splits: tuple[folds.Fold, ...],
  how: parallel.Plan,
  batch_size: int,
) -> list[np.ndarray]:
  """Probabilities of each fold's test clips.

  Args:
    step: `parallel.eval_step` of the network.
    params: of all folds, as `how.split` lays them.
    clips: all clips, on the devices.
    splits: the folds; a fold's test clips go through its own params only.
    how: the plan of the training.
    batch_size: the most clips a fold in one call.

  Returns:
    One (test clips, C) float64 array a fold.
  """
  longest = max(len(fold.test) for fold in splits)
  calls = -(-longest // batch_size)
  size = -(-longest // calls)
  index_FM = np.zeros((len(splits), calls * size), np.int32)
  for k, fold in enumerate(splits):
    index_FM[k, : len(fold.test)] = fold.test
  parts = [
    how.join(step(params, clips, how.split(index_FM[:, i : i + size])))
    for i in range(0, calls * size, size)
  ]
  logits_FMC = np.concatenate([np.asarray(p, np.float64) for p in parts], 1)
  return [
    softmax(logits_MC[: len(fold.test)])
    for logits_MC, fold in zip(logits_FMC, splits, strict=True)
  ]


def softmax(logits_BC: np.ndarray) -> np.ndarray:
  """Probabilities of logits; each row sums to one."""
  e_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
  return e_BC / e_BC.sum(-1, keepdims=True)


def scores(
  probabilities_BC: np.ndarray, label_B: np.ndarray
) -> dict[str, float]:
  """Cross-entropy and accuracy of clips, for the curves."""
  own_B = probabilities_BC[np.arange(len(label_B)), label_B]
  return {
    'loss': float(-np.log(np.maximum(own_B, 1e-12)).mean()),
    'accuracy': float((probabilities_BC.argmax(1) == label_B).mean()),
  }
