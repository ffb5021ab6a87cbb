"""Three numbers a unit that make what a model says of it readable as it is.

Networks that minimise a loss say little of what they see seldom: probabilities
of rare units stay below one half, levels are shrunk towards zero and both sides
towards each other. All three keep their order, so one number mends each of
them, found by rendered people whom the networks have not seen.

Axes: N maps, A action units, S sides (left, right).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.evaluation import action_units as ranking
from mefnet_jax.predict import action_units
from mefnet_jax.training import synthetic_training

_LEAST = 20  # maps that show what is fitted, or its number stays 1
_ALONE = 0.99  # a true side beyond this is one side alone
_STRETCHES = np.geomspace(1, 1000, 121)  # powers of left to right
_FLAT = 0.01  # an error that much above the least is as good


def fit(
  said: Mapping[str, np.ndarray], level_NAS: np.ndarray
) -> dict[str, list[float]]:
  """What stands in model.json under 'calibration', 'units'.

  Args:
    said: of `action_units.mean` without a calibration.
    level_NAS: the true levels, in the unit of those that are said.

  Returns:
    odds, level and side of `action_units.calibrated`, A numbers each; 1 where
    too few maps show what is needed.
  """
  found: dict[str, list[float]] = {'odds': [], 'level': [], 'side': []}
  for a in range(level_NAS.shape[1]):
    p, level, side = (said[name][:, a] for name in ('p', 'level', 'side'))
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
  """What a calibration is worth, on other people than those of `fit`.

  Args:
    before, after: what is said without and with it.
    level_NAS: the true levels.
    units: numbers of the A action units (FACS).

  Returns:
    of each unit that some maps show, and 'mean' over the units, pairs before
    and after: f1 at .5; level_error and level_bias of maps that show it (mean
    absolute, mean), absent_level, mean absolute, of those that do not; and
    where some move it on one side alone, side_alone, the mean side of these
    towards the true one, side_both, the mean absolute side of the others, and
    side_error, mean absolute, each of the two kinds counting half.
  """
  made = {}
  for a, unit in enumerate(units):
    truth = _truth(level_NAS[:, a])
    if not truth[0].any():
      continue
    pair = [
      _measured({name: x[:, a] for name, x in said.items()}, *truth)
      for said in (before, after)
    ]
    made[f'AU{unit:02d}'] = {name: [x[name] for x in pair] for name in pair[0]}
  names = list(dict.fromkeys(name for own in made.values() for name in own))
  made['mean'] = {
    name: np.mean([x[name] for x in made.values() if name in x], 0).tolist()
    for name in names
  }
  return made


def _truth(level_NS):
  """Of one unit: whether a map shows it, its level and its side, (N,) each."""
  shown = level_NS.max(-1) > synthetic_training.SHOWN
  return shown, level_NS.mean(-1), action_units.side(level_NS)


def _odds(p, shown):
  """(1 - t) / t of the threshold t on p that is best for F1.

  It is half of the best F1 where p means what it says (Lipton, Elkan and
  Naryanaswamy 2014), which is steadier than the place of the curve's maximum.
  """
  if min(shown.sum(), (~shown).sum()) < _LEAST:
    return 1.0
  found = shown[np.argsort(-p, kind='stable')].cumsum()
  best = (2 * found / (np.arange(len(p)) + 1 + shown.sum())).max()
  return float(2 / best - 1)


def _factor(said, true):
  """By which levels come out right on average, of maps that show the unit."""
  if len(said) < _LEAST or said.mean() <= 0:
    return 1.0
  return float(true.mean() / said.mean())


def _stretch(said, true):
  """The least at which sides err least, one side alone and both counting half.

  The curve is flat around its minimum, and a stretch enlarges noise too.
  """
  one = _alone(true)
  if min(one.sum(), (~one).sum()) < _LEAST:
    return 1.0
  errors = [
    _side_error(action_units.stretched(said, far), true) for far in _STRETCHES
  ]
  return float(_STRETCHES[np.argmax(errors <= np.min(errors) + _FLAT)])


def _measured(said, shown, level, side):
  """The numbers of `measure` for one unit (N,)."""
  off = (said['level'] - level)[shown]
  made = {
    'f1': ranking.f1(said['p'] > 0.5, shown),
    'level_error': float(np.abs(off).mean()),
    'level_bias': float(off.mean()),
    'absent_level': float(np.abs(said['level'][~shown]).mean()),
  }
  to, side = said['side'][shown], side[shown]
  one = _alone(side)
  if 0 < one.sum() < len(one):
    made['side_alone'] = float((to * side)[one].mean())
    made['side_both'] = float(np.abs(to[~one]).mean())
    made['side_error'] = _side_error(to, side)
  return made


def _side_error(said, true):
  one, off = _alone(true), np.abs(said - true)
  return float((off[one].mean() + off[~one].mean()) / 2)


def _alone(side):
  return np.abs(side) > _ALONE
