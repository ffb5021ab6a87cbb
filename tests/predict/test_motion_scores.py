"""What a model says of maps: the same as by any other way to ask it."""

import dataclasses

import numpy as np
import pytest

import mefnet_jax
from mefnet_jax.models import motion_input
from mefnet_jax.predict import action_units, motion_scores
from mefnet_jax.runs import errors
from tests.fixtures import motion_maps


@pytest.fixture(scope='module')
def model():
  return mefnet_jax.load('mefnet-zero')


def test_it_is_what_the_model_says_of_the_same_maps(model):
  maps = motion_maps.stored(5)
  found = motion_scores.score(model, maps[..., :2].astype(np.float32))
  wanted = model.probabilities({'face': maps[:, None]})
  np.testing.assert_allclose(found.classes, wanted, atol=1e-5)
  each = [
    model.probabilities({'face': maps[:, None]}, fold=fold, seed=seed)
    for fold, seed in model.members
  ]
  np.testing.assert_allclose(found.spread, np.std(each, 0), atol=1e-5)
  units = len(model.network.action_units)
  assert all(x.shape == (5, units) for x in found.units.values())
  assert ((found.expression > 0) & (found.expression < 1)).all()


def test_action_units_are_calibrated_and_those_of_older_models_are_not(model):
  maps = motion_maps.stored(5)
  outs = [out for _, out in model.answers({'face': maps[:, None]})]
  flow = maps[..., :2].astype(np.float32)
  scale = np.asarray(motion_input.scale(motion_input.halved(flow)))
  found = motion_scores.score(model, flow).units
  plain = action_units.mean(outs, scale, None)
  for name, x in action_units.calibrated(plain, model.unit_calibration).items():
    np.testing.assert_allclose(found[name], x, rtol=1e-3, atol=5e-3)
    assert abs(found[name] - plain[name]).max() > 0.05
  described = dict(model.description)
  described['calibration'] = {'temperature': 0.9, 'threshold': 0.5}
  for old in (described, {**described, 'calibration': None}):
    older = dataclasses.replace(model, description=old)
    assert older.unit_calibration is None and older.temperature in (0.9, 1)


def test_a_map_is_scored_as_among_others(model):
  maps = motion_maps.stored(5)[..., :2].astype(np.float32)
  whole = motion_scores.score(model, maps)
  for k in (0, 3):
    alone = motion_scores.score(model, maps[k : k + 1])
    np.testing.assert_allclose(alone.classes[0], whole.classes[k], atol=1e-6)


def test_levels_grow_with_the_motion_and_nothing_else_does(model):
  maps = motion_maps.stored(5, 1)[..., :2].astype(np.float32) / 1e4
  once, twice = (motion_scores.score(model, k * maps) for k in (1, 2))
  np.testing.assert_allclose(
    twice.units['level'], 2 * once.units['level'], rtol=1e-3, atol=1e-6
  )
  np.testing.assert_allclose(twice.classes, once.classes, atol=1e-3)


def test_in_a_mirror_left_is_right(model):
  maps = motion_maps.stored(5, 2)[..., :2].astype(np.float32)
  mirrored = maps[:, :, ::-1] * (-1, 1)
  one, other = (
    motion_scores.score(model, x.astype(np.float32)) for x in (maps, mirrored)
  )
  np.testing.assert_allclose(one.classes, other.classes, atol=1e-2)
  there = one.units['level'] > 0.1 * one.units['level'].max()
  sides = one.units['side'][there], -other.units['side'][there]
  np.testing.assert_allclose(*sides, atol=2e-2)


def test_a_model_of_another_input_is_refused_in_a_line(tiny_run):
  other = mefnet_jax.load(tiny_run / 'model')
  with pytest.raises(errors.UserError, match='needs .*, not motion maps'):
    motion_scores.score(other, np.zeros((1, 28, 28, 2), np.float32))
