"""Calibrates a motion-map model on held-out rendered people.

On half of them the temperature, the threshold of the sets of classes and the
three factors of each action unit are fitted; on the other half they are
measured. No real clip is used: for real people they are a guess.
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

_TESTS = 4  # batches for each convention of framing
_UNIT_TESTS = 16  # these and further ones: some units are rare
# The fields of `synthetic_maps.batch` and of a network's outputs that are used.
_TRUTH = ('label', 'named', 'level', 'scale', 'coded')
_OUTPUTS = ('logits', 'unit_logit', 'unit_level')


def fit(
  network: nn.Module,
  members: list[dict],
  people: dict[str, dict],
  seed: int,
) -> dict[str, Any]:
  """Returns 'calibration' of model.json.

  Args:
    network: of the model.
    members: the weights of each member.
    people: the held-out people, as of `synthetic_maps.source`, by the
      convention of their framing.
    seed: for drawing the maps.

  Returns:
    temperature; threshold and wanted coverage of the sets
    (`evaluation.conformal`); units (`unit_calibration.fit`); people: the number
    of people that these were fitted to; shown: measured on the others, log_loss
    and ece before and after, reliability bins, the quality of the sets, and
    units (`unit_calibration.measure`).
  """
  drawn = _outputs(network, members, people, seed)
  units, worth = _units(network, drawn)
  # The other maps have no class, or were drawn for rare units alone.
  some = drawn['named'] & (drawn['step'] < _TESTS)
  logits, label, who = (
    drawn[name][some] for name in ('logits', 'label', 'who')
  )
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


def describe(found: dict[str, Any]) -> str:
  """Returns a line about a calibration, and one about its action units.

  Args:
    found: as `fit` returns it.
  """
  shown = found['shown']
  before, after, sets = (shown[k] for k in ('before', 'after', 'sets'))
  units = ', '.join(
    f'{name.replace("_", " ")} {new:.2f} ({old:.2f})'
    for name, (old, new) in shown['units']['mean'].items()
  )
  return (
    f'temperature {found["temperature"]:.2f}: on {shown["people"]} further '
    f'rendered people the calibration error is {after["ece"]:.3f} (without '
    f'it {before["ece"]:.3f}), log loss {after["log_loss"]:.3f} '
    f'({before["log_loss"]:.3f}); sets of classes contain the true one in '
    f'{sets["coverage"]:.1%} (wanted {found["wanted"]:.0%}), '
    f'{sets["unsure"]:.1%} contain several\n'
    f'action units, with this (without it): {units}'
  )


def _outputs(network, members, people, seed):
  """Draws maps; returns their truth and the outputs of each member for them.

  Besides `_TRUTH`: 'who' (N,), numbers of the people; 'step' (N,), numbers of
  the batches; 'logits' (N, S, C), 'unit_logit' and 'unit_level' (N, S, ...).
  """
  parts, first, key = [], 0, jax.random.key(seed)
  answer = jax.jit(network.apply)
  for own in people.values():
    for step in range(_UNIT_TESTS):
      # Not the maps that `synthetic_model.test` scores.
      batch = synthetic_training.maps(
        own, jax.random.fold_in(key, 1000 + step), synthetic_maps.Settings()
      )
      seen = {network.streams[0]: batch['maps'][:, None]}
      found = [answer({'params': one}, seen) for one in members]
      outs = [{'logits': logits, **out} for logits, out in found]
      parts.append(
        {
          **{name: np.asarray(batch[name]) for name in _TRUTH},
          **{name: np.stack([x[name] for x in outs], 1) for name in _OUTPUTS},
          'who': first + np.asarray(batch['who']),
          'step': np.full(len(batch['who']), step),
        }
      )
    first += len(own['flow']) + len(own['flow']) % 2
  return {name: np.concatenate([x[name] for x in parts]) for name in parts[0]}


def _units(network, drawn):
  """The factors of the action units, and how good they are."""
  # No level is known while a mouth speaks.
  known = {name: x[drawn['coded'] > 0] for name, x in drawn.items()}

  def scores(some, calibration):
    outs = [
      {name: known[name][some, k] for name in _OUTPUTS}
      for k in range(known['logits'].shape[1])
    ]
    return action_units.mean(outs, known['scale'][some], calibration)

  fits = known['who'] % 2 == 0
  found = unit_calibration.fit(scores(fits, None), known['level'][fits])
  worth = unit_calibration.measure(
    scores(~fits, None),
    scores(~fits, found),
    known['level'][~fits],
    network.action_units,
  )
  return found, worth


def _reliability(p, label):
  loss = metrics.log_loss(p, label, balanced=False)
  return {'log_loss': loss, **metrics.calibration(p, label)}
