"""What a rendered clip truly moves, and how a model's levels are judged."""

import dataclasses
import types

import numpy as np
import pytest

import mefnet_jax
from experiments import serving_table, serving_truth
from mefnet_jax.preprocess import face_crop
from mefnet_jax.synthetic import camera, identity, studio

_WHO = np.array(['a', 'a', 'b', 'b'])


def _points(scale):
  """68 landmarks of a face whose eyes are `scale` pixels apart."""
  points = np.zeros((68, 2))
  points[36:42], points[42:48] = (0, 0), (scale, 0)
  points[48:68] = (scale / 2, 1.1 * scale)
  return points + (20, 60)


def test_a_motion_by_the_distance_of_the_eyes_is_one():
  where = face_crop.matrix(_points(60.0))
  flow = np.broadcast_to(np.array([60.0, 0.0]), (168, 136, 2))
  cells = serving_truth.shares(flow, where)
  np.testing.assert_allclose(cells[..., 0], 1, atol=1e-5)
  np.testing.assert_allclose(cells[..., 1], 0, atol=1e-5)


def test_how_far_a_unit_reaches_does_not_depend_on_the_size_of_the_face():
  person = identity.person(np.random.default_rng(3))
  far = [
    serving_truth.reach(
      person.points,
      12,
      camera.Camera((size[0], size[1]), scale, (scale, 1.1 * scale)),
      face_crop.matrix(_points(0.95 * scale) - 20 + (scale / 2, scale / 2)),
    )
    for size, scale in (((168, 136), 66.0), ((336, 272), 132.0))
  ]
  assert far[0] == pytest.approx(far[1], rel=0.02)
  assert far[0] > 0.05  # a whole smile, in shares of the eyes' distance


@pytest.fixture
def smile(tmp_path, monkeypatch):
  """A clip that expresses AU12, and the folder of its release."""
  (tmp_path / 'SYNTHETIC.txt').write_text('SYNTHETIC release, seed 7, of us.')
  shot = types.SimpleNamespace(dataset='smic', subject=1, camera=None)
  monkeypatch.setattr(serving_truth, '_shots', lambda *_: {'c': shot})
  monkeypatch.setattr(
    studio, 'identity_of', lambda *_: types.SimpleNamespace(points=None)
  )
  monkeypatch.setattr(serving_truth, 'reach', lambda *_: 0.2)
  intensity = np.zeros((3, 19), np.float16)
  at = serving_truth.emotions.AUS.index(12)
  intensity[:, at] = (0.1, 0.6, 0.3)
  right = np.ones(19, np.float16)
  right[at] = 0.5
  truth = {
    'clip': np.array('c'),
    'frames': np.array([5, 6, 7]),
    'apex': np.array(6),
    'expressed': np.array([12]),
    'intensity': intensity,
    'right': right,
  }
  return truth, tmp_path


def test_level_and_side_are_those_from_the_onset_to_the_apex(smile):
  truth, root = smile
  (found,) = serving_truth.moved(truth, root, 'smic', None)
  # .5 on the left and .25 on the right, of .2; a third more on the left.
  np.testing.assert_allclose(found, (0.375 * 0.2, 1 / 3), rtol=1e-3)


def test_levels_are_judged_where_a_unit_is_shown():
  said, true = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1.0, 2.0, 3.0, 4.0])
  made = serving_table._level(said, true, _WHO)
  assert made['error'][0] == pytest.approx(0.25)
  assert made['correlation'][0] == pytest.approx(np.corrcoef(said, true)[0, 1])
  assert (made['level'], made['true']) == (2.75, 2.5)


def test_the_mean_over_units_is_of_scores_without_their_intervals():
  units = [
    {'f1': [0.2, 0.1, 0.3], 'level': 1.0},
    {'f1': [0.6, 0, 1], 'level': 3},
  ]
  assert serving_table._mean(units) == pytest.approx({'f1': 0.4, 'level': 2.0})


NO = {'calibration': None}


def test_a_model_is_asked_without_the_calibration_of_its_units_too():
  model = mefnet_jax.load('mefnet-zero')
  plain = serving_table.uncalibrated(model)
  assert model.unit_calibration and plain.unit_calibration is None
  assert plain.temperature == model.temperature
  again = serving_table.uncalibrated(
    dataclasses.replace(plain, description={**plain.description, **NO})
  )
  assert again.unit_calibration is None


def test_a_side_is_right_where_the_model_names_the_one_that_moves_more():
  clips = [
    types.SimpleNamespace(
      subject=who, expressed=(4,), moved=np.array([[1.0, side]])
    )
    for who, side in zip('aabb', (0.5, -0.5, 0.01, 0.5), strict=True)
  ]
  model = types.SimpleNamespace(
    network=types.SimpleNamespace(action_units=(4,))
  )
  said = np.array([[0.2], [-0.1], [-0.9], [-0.3]])  # the third is even
  made = serving_table._sides(model, clips, said)
  assert made['uneven'] == 3
  assert made['right'][0] == pytest.approx(2 / 3)
