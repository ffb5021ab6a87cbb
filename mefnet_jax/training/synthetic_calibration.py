"""How sure a model for motion maps may be, by rendered people it never saw.

Half of those who were held out give the temperature, the threshold of the sets
of classes and the three numbers of each action unit; the other half shows what
these are worth. No real clip is used, so for real people none of them is more
than a guess.
"""

from typing import Any

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax.evaluation import conformal, metrics, temperature
from mefnet_jax.predict import action_units
from mefnet_jax.training import (
  synthetic_maps,
  synthetic_training,
  unit_calibration,
)

_TESTS = 4  # batches of the people of a convention
_UNIT_TESTS = 16  # those and more, since some units are rare
# What of the maps, and of a network's answers, is looked at.
_TRUTH = ('label', 'named', 'level', 'scale', 'coded')
_SAID = ('logits', 'unit_logit', 'unit_level')


def fit(
  network: nn.Module,
  members: list[dict],
  people: dict[str, dict],
  seed: int,
) -> dict[str, Any]:
  """What stands in model.json under 'calibration'.

  Args:
    network, members: and the params of each.
    people: who were held out; of `synthetic_maps.source`, by the convention of
      their framing.
    seed: of the maps.

  Returns:
    temperature; threshold and wanted of the sets (`evaluation.conformal`);
    units (`unit_calibration.fit`); people: how many gave these; shown: of as
    many others log_loss and ece before and after, reliability bins, what the
    sets are worth, and units (`unit_calibration.measure`).
  """
  made = _answered(network, members, people, seed)
  units, worth = _units(network, made)
  # The others of these maps have no class, or are there for rare units alone.
  some = made['named'] & (made['step'] < _TESTS)
  logits, label, who = (made[name][some] for name in ('logits', 'label', 'who'))
  logits = logits.swapaxes(0, 1)
  fits = who % 2 == 0
  warmth = temperature.fit(logits[:, fits], label[fits])
  plain, found = (temperature.probabilities(logits, t) for t in (1.0, warmth))
  most = conformal.threshold(found[fits], label[fits], who[fits])
  others = ~fits
  held = conformal.sets(found[others], most)
  before, after = (
    _reliability(p[others], label[others]) for p in (plain, found)
  )
  return {
    'temperature': warmth,
    'threshold': most,
    'wanted': conformal.COVERAGE,
    'units': units,
    'people': len(np.unique(who[fits])),
    'shown': {
      'people': len(np.unique(who[others])),
      'maps': int(others.sum()),
      'before': before,
      'after': after,
      'sets': conformal.quality(held, label[others], who[others]),
      'units': worth,
    },
  }


def said(found: dict[str, Any]) -> str:
  """A line on it, and one on the action units."""
  shown = found['shown']
  before, after, sets = (shown[k] for k in ('before', 'after', 'sets'))
  units = ', '.join(
    f'{name.replace("_", " ")} {new:.2f} ({old:.2f})'
    for name, (old, new) in shown['units']['mean'].items()
  )
  return (
    f'temperature {found["temperature"]:.2f}: of {shown["people"]} rendered '
    f'people kept aside the calibration error is {after["ece"]:.3f} (without '
    f'it {before["ece"]:.3f}), log loss {after["log_loss"]:.3f} '
    f'({before["log_loss"]:.3f}); sets of classes hold the true one in '
    f'{sets["coverage"]:.1%} (wanted {found["wanted"]:.0%}), '
    f'{sets["unsure"]:.1%} hold several\n'
    f'action units, with this (without it): {units}'
  )


def _answered(network, members, people, seed):
  """Maps' truth, their step, numbers of the people, and what is said of them:
  logits (N, S, C), unit_logit and unit_level (N, S, ...) of each member."""
  parts, first, key = [], 0, jax.random.key(seed)
  answer = jax.jit(network.apply)
  for own in people.values():
    for step in range(_UNIT_TESTS):
      # Other maps of them than those that `synthetic_model.test` scores.
      batch = synthetic_training.maps(
        own, jax.random.fold_in(key, 1000 + step), synthetic_maps.Settings()
      )
      seen = {network.streams[0]: batch['maps'][:, None]}
      found = [answer({'params': one}, seen) for one in members]
      said = [{'logits': logits, **out} for logits, out in found]
      parts.append(
        {
          **{name: np.asarray(batch[name]) for name in _TRUTH},
          **{name: np.stack([x[name] for x in said], 1) for name in _SAID},
          'who': first + np.asarray(batch['who']),
          'step': np.full(len(batch['who']), step),
        }
      )
    first += len(own['flow']) + len(own['flow']) % 2
  return {name: np.concatenate([x[name] for x in parts]) for name in parts[0]}


def _units(network, made):
  """The numbers of the action units, and what they are worth."""
  # Of a mouth that speaks no level is known.
  known = {name: x[made['coded'] > 0] for name, x in made.items()}

  def said(some, calibration):
    outs = [
      {name: known[name][some, k] for name in _SAID}
      for k in range(known['logits'].shape[1])
    ]
    return action_units.mean(outs, known['scale'][some], calibration)

  fits = known['who'] % 2 == 0
  found = unit_calibration.fit(said(fits, None), known['level'][fits])
  worth = unit_calibration.measure(
    said(~fits, None),
    said(~fits, found),
    known['level'][~fits],
    network.action_units,
  )
  return found, worth


def _reliability(p, label):
  loss = metrics.log_loss(p, label, balanced=False)
  return {'log_loss': loss, **metrics.calibration(p, label)}
