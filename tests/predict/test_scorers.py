"""Scorers: any number of windows, in batches of one size."""

import numpy as np

import mefnet_jax
from mefnet_jax.predict import scorers
from tests.fixtures import motion_maps


def test_more_windows_than_a_batch_are_scored_as_one_by_one():
  model = mefnet_jax.load('mefnet-zero')
  maps = motion_maps.stored(5)[..., :2].astype(np.float32)
  found = scorers.scorer(model, at_once=2).moments(maps)
  alone = scorers.scorer(model, at_once=1)
  for k in range(5):
    one = alone.moments(maps[k : k + 1])
    np.testing.assert_allclose(
      found.expression[k], one.expression[0], rtol=1e-4
    )
    np.testing.assert_allclose(found.returning[k], one.returning[0], rtol=1e-4)
    for name, x in one.units.items():
      np.testing.assert_allclose(found.units[name][k], x[0], atol=1e-3)
  assert len(found.expression) == 5 and np.ptp(found.expression) > 0
