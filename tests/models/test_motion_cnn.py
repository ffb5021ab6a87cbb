"""MEFNet-2D for motion maps: parts, fusion, attention, and the mirror."""

import jax
import numpy as np
import pytest

from configs import mefnet_zero
from mefnet_jax import models
from mefnet_jax.models import motion_input
from tests.fixtures import networks


def build(variant, **fields):
  described = mefnet_zero.get_config(variant).model.to_dict()
  described |= {'action_units': (1, 12), 'filters': 4, 'hidden': (8,), **fields}
  return models.build(described.pop('name'), num_classes=3, **described)


@pytest.fixture(scope='module')
def maps():
  x = np.random.default_rng(0).normal(size=(4, 1, 14, 14, 2))
  return x.astype(np.float32)


def drawn(network, maps):
  """Random weights; biases of zero, as at the start of a training."""
  params = networks.random_params(network, {'face': maps})
  return {
    'params': jax.tree_util.tree_map_with_path(
      lambda path, x: x * (path[-1].key != 'bias'), params
    )
  }


def leaves(network, maps):
  """Names of all parameters, with their sizes."""
  made = jax.eval_shape(network.init, jax.random.key(0), {'face': maps})
  flat = jax.tree_util.tree_flatten_with_path(made['params'])[0]
  return {jax.tree_util.keystr(path): x.size for path, x in flat}


@pytest.mark.parametrize(
  'variant, channel, spatial',
  [('base', 0, 0), ('cam', 1, 0), ('stam', 0, 1), ('mefnet', 1, 1)],
)
def test_each_variant_has_its_attention_and_no_other(
  variant, channel, spatial, maps
):
  found = leaves(build(variant), maps)
  assert any("['channel']" in name for name in found) == bool(channel)
  assert any("['spatial']" in name for name in found) == bool(spatial)
  # 14 - 2 = 12 cells, halved; both attentions double the channels.
  pooled = 6 * 6 * 4 * max(channel + spatial, 1)
  assert found["['dense']['Dense_0']['kernel']"] == pooled * 8


@pytest.mark.parametrize(
  'variant', ['late', pytest.param('intermediate', marks=pytest.mark.slow)]
)
def test_each_half_is_seen_by_its_own_trunk_alone(variant, maps):
  network = build(variant)
  params = drawn(network, maps)

  @jax.jit
  def features(x):
    # Trained on: the mirror's answer is not mixed in; no drop-out.
    return network.apply(params, {'face': x}, train=False)[1]['features']

  above = maps.copy()
  above[:, :, :5] += 1  # rows that the mouth's half does not hold
  assert abs(features(above) - features(maps)).max() > 1e-3
  if variant == 'late':
    changed = np.abs(features(above) - features(maps)).max(0)
    assert changed[:8].max() > 1e-3 and not changed[8:].any()
    below = maps.copy()
    below[:, :, 9:] += 1
    changed = np.abs(features(below) - features(maps)).max(0)
    assert changed[8:].max() > 1e-3 and not changed[:8].any()


def test_intermediate_fusion_weighs_the_halves_alike(maps):
  """A half that moves a hundred times as far counts no more than before."""
  network = build('intermediate', channel_attention=False)
  network = network.clone(spatial_attention=False)
  params = drawn(network, maps)
  kernels = params['params']['eyes_trunk']['conv']
  larger = {**kernels, 'kernel': 100 * kernels['kernel']}
  trunk = {**params['params']['eyes_trunk'], 'conv': larger}
  other = {'params': {**params['params'], 'eyes_trunk': trunk}}
  apply = jax.jit(network.apply)
  np.testing.assert_allclose(
    apply(params, {'face': maps})[0],
    apply(other, {'face': maps})[0],
    atol=1e-4,
  )


@pytest.mark.parametrize(
  'variant',
  [
    'late',  # both halves with all that `mefnet` has
    pytest.param('mefnet', marks=pytest.mark.slow),
    pytest.param('residual', marks=pytest.mark.slow),
  ],
)
def test_a_mirror_image_gets_the_same_answer_with_the_sides_changed(
  variant, maps
):
  network = build(variant, returning=True)
  params, apply = drawn(network, maps), jax.jit(network.apply)
  logits, out = apply(params, {'face': maps})
  other, mirrored = apply(params, {'face': motion_input.mirrored(maps)})
  np.testing.assert_allclose(logits, other, atol=1e-5)
  np.testing.assert_allclose(
    out['unit_level'], mirrored['unit_level'][..., ::-1], atol=1e-5
  )
  np.testing.assert_allclose(out['returning'], mirrored['returning'], atol=1e-5)
  assert logits.shape == (4, 3) and out['returning'].shape == (4,)
  assert abs(out['unit_level'][..., 0] - out['unit_level'][..., 1]).max() > 1e-3


def test_dropout_follows_from_the_clips_key_alone(maps):
  network = build('mefnet', dropout=0.5)
  params = drawn(network, maps)
  key = jax.random.split(jax.random.key(3), 4)
  apply = jax.jit(network.apply, static_argnames='train')

  def logits(index):
    batch = {'face': maps[index], 'key': key[index]}
    return apply(params, batch, train=True)[0]

  np.testing.assert_allclose(
    logits(np.array([2, 0, 3, 3]))[:2],
    logits(np.arange(4))[np.array([2, 0])],
    atol=1e-5,
  )
  assert (
    abs(logits(np.arange(4)) - apply(params, {'face': maps})[0]).max() > 1e-3
  )


@pytest.mark.parametrize(
  'fields, said',
  [
    ({'parts': ('eyes', 'ears')}, 'ears'),
    ({'parts': ()}, 'one or more'),
    ({'fusion': 'early'}, 'fusion'),
    ({'streams': ('eyes', 'mouth')}, 'looks at one'),
  ],
)
def test_fields_that_make_no_sense_are_named(fields, said, maps):
  network = build('mefnet', **fields)
  with pytest.raises(ValueError, match=said):
    leaves(network, maps)
