"""The study of networks that have seen no real face: what it compares."""

import jax.numpy as jnp
import numpy as np

from experiments import zero_tables, zero_variants


def test_networks_are_compared_with_the_base_and_recipes_with_the_whole_one():
  made = zero_tables.pairs(
    zero_variants.VARIANTS, tuple(zero_variants.VARIANTS)
  )
  others = [name for name in zero_variants.NETWORKS if name != 'base']
  assert made == [
    *(('base', name) for name in others),
    *(('mlp', name) for name in zero_variants.RECIPES),
  ]
  assert zero_tables.pairs(zero_variants.VARIANTS, ('cam', 'u-alone')) == []


def test_each_seed_and_their_mean_are_a_look_at_the_labels():
  label = np.array([0, 1, 2, 0, 1, 2])
  right = np.eye(3)[label]
  wrong = np.roll(right, 1, axis=1)
  found = zero_tables.scored(
    label, np.stack([right, right, wrong]), ['a', 'a', 'a', 'b', 'b', 'b']
  )
  assert found['looks'] == 4 and found['people'] == 2
  assert found['scores']['uar'] == 1.0  # two of three outvote the third
  assert [one['uar'] for one in found['seeds']] == [1.0, 1.0, 0.0]
  assert found['intervals']['uar'] == [1.0, 1.0]


def test_ways_of_seeing_take_away_what_they_say():
  maps = jnp.array(np.random.default_rng(0).normal(size=(2, 14, 14, 2)))
  ways = zero_variants.WAYS
  assert not ways['u alone'](maps)[..., 1].any()
  assert not ways['v alone'](maps)[..., 0].any()
  stretched = np.asarray(ways['stretched'](5 * maps + 3))
  np.testing.assert_allclose(stretched.min((1, 2)), -0.5, atol=1e-5)
  np.testing.assert_allclose(stretched.max((1, 2)), 0.5, atol=1e-5)
