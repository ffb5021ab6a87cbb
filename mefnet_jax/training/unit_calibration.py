"""Three calibration factors for each action unit.

Networks that minimise a loss are cautious about what is rare: probabilities of
rare units stay below one half, levels are shrunk towards zero and both sides
towards each other. All three keep their order, so that one factor corrects
each. The factors are fitted to rendered people whom the networks have not seen.

Axes: N maps, A action units, S sides (left, right).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.evaluation import action_units as ranking
from mefnet_jax.predict import action_units
from mefnet_jax.training import synthetic_training

_LEAST = 20  # maps needed to fit a factor; with fewer it stays 1
_ALONE = 0.99  # a true side beyond this is a movement of one side alone
_STRETCHES = np.geomspace(1, 1000, 121)  # powers of left to right
_FLAT = 0.01  # errors this close to the smallest count as equal to it


def fit(
  scores: Mapping[str, np.ndarray], level_NAS: np.ndarray
) -> dict[str, list[float]]:
  """Returns 'units' in the 'calibration' of model.json.

  Args:
    scores: as of `action_units.mean`, without a calibration.
    level_NAS: the true levels, in the unit of the levels in `scores`.

  Returns:
    odds, level and side, which `action_units.calibrated` takes: A numbers each;
    1 where too few maps show the unit.
  """
  found: dict[str, list[float]] = {'odds': [], 'level': [], 'side': []}
  for a in range(level_NAS.shape[1]):
    p, level, side = (scores[name][:, a] for name in ('p', 'level', 'side'))
    shown, true, to = _truth(level_NAS[:, a])
    found['odds'].append(_odds(p, shown))
    found['level'].append(_factor(level[shown], true[shown]))
    found['side'].append(_stretch(side[shown], to[shown]))
  return found


def measure(
  before: Mapping[str, np.ndarray],
  after: Mapping[str, np.ndarray],
  level_NAS: np.ndarray,
  units: Sequence[int],
) -> dict[str, dict[str, list[float]]]:
  """Measures a calibration on other people than those of `fit`.

  Args:
    before, after: the scores without and with it.
    level_NAS: the true levels.
    units: numbers of the A action units (FACS).

  Returns:
    For each unit that some maps show, and for 'mean', the mean over the units,
    pairs (before, after) of
      f1: with .5 as the threshold;
      level_error, level_bias: mean absolute and mean error of the level, over
        maps that show the unit;
      absent_level: mean absolute level over the other maps;
    and, if some maps show the unit on one side alone,
      side_alone: mean side of these maps, positive towards the true side;
      side_both: mean absolute side of the other maps that show it;
      side_error: mean absolute error, both kinds of maps weighted equally.
  """
  measured = {}
  for a, unit in enumerate(units):
    truth = _truth(level_NAS[:, a])
    if not truth[0].any():
      continue
    pair = [
      _measure_unit({name: x[:, a] for name, x in scores.items()}, *truth)
      for scores in (before, after)
    ]
    measured[f'AU{unit:02d}'] = {
      name: [x[name] for x in pair] for name in pair[0]
    }
  names = list(dict.fromkeys(name for own in measured.values() for name in own))
  measured['mean'] = {
    name: np.mean([x[name] for x in measured.values() if name in x], 0).tolist()
    for name in names
  }
  return measured


def _truth(level_NS):
  """For one unit: whether a map shows it, its level and side, (N,) each."""
  shown = level_NS.max(-1) > synthetic_training.SHOWN
  return shown, level_NS.mean(-1), action_units.side(level_NS)


def _odds(p, shown):
  """(1 - t) / t of the threshold t on p that is best for F1.

  It is half of the best F1 if p is calibrated (Lipton, Elkan and Naryanaswamy
  2014), and that is a steadier estimate than the place of the curve's maximum.
  """
  if min(shown.sum(), (~shown).sum()) < _LEAST:
    return 1.0
  found = shown[np.argsort(-p, kind='stable')].cumsum()
  best = (2 * found / (np.arange(len(p)) + 1 + shown.sum())).max()
  return float(2 / best - 1)


def _factor(level, true):
  """Makes levels right on average, over maps that show the unit."""
  if len(level) < _LEAST or level.mean() <= 0:
    return 1.0
  return float(true.mean() / level.mean())


def _stretch(side, true):
  """The smallest stretch of sides whose error is as small as any.

  The smallest, because the error is flat around its minimum, and a stretch
  enlarges noise too.
  """
  one = _alone(true)
  if min(one.sum(), (~one).sum()) < _LEAST:
    return 1.0
  errors = [
    _side_error(action_units.stretched(side, far), true) for far in _STRETCHES
  ]
  return float(_STRETCHES[np.argmax(errors <= np.min(errors) + _FLAT)])


def _measure_unit(scores, shown, level, side):
  """The numbers of `measure` for one unit (N,)."""
  off = (scores['level'] - level)[shown]
  measured = {
    'f1': ranking.f1(scores['p'] > 0.5, shown),
    'level_error': float(np.abs(off).mean()),
    'level_bias': float(off.mean()),
    'absent_level': float(np.abs(scores['level'][~shown]).mean()),
  }
  estimated, side = scores['side'][shown], side[shown]
  one = _alone(side)
  if 0 < one.sum() < len(one):
    measured['side_alone'] = float((estimated * side)[one].mean())
    measured['side_both'] = float(np.abs(estimated[~one]).mean())
    measured['side_error'] = _side_error(estimated, side)
  return measured


def _side_error(side, true):
  """Mean absolute error, one side alone and both sides weighted equally."""
  one, off = _alone(true), np.abs(side - true)
  return float((off[one].mean() + off[~one].mean()) / 2)


def _alone(side):
  return np.abs(side) > _ALONE
