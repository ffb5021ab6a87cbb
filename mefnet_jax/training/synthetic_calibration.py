"""How sure a model for motion maps may be, by rendered people it never saw.

Half of those who were held out give the temperature and the threshold of the
sets of classes; the other half shows what these are worth. No real clip is
used, so for real people neither is more than a guess.
"""

from typing import Any

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax.evaluation import conformal, metrics, temperature
from mefnet_jax.training import synthetic_maps, synthetic_training

_TESTS = 4  # batches of the people of a convention


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
    people: how many gave these; shown: of as many others log_loss and ece
    before and after, reliability bins, and what the sets are worth.
  """
  maps, label, who = _maps(people, seed)
  logits = _logits(network, members, maps)
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
    'people': len(np.unique(who[fits])),
    'shown': {
      'people': len(np.unique(who[others])),
      'maps': int(others.sum()),
      'before': before,
      'after': after,
      'sets': conformal.described(held, label[others], who[others]),
    },
  }


def said(found: dict[str, Any]) -> str:
  """One line on it."""
  shown = found['shown']
  before, after, sets = (shown[k] for k in ('before', 'after', 'sets'))
  return (
    f'temperature {found["temperature"]:.2f}: of {shown["people"]} rendered '
    f'people kept aside the calibration error is {after["ece"]:.3f} (without '
    f'it {before["ece"]:.3f}), log loss {after["log_loss"]:.3f} '
    f'({before["log_loss"]:.3f}); sets of classes hold the true one in '
    f'{sets["coverage"]:.1%} (wanted {found["wanted"]:.0%}), '
    f'{sets["unsure"]:.1%} hold several'
  )


def _maps(people, seed):
  """Maps with a class, their labels, and numbers of the people."""
  made, first, key = [], 0, jax.random.key(seed)
  for own in people.values():
    for step in range(_TESTS):
      # Other maps of them than those that `synthetic_model.test` scores.
      batch = synthetic_training.maps(
        own, jax.random.fold_in(key, 1000 + step), synthetic_maps.Settings()
      )
      named = np.asarray(batch['named'])
      made.append(
        (
          np.asarray(batch['maps'])[named],
          np.asarray(batch['label'])[named],
          first + np.asarray(batch['who'])[named],
        )
      )
    first += len(own['flow']) + len(own['flow']) % 2
  return tuple(map(np.concatenate, zip(*made, strict=True)))


def _logits(network, members, maps):
  """(S, N, C) of each member."""
  batch = {network.streams[0]: maps[:, None]}
  answer = jax.jit(network.apply)
  return np.stack([answer({'params': one}, batch)[0] for one in members])


def _reliability(p, label):
  loss = metrics.log_loss(p, label, balanced=False)
  return {'log_loss': loss, **metrics.calibration(p, label)}
