"""The list of data sets."""

import pytest

from mefnet_jax.datasets import builders, registry
from mefnet_jax.runs import errors, plugins


def test_each_data_set_has_a_builder():
  ours = {n for n in registry.DATASETS if not plugins.is_own('data set', n)}
  assert builders.BUILDERS.keys() == ours
  for name in ours:
    assert builders.find(name).RELEASE == name
  with pytest.raises(errors.UserError, match='dataset.name=.samm'):
    builders.find('samm')


@pytest.mark.parametrize(
  'subset, part',
  [
    ('hs', '/HS/s2/'),
    ('nir', '/NIR/s2/'),
    ('all', '/HS/s2/'),
    ('vis_long', 'SMIC-HS-E/'),
    ('hd', '/HS/s2/'),
  ],
)
def test_the_tree_is_that_of_the_subset(subset, part):
  assert part in registry.tree('smic', subset)


def test_the_tree_of_a_data_set_without_subsets_is_one():
  for name in ('cas_me2', 'megc_flow', 'folder'):
    assert registry.tree(name, 'hs') == registry.tree(name, 'vis')


def test_options_are_those_of_the_data_set_that_reads_them():
  registry.check('smic', images='raw', labels='self_report')
  with pytest.raises(errors.UserError, match='images=.raw'):
    registry.check('cas_me2', images='raw')
  # No data set has such labels, so this is a spelling mistake.
  with pytest.raises(errors.UserError, match='labels=.self'):
    registry.check('smic', labels='self')
