"""Scores of a model on exact maps and on those of videos, with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mefnet_jax.evaluation import action_units, intervals, metrics
from mefnet_jax.predict import model as models
from mefnet_jax.predict import motion_scores

if TYPE_CHECKING:
  from experiments import serving

_LEAST = 8  # clips that show an action unit, or it is left aside
_DRAWS = 1000


def measure(
  model: 'models.Model', found: Sequence['serving.Clip']
) -> dict[str, object]:
  """Classes and action units, exact maps against the whole path.

  Returns:
    clips, subjects; classes: of each way UAR and UF1 with 95 % intervals over
    subjects; drop: of the path's UAR, with that of the differences; units: of
    each action unit and way AUC and F1, each with an interval.
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
    'units': _units(model, found, scores, who),
  }


def text(result: dict) -> str:
  """The result as lines for a terminal."""
  lines = [
    f'SYNTHETIC: {result["clips"]} clips of {result["subjects"]} rendered '
    f'people, {result["lost"]} lost'
  ]
  for way, own in result['classes'].items():
    said = ', '.join(f'{k} {_said(*v)}' for k, v in own.items())
    lines.append(f'{way:18s}{said}')
  for way, own in result['drop'].items():
    lines.append(f'uar, exact - {way}: {_said(*own)}')
  lines += [
    f'{unit} ({own["clips"]:3d})  '
    + '   '.join(
      f'{way}: auc {_said(*own[way]["auc"])} f1 {_said(*own[way]["f1"])}'
      for way in ('exact', 'path')
    )
    for unit, own in result['units'].items()
  ]
  for way in ('exact', 'path'):
    each = [own[way]['auc'][0] for own in result['units'].values()]
    lines.append(f'mean auc, {way}: {np.mean(each):.3f}')
  return '\n'.join(lines)


def _said(value, low, high):
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

  return _interval(difference, who)


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
        'auc': _interval(
          lambda i, p=p, y=shown: action_units.auc(p[i], y[i]), who
        ),
        'f1': _interval(lambda i, p=p, y=shown: _f1(p[i] > 0.5, y[i]), who),
      }
    made[f'AU{unit:02d}'] = own
  return made


def _f1(said, shown):
  whole = said.sum() + shown.sum()
  return float(2 * (said & shown).sum() / whole) if whole else np.nan


def _interval(score, who):
  """[value, low, high]: whole subjects are drawn with replacement."""
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
