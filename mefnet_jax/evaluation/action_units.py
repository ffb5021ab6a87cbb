"""How well the scores of an action unit tell clips that show it from others."""

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
  from scipy import stats  # takes a second, which runs without units are spared

  shown = np.asarray(shown, bool)
  shown_count, other_count = shown.sum(), (~shown).sum()
  if not shown_count or not other_count:
    return float('nan')
  # The Mann-Whitney U statistic; average ranks count ties half.
  ranks = stats.rankdata(score)[shown].sum()
  pairs_won = ranks - shown_count * (shown_count + 1) / 2
  return float(pairs_won / (shown_count * other_count))


def f1(said: npt.ArrayLike, shown: npt.ArrayLike) -> float:
  """Returns 2 TP / (2 TP + FP + FN) of an action unit.

  Args:
    said: (N,) booleans, whether the unit is said to be in each clip.
    shown: (N,) booleans, whether each clip shows it.

  Returns:
    0 to 1; nan where no clip shows the unit and none is said to.
  """
  said, shown = np.asarray(said, bool), np.asarray(shown, bool)
  whole = said.sum() + shown.sum()
  return float(2 * (said & shown).sum() / whole) if whole else float('nan')
