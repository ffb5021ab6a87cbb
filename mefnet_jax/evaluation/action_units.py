"""How well scores of an action unit separate clips that show it from others."""

import numpy as np
import numpy.typing as npt


def auc(score: npt.ArrayLike, shown: npt.ArrayLike) -> float:
  """Returns the area under the ROC curve of an action unit.

  It is the share of pairs, of a clip that shows the unit and one that does not,
  in which the first scores higher; ties count half.

  Args:
    score: (N,) of the clips, in any unit.
    shown: (N,) booleans, whether each clip shows the unit.

  Returns:
    0 to 1; nan where all clips show the unit, or none does.
  """
  from scipy import stats  # takes a second; most runs have no action units

  shown = np.asarray(shown, bool)
  shown_count, other_count = shown.sum(), (~shown).sum()
  if not shown_count or not other_count:
    return float('nan')
  # The Mann-Whitney U statistic; average ranks count ties half.
  ranks = stats.rankdata(score)[shown].sum()
  pairs_won = ranks - shown_count * (shown_count + 1) / 2
  return float(pairs_won / (shown_count * other_count))


def f1(predicted: npt.ArrayLike, shown: npt.ArrayLike) -> float:
  """Returns 2 TP / (2 TP + FP + FN) of an action unit.

  Args:
    predicted: (N,) booleans, whether the unit is predicted for each clip.
    shown: (N,) booleans, whether each clip shows it.

  Returns:
    0 to 1; nan where no clip shows the unit and none is predicted to.
  """
  predicted, shown = np.asarray(predicted, bool), np.asarray(shown, bool)
  whole = predicted.sum() + shown.sum()
  both = (predicted & shown).sum()
  return float(2 * both / whole) if whole else float('nan')
