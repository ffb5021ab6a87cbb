"""Action units: what the members say, and what a calibration makes of it."""

import numpy as np

from mefnet_jax.evaluation import action_units as ranked
from mefnet_jax.predict import action_units

UNITS = {'odds': [1.0, 4.0], 'level': [1.0, 3.0], 'side': [1.0, 20.0]}


def drawn(count=200):
  random = np.random.default_rng(0)
  return {
    'p': random.uniform(0, 1, (count, 2)) ** 4,
    'level': random.normal(0, 0.1, (count, 2)),
    'side': random.normal(0, 0.03, (count, 2)),
  }


def test_members_are_averaged_and_sides_that_run_backwards_rest():
  logits = np.log([[[1.0]], [[3.0]]])
  levels = np.float32([[[[0.3, -0.1]]], [[[0.5, -0.1]]]])
  outs = [
    {'unit_logit': a, 'unit_level': b}
    for a, b in zip(logits, levels, strict=True)
  ]
  found = action_units.mean(outs, np.array([2.0]), None)
  np.testing.assert_allclose(found['p'], [[(0.5 + 0.75) / 2]])
  np.testing.assert_allclose(found['level'], [[2 * 0.15]])
  np.testing.assert_allclose(found['side'], [[1]])
  own = {'odds': [3.0], 'level': [2.0], 'side': [5.0]}
  again = action_units.mean(outs, np.array([2.0]), own)
  np.testing.assert_allclose(again['p'], [[3 * 0.625 / (3 * 0.625 + 0.375)]])
  np.testing.assert_allclose(again['level'], [[0.6]])
  np.testing.assert_allclose(again['side'], [[1]])


def test_a_calibration_keeps_each_order_and_each_sign():
  plain = drawn()
  found = action_units.calibrated(plain, UNITS)
  shown = np.random.default_rng(1).random(200) < plain['p'][:, 1]
  for name in plain:
    np.testing.assert_array_equal(
      np.argsort(found[name], axis=0), np.argsort(plain[name], axis=0)
    )
  assert ranked.auc(found['p'][:, 1], shown) == ranked.auc(
    plain['p'][:, 1], shown
  )
  assert ((found['p'] > 0) & (found['p'] < 1)).all()
  np.testing.assert_array_equal(np.sign(found['side']), np.sign(plain['side']))
  assert 0.8 < abs(found['side']).max() < 1
  alone = action_units.stretched(np.array([1, -1, 0.0]), 9.0)
  np.testing.assert_array_equal(alone, [1, -1, 0])


def test_half_of_p_is_where_the_odds_say_and_ones_change_nothing():
  plain = drawn()
  found = action_units.calibrated(plain, UNITS)
  np.testing.assert_array_equal(
    found['p'][:, 1] > 0.5, plain['p'][:, 1] > 1 / (1 + 4)
  )
  for name in plain:
    np.testing.assert_allclose(found[name][:, 0], plain[name][:, 0])
  np.testing.assert_allclose(found['level'][:, 1], 3 * plain['level'][:, 1])
