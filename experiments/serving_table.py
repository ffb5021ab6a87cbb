"""Scores of a model on exact maps and on those of videos, with intervals."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mefnet_jax.evaluation import action_units, intervals, metrics
from mefnet_jax.predict import motion_scores, trained_model

if TYPE_CHECKING:
  from experiments import serving

_LEAST = 8  # clips that show an action unit, or it is left aside
_DRAWS = 1000
# Side of a unit that moves 1.2 times as far on one as on the other.
_UNEVEN = 1 / 11


def measure(
  model: 'trained_model.Model', found: Sequence['serving.Clip']
) -> dict[str, object]:
  """Classes and action units, exact maps against the whole path.

  Returns:
    clips, subjects; classes: of each way UAR and UF1 with 95 % intervals over
    subjects; drop: of the path's UAR, with that of the differences; units: of
    each action unit and way AUC and F1, and of the clips that show it the
    correlation of its level with the true one, the mean error and the mean of
    its level and the mean true level, and of the others the mean size of the
    level, in % of the distance between the eyes; mean: of each way, of these
    over the units; sides: of each way, see `_sides`. All with intervals.
  """
  ways = ('exact', 'path', 'path, apex known')
  label = np.array([model.classes.index(clip.emotion) for clip in found])
  who = np.array([clip.subject for clip in found])
  scores = {
    way: motion_scores.score(model, np.stack([clip.maps[k] for clip in found]))
    for k, way in enumerate(ways)
  }
  count = len(model.classes)
  classes = {}
  for way, own in scores.items():
    predicted = own.classes.argmax(1)
    bounds = intervals.bootstrap(label, predicted, who, count)
    made = metrics.scores(label, predicted, count)
    classes[way] = {k: [made[k], *bounds[k]] for k in ('uar', 'uf1')}
  right = [scores[way].classes.argmax(1) for way in ways]
  units = _units(model, found, scores, who)
  return {
    'clips': len(found),
    'subjects': len(set(who)),
    'model': str(model.folder),
    'classes': classes,
    'drop': {
      way: _drop(label, right[0], right[k], who, count)
      for k, way in enumerate(ways)
      if k
    },
    'expression': {way: _median(own) for way, own in scores.items()},
    'units': units,
    'mean': {way: _mean([own[way] for own in units.values()]) for way in ways},
    'sides': {
      way: _sides(model, found, one.units['side'])
      for way, one in scores.items()
    },
  }


def uncalibrated(model: 'trained_model.Model') -> 'trained_model.Model':
  """The same model without the calibration of its action units."""
  rest = {k: x for k, x in model.calibration.items() if k != 'units'}
  description = {**model.description, 'calibration': rest}
  return dataclasses.replace(model, description=description)


def text(result: dict) -> str:
  """The result as lines for a terminal."""
  lines = [
    f'SYNTHETIC: {result["clips"]} clips of {result["subjects"]} rendered '
    f'people, {result["lost"]} lost'
  ]
  for way, own in result['classes'].items():
    scores = ', '.join(f'{k} {_bounded(*v)}' for k, v in own.items())
    lines.append(f'{way:18s}{scores}')
  for way, own in result['drop'].items():
    lines.append(f'uar, exact - {way}: {_bounded(*own)}')
  lines += [
    f'{unit} ({own["clips"]:3d})  '
    + '   '.join(
      f'{way}: auc {_bounded(*own[way]["auc"])} f1 {_bounded(*own[way]["f1"])}'
      for way in ('exact', 'path')
    )
    for unit, own in result['units'].items()
  ]
  for unit, own in result['units'].items():
    for way in ('exact', 'path'):
      one = own[way]
      lines.append(
        f'{unit} level, {way}: r {_bounded(*one["correlation"])}, error '
        f'{_bounded(*one["error"])} %, mean {one["level"]:.3f}, true '
        f'{one["true"]:.3f} %'
      )
  for way, own in result['sides'].items():
    lines.append(
      f'sides, {way}: r {_bounded(*own["correlation"])}, right '
      f'{_bounded(*own["right"])} of {own["uneven"]} uneven ones'
    )
  for name in ('mean', 'uncalibrated'):
    for way, own in result[name].items():
      scores = ', '.join(f'{k} {x:.3f}' for k, x in own.items())
      lines.append(f'{name}, {way}: {scores}')
  return '\n'.join(lines)


def interval(
  score: Callable[[np.ndarray], float], who: np.ndarray
) -> list[float]:
  """A score, and the 95 % interval of drawing whole people with replacement.

  Args:
    score: of the clips with these indices.
    who: (N,) the person of each clip.

  Returns:
    The score of all clips, the lower and the upper bound.
  """
  names = np.unique(who)
  own = [np.flatnonzero(who == name) for name in names]
  random = np.random.default_rng(0)
  drawn = [
    score(
      np.concatenate([own[k] for k in random.integers(len(own), size=len(own))])
    )
    for _ in range(_DRAWS)
  ]
  low, high = np.nanpercentile(drawn, (2.5, 97.5))
  return [float(score(np.arange(len(who)))), float(low), float(high)]


def _bounded(value, low, high):
  return f'{value:.3f} [{low:.3f}, {high:.3f}]'


def _median(own):
  return float(np.median(own.expression))


def _drop(label, first, second, who, count):
  """UAR of one minus that of the other, and its interval over subjects."""

  def difference(index):
    one, other = (
      metrics.scores(label[index], x[index], count)['uar']
      for x in (first, second)
    )
    return one - other

  return interval(difference, who)


def _units(model, found, scores, who):
  made = {}
  for a, unit in enumerate(model.network.action_units):
    shown = np.array([unit in clip.expressed for clip in found])
    if shown.sum() < _LEAST:
      continue
    own = {'clips': int(shown.sum())}
    for way, one in scores.items():
      p = one.units['p'][:, a]
      own[way] = {
        'auc': interval(
          lambda i, p=p, y=shown: action_units.auc(p[i], y[i]), who
        ),
        'f1': interval(
          lambda i, p=p, y=shown: action_units.f1(p[i] > 0.5, y[i]), who
        ),
        **_level(
          100 * one.units['level'][shown, a],
          100 * _true(found, unit)[shown, 0],
          who[shown],
        ),
        'absent': float(100 * np.abs(one.units['level'][~shown, a]).mean()),
      }
    made[f'AU{unit:02d}'] = own
  return made


def _mean(units):
  """The mean of each number over the units, without intervals."""
  return {
    name: float(np.mean([np.atleast_1d(own[name])[0] for own in units]))
    for name in units[0]
  }


def _true(found, unit):
  """(N, 2) true level and side of a unit; nan where it is not shown."""
  return np.array(
    [
      clip.moved[clip.expressed.index(unit)]
      if unit in clip.expressed
      else (np.nan, np.nan)
      for clip in found
    ]
  )


def _level(level, true, who):
  """Measures levels (n,), those of the clips that show the unit."""
  return {
    'correlation': interval(lambda i: _correlation(level[i], true[i]), who),
    'error': interval(lambda i: float(np.abs(level[i] - true[i]).mean()), who),
    'level': float(level.mean()),
    'true': float(true.mean()),
  }


def _sides(model, found, side):
  """Measures sides (N, A), all units together.

  Returns:
    correlation with the true side; right: share of the sides that are right
    where one moves a fifth more than the other; uneven: the number of these.
  """
  true = np.stack(
    [_true(found, unit)[:, 1] for unit in model.network.action_units], axis=1
  )
  clip, unit = np.nonzero(np.isfinite(true))
  who = np.array([found[k].subject for k in clip])
  true, side = true[clip, unit], side[clip, unit]
  uneven = np.abs(true) > _UNEVEN
  right = (np.sign(true) == np.sign(side))[uneven]
  return {
    'correlation': interval(lambda i: _correlation(side[i], true[i]), who),
    'right': interval(lambda i: float(right[i].mean()), who[uneven]),
    'uneven': int(uneven.sum()),
  }


def _correlation(one, other):
  """Pearson's; nan where either does not vary."""
  if min(one.std(), other.std()) == 0:
    return np.nan
  return float(np.corrcoef(one, other)[0, 1])
