"""A head on frozen features: ridge regression in the space of a kernel.

It corrects a network's probabilities; the stronger the regularisation, the
smaller the correction. The least squares have a closed-form solution, for all
strengths at once.

Axes: N training clips, M others, D features, C classes, S strengths.
"""

import numpy as np

# Strengths of the regularisation, in units of the kernel's eigenvalues: from
# almost none to almost no correction.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
# Smallest probability of a class before normalisation: least squares leave the
# range of probabilities, and no class is impossible.
_LEAST = 0.02


def linear(one_MD: np.ndarray, other_ND: np.ndarray) -> np.ndarray:
  """The mean product of features: (M, N)."""
  return one_MD @ other_ND.T / other_ND.shape[1]


def gaussian(one_MD: np.ndarray, other_ND: np.ndarray) -> np.ndarray:
  """exp(-d), d the mean square difference of features: (M, N)."""
  square = [(x**2).mean(1) for x in (one_MD, other_ND)]
  product = linear(one_MD, other_ND)
  return np.exp(2 * product - square[0][:, None] - square[1][None])


KERNELS = {'linear': linear, 'gaussian': gaussian}


def corrections(
  kernel_NN: np.ndarray,
  kernel_MN: np.ndarray,
  missing_NC: np.ndarray,
  weight_N: np.ndarray,
  strengths: tuple[float, ...] = STRENGTHS,
) -> np.ndarray:
  """The corrections (S, M, C) that a head adds to probabilities of other clips.

  It minimises the sum over training clips of weight * |missing - f|^2, plus
  strength times the square of f's norm.

  Args:
    kernel_NN: kernel of the training clips.
    kernel_MN: kernel of the other clips and the training clips.
    missing_NC: the truth, 1 or 0, minus the network's own probabilities.
    weight_N: weights of the training clips, with mean 1.
    strengths: of the regularisation.
  """
  root_N1 = np.sqrt(weight_N)[:, None]
  values, vectors = np.linalg.eigh(root_N1 * kernel_NN * root_N1.T)
  along = vectors.T @ (root_N1 * missing_NC)
  given = kernel_MN @ (root_N1 * vectors)
  # Rounding leaves eigenvalues just below 0.
  values = np.maximum(values, 0)[:, None]
  return np.stack([given @ (along / (values + s)) for s in strengths])


def probabilities(network_MC: np.ndarray, correction: np.ndarray) -> np.ndarray:
  """Returns probabilities (..., M, C) with a correction, normalised.

  The order of the classes is that of the sums.

  Args:
    network_MC: the network's probabilities.
    correction: (..., M, C).
  """
  x = np.maximum(network_MC + correction, _LEAST)
  return x / x.sum(-1, keepdims=True)
