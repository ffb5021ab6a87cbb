"""The weights that ship with the package."""

import json
import shutil

import numpy as np
import pytest

import mefnet_jax
from configs import mefnet_zero
from mefnet_jax.runs import errors
from mefnet_jax.training import synthetic_maps
from tests.fixtures import motion_maps


def test_the_shipped_model_opens_by_its_name():
  model = mefnet_jax.load('mefnet-zero')
  assert model.synthetic and model.description['training']['real_clips'] == 0
  assert [seed for _, seed in model.members] == list(range(9))
  assert sum(f.stat().st_size for f in model.folder.iterdir()) <= 5e6
  maps = motion_maps.stored(2)[:, None]
  np.testing.assert_allclose(model.probabilities({'face': maps}).sum(1), 1)


def test_the_shipped_weights_are_those_of_this_generator():
  """Whoever changes how maps are made makes the weights anew (docs/zero.md)."""
  training = mefnet_jax.load('mefnet-zero').description['training']
  assert training['generator'] == synthetic_maps.generator_digest()
  config = mefnet_zero.get_config('train').synthetic.to_dict()
  assert {name: training[name] for name in config} == {
    name: list(x) if isinstance(x, tuple) else x for name, x in config.items()
  }


def test_action_units_of_the_shipped_model_are_calibrated():
  calibration = mefnet_jax.load('mefnet-zero').description['calibration']
  worth = calibration['shown']['units'].pop('mean')
  assert worth['f1'][1] > worth['f1'][0] + 0.1
  assert abs(worth['level_bias'][1]) < 0.1 < abs(worth['level_bias'][0])
  for name in ('level_error', 'side_error'):
    assert worth[name][1] < worth[name][0] - 0.05
  each = [own['f1'] for own in calibration['shown']['units'].values()]
  assert len(each) == 19 and min(new - old for old, new in each) > -0.03


def test_another_name_is_refused_in_a_line():
  with pytest.raises(errors.UserError, match='no such folder'):
    mefnet_jax.load('mefnet-none')


def test_maps_in_another_order_are_refused_in_a_line():
  model = mefnet_jax.load('mefnet-zero')
  maps = motion_maps.stored(24)[:, None]
  for wrong, said in (
    (maps[..., ::-1], 'strain, v, u, not u, v, strain'),
    (maps[..., [1, 0, 2]], 'u and v are exchanged'),
  ):
    for ask in (model.probabilities, model.answers):
      with pytest.raises(errors.UserError, match=said):
        ask({'face': np.ascontiguousarray(wrong)})


def test_a_constant_map_is_counted_in_the_log(caplog):
  model = mefnet_jax.load('mefnet-zero')
  maps = motion_maps.stored(3)[:, None]
  maps[1] = 128
  with caplog.at_level('WARNING', logger='absl'):
    p = model.probabilities({'face': maps})
  assert '1 of 3 motion maps are constant' in caplog.text
  np.testing.assert_allclose(p.sum(1), 1)


def test_weights_of_another_version_are_refused_in_a_line(tmp_path):
  shipped = mefnet_jax.load('mefnet-zero').folder
  copy = shutil.copytree(shipped, tmp_path / 'zero')
  described = json.loads((copy / 'model.json').read_text())
  described['network']['hidden'] = [128, 32]
  (copy / 'model.json').write_text(json.dumps(described))
  maps = motion_maps.stored(2)[:, None]
  with pytest.raises(errors.UserError, match='weights of another network'):
    mefnet_jax.load(copy).probabilities({'face': maps})
  described['network']['attention'] = 'cam'
  (copy / 'model.json').write_text(json.dumps(described))
  with pytest.raises(errors.UserError, match='not a network of this version'):
    mefnet_jax.load(copy)
