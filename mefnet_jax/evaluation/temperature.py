"""Temperature scaling of a model's confidence (Guo et al., ICML 2017)."""

import numpy as np
from scipy import optimize

from mefnet_jax.evaluation import metrics

_BOUNDS = (-3.0, 3.0)  # of the logarithm


def probabilities(logits_SNC: np.ndarray, temperature: float) -> np.ndarray:
  """Returns the members' mean softmax of logits / temperature, (N, C).

  Args:
    logits_SNC: by S members, for N clips and C classes.
    temperature: above 0.
  """
  x = np.asarray(logits_SNC, np.float64) / temperature
  e = np.exp(x - x.max(-1, keepdims=True))
  return (e / e.sum(-1, keepdims=True)).mean(0)


def fit(logits_SNC: np.ndarray, label: np.ndarray) -> float:
  """Returns the temperature with the lowest log loss of the members' mean.

  Args:
    logits_SNC: by each member, for clips that it was not trained on.
    label: (N,) true classes.

  Returns:
    Above 1 if the members are overconfident, below 1 if underconfident.
  """

  def loss(logarithm):
    found = probabilities(logits_SNC, float(np.exp(logarithm)))
    return metrics.log_loss(found, label, balanced=False)

  found = optimize.minimize_scalar(loss, bounds=_BOUNDS, method='bounded')
  return float(np.exp(found.x))
