"""How well scores of action units rank the clips that show them."""

import numpy as np
import numpy.typing as npt
from scipy import stats


def auc(score: npt.ArrayLike, shown: npt.ArrayLike) -> float:
  """Area under the ROC curve: how often a clip that shows it scores higher.

  Args:
    score: (N,) numbers.
    shown: (N,) booleans.

  Returns:
    0 to 1, ties count half; nan where all clips show it, or none does.
  """
  shown = np.asarray(shown, bool)
  with_it, without = shown.sum(), (~shown).sum()
  if not with_it or not without:
    return float('nan')
  ranks = stats.rankdata(score)[shown].sum()
  return float((ranks - with_it * (with_it + 1) / 2) / (with_it * without))
