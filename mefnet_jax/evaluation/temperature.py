"""Temperature scaling: how sure a model may be (Guo et al., ICML 2017)."""

import numpy as np
from scipy import optimize

from mefnet_jax.evaluation import metrics

_BOUNDS = (-3.0, 3.0)  # of the logarithm


def probabilities(logits_SNC: np.ndarray, temperature: float) -> np.ndarray:
  """(N, C), the mean over S members of the softmax of logits / temperature."""
  x = np.asarray(logits_SNC, np.float64) / temperature
  e = np.exp(x - x.max(-1, keepdims=True))
  return (e / e.sum(-1, keepdims=True)).mean(0)


def fit(logits_SNC: np.ndarray, label: np.ndarray) -> float:
  """The temperature at which the members' mean is likeliest to be right.

  Args:
    logits_SNC: of each member, of clips that they were not trained on.
    label: (N,) true classes.

  Returns:
    Above 1 where the members are too sure, below where not enough.
  """

  def loss(logarithm):
    found = probabilities(logits_SNC, float(np.exp(logarithm)))
    return metrics.log_loss(found, label, balanced=False)

  found = optimize.minimize_scalar(loss, bounds=_BOUNDS, method='bounded')
  return float(np.exp(found.x))
