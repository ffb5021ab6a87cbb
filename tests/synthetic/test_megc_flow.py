"""The maps of the MEGC2019 layout: framed as the public ones, exact flow."""

import functools

import numpy as np
import pytest

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import megc_flow, studio


@functools.lru_cache(maxsize=1)
def people():
  """A shot of each of the 68 people."""
  return {shot.person: shot for shot in megc_flow.plan(3).shots}.values()


def cells(shot, where):
  """Column and row of 28, by centres, of the mean of some vertices."""
  person = studio.identity_of(3, shot.dataset, shot.subject)
  x, y = shot.camera.project(person.points[where]).mean(0)
  rows, columns = shot.camera.size
  return (x + 0.5) * 28 / columns - 0.5, (y + 0.5) * 28 / rows - 0.5


def test_faces_are_framed_from_brow_to_chin():
  """Eyes half a map apart, in the upper third; SAMM's higher than others'."""
  part = heads.load().part
  right, left = (
    np.array([cells(shot, part == eye) for shot in people()])
    for eye in (heads.RIGHT_EYE, heads.LEFT_EYE)
  )
  middle, apart = (right + left) / 2, left[:, 0] - right[:, 0]
  np.testing.assert_allclose(middle[:, 0], 13.5, atol=2)
  assert 11.5 < apart.mean() < 15  # a whole head has them 8 apart
  samm = np.array([shot.database == 'samm' for shot in people()])
  rows = middle[:, 1]
  assert (28 * 0.24 - 1 < rows[~samm]).all() and (rows < 28 * 0.31).all()
  assert rows[samm].mean() < rows[~samm].mean() - 1


def test_a_person_has_one_crop():
  shots = megc_flow.plan(3).shots
  crops = {(shot.person, shot.camera) for shot in shots}
  assert len(crops) == len({shot.person for shot in shots}) == 68
  few = megc_flow.plan(3, clips=1, subjects=4).shots
  assert {(shot.person, shot.camera) for shot in few} <= crops


@pytest.fixture(scope='module')
def turned():
  """A head in the middle of a large picture, before and after it moves."""
  camera = cameras.Camera((72, 80), 16.0, (39.5, 30.0))
  points = studio.identity_of(0, 'megc_flow_samm', 1).points
  ends = [
    cameras.surface(points, {'mouthSmileLeft': k / 4}, k * pose, camera)
    for k, pose in enumerate(2 * [np.array([0.02, 0.01, 0.03, 0.5, -1.0])])
  ]
  return *ends, camera


def test_the_flow_of_the_head_is_exact(turned):
  truth, person = cameras.flow(*turned)
  found = megc_flow._flow(*turned)
  assert 0.1 < person.mean() < 0.9
  np.testing.assert_allclose(found[person], truth[person], atol=1e-5)


def test_beside_the_head_the_flow_goes_on(turned):
  """No edge that an estimator would not see, and nothing made up."""
  found = megc_flow._flow(*turned)
  _, person = cameras.flow(*turned)
  inside = found[person]
  beside = found[~person]
  assert (beside <= inside.max(0) + 1e-5).all()
  assert (beside >= inside.min(0) - 1e-5).all()
  step = np.abs(np.diff(found, axis=1)).max(-1)
  edge = person[:, 1:] != person[:, :-1]
  assert step[edge].max() < 0.5 * np.linalg.norm(inside, axis=1).max()
  assert np.linalg.norm(beside, axis=1).min() > 0
