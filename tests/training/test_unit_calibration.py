"""Numbers of action units by which what is said of them can be read."""

import numpy as np

from mefnet_jax.predict import action_units
from mefnet_jax.training import synthetic_training, unit_calibration

UNITS = (1, 14, 26)


def drawn(seed, count=4000):
  """True levels of a frequent, a rare and a common unit, and what is said.

  The second can be moved on one side alone; all are seen through noise, levels
  and sides far too small.
  """
  random = np.random.default_rng(seed)
  there = random.random((count, 3)) < (0.4, 0.05, 0.2)
  side = np.exp(random.normal(0, 0.15, (count, 3, 2)))
  alone = random.random(count) < 0.4
  side[alone, 1, random.integers(0, 2, alone.sum())] = 0
  level = (there * random.uniform(0.4, 1, there.shape))[..., None] * side
  # What two normal distributions, two apart, make of it: p means what it says.
  seen = 2 * (2 * there - 1 + random.normal(0, 1, there.shape))
  seen += np.log(there.mean(0) / (1 - there.mean(0)))
  to = action_units.side(level) + random.normal(0, 0.2, there.shape)
  said = {
    'p': 1 / (1 + np.exp(-seen)),
    'level': (0.6, 0.1, 0.3)
    * (level.mean(-1) + random.normal(0, 0.1, (count, 3))),
    'side': 0.02 * to,
  }
  return said, level


def test_people_kept_aside_are_told_better():
  found = unit_calibration.fit(*drawn(0))
  said, level = drawn(1)
  after = action_units.calibrated(said, found)
  worth = unit_calibration.measure(said, after, level, UNITS)
  assert worth.keys() == {'AU01', 'AU14', 'AU26', 'mean'}
  for own in worth.values():
    assert own['f1'][1] >= own['f1'][0] - 0.01
    assert abs(own['level_bias'][1]) < 0.2 * abs(own['level_bias'][0])
    assert own['level_error'][1] < own['level_error'][0]
    assert own['absent_level'][1] > own['absent_level'][0]
  rare = worth['AU14']
  assert rare['f1'][1] > rare['f1'][0] + 0.03
  assert rare['side_alone'][0] < 0.1 and rare['side_alone'][1] > 0.7
  assert rare['side_both'][1] < 0.3
  assert rare['side_error'][1] < 0.5 * rare['side_error'][0]
  # Nobody moves the others on one side alone.
  assert 'side_error' not in worth['AU01'] and found['side'][0] == 1


def test_half_is_the_best_threshold():
  said, level = drawn(0)
  found = unit_calibration.fit(said, level)
  shown = level.max(-1) > synthetic_training.SHOWN
  for a in range(3):
    p, there = said['p'][:, a], shown[:, a]
    best, own = (
      max(
        2 * ((p > t) & there).sum() / ((p > t).sum() + there.sum()) for t in ts
      )
      for ts in (np.linspace(0.01, 0.9, 90), [1 / (1 + found['odds'][a])])
    )
    assert own > best - 0.02


def test_too_few_maps_change_nothing():
  said, level = drawn(0)
  few = {name: x[:60] for name, x in said.items()}
  found = unit_calibration.fit(few, level[:60])
  assert [found[name][1] for name in ('odds', 'level', 'side')] == [1, 1, 1]
  backwards = {**said, 'level': -said['level']}
  assert unit_calibration.fit(backwards, level)['level'] == [1, 1, 1]
  none = unit_calibration.measure(few, few, 0 * level[:60], UNITS)
  assert none == {'mean': {}}
