"""The motion basis: exact, framed as the public maps are, made once."""

import cv2
import numpy as np
import pytest

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import (
  emotions,
  framing,
  identity,
  motion_basis,
  prototypes,
)
from mefnet_jax.synthetic import head as heads

CONVENTION = framing.CONVENTIONS['megc2019']


@pytest.fixture(scope='module')
def person():
  return motion_basis.of_identity(0, 0, CONVENTION)[0]


def at(name):
  return motion_basis.motions().index(name)


def test_a_sum_of_motions_is_the_flow_of_the_face_that_makes_them_all(person):
  weights = {'mouthSmileLeft': 0.1, 'browInnerUp': 0.15, 'noseSneerRight': 0.1}
  rng = np.random.default_rng([0, 0, *b'motion basis'])
  points = identity.person(rng).points
  start = np.zeros(5)
  start[:3] = rng.normal(0, CONVENTION.pose)
  camera = CONVENTION.camera(points, rng)
  pose = start + (0.004, -0.003, 0.005, 0.3, -0.2)
  before = cameras.surface(points, {}, start, camera)
  after = cameras.surface(points, weights, pose, camera)
  flow, inside = cameras.flow(before, after, camera)
  small = (motion_basis.SIDE, motion_basis.SIDE)
  true = cv2.resize(
    flow.astype(np.float32), small, interpolation=cv2.INTER_AREA
  )
  whole = cv2.resize(
    inside.astype(np.float32), small, interpolation=cv2.INTER_AREA
  )
  made = sum(weight * person[at(name)] for name, weight in weights.items())
  moves = zip(motion_basis.POSE[:5], pose - start, strict=True)
  made += sum(move * person[at(name)] for name, move in moves)
  assert np.linalg.norm(true, axis=-1).max() > 0.5
  np.testing.assert_allclose(made[whole == 1], true[whole == 1], atol=0.03)


def test_sides_and_directions_are_those_of_the_picture(person):
  """The person's left is the right of the picture; y points down."""
  far = np.linalg.norm(person, axis=-1)
  half = motion_basis.SIDE // 2
  left, right = far[at('mouthSmileLeft')], far[at('mouthSmileRight')]
  assert left[:, half:].sum() > 5 * left[:, :half].sum()
  assert right[:, :half].sum() > 5 * right[:, half:].sum()
  assert far[at('browInnerUp')].argmax() < motion_basis.SIDE * half
  assert person[at('browInnerUp'), ..., 1].min() < -1
  middle = (slice(8, 20), slice(8, 20))
  for name, axis in (('x', 0), ('y', 1)):
    shift = person[at(name)][middle]
    np.testing.assert_allclose(shift[..., axis], 1, atol=0.1)
    np.testing.assert_allclose(shift[..., 1 - axis], 0, atol=1e-3)


def test_the_flow_goes_on_beside_the_head(person):
  """A turn of the head moves every cell, those of the wall too."""
  assert (np.linalg.norm(person[at('yaw')], axis=-1) > 1).all()


@pytest.mark.parametrize('name', ['megc2019', 'megc2019_samm'])
def test_faces_are_framed_from_brow_to_chin(name):
  convention = framing.CONVENTIONS[name]
  crops = [
    convention.camera(None, np.random.default_rng(k)) for k in range(200)
  ]
  heights = np.array([c.eyes[1] / c.size[0] for c in crops])
  low, high = convention.eyes
  assert low <= heights.min() < low + 0.02 and high - 0.02 < heights.max()
  assert heights.max() <= high
  across = np.array([c.eyes[0] / (c.size[1] - 1) for c in crops])
  assert abs(across.mean() - 0.5) < 0.01
  # The eyes' middles, .31 dm to each side, at columns 6.3 and 21 of 28.
  apart = np.array([2 * 0.31 * c.scale / c.size[1] * 28 for c in crops])
  assert 11 < np.median(apart) < 15


def test_the_products_crop_puts_eyes_and_mouth_in_their_cells():
  exact = framing.ByLandmarks(eyes=0, mouth=0)
  head = heads.load()
  for k in range(3):
    points = identity.person(np.random.default_rng(k)).points
    camera = exact.camera(points, np.random.default_rng(k))
    at = camera.project(points)
    cells = (at + 0.5) / camera.size[::-1] * 28 - 0.5
    right, left = (
      cells[head.part == eye].mean(0)
      for eye in (heads.RIGHT_EYE, heads.LEFT_EYE)
    )
    # dlib sees the eyes .025 of their distance below the eyeballs' middles.
    down = 0.025 * 14.7 * camera.size[1] / camera.size[0]
    np.testing.assert_allclose(right, (6.3, 7.7 - down), atol=0.25)
    np.testing.assert_allclose(left, (21.0, 7.7 - down), atol=0.25)
    mouth = np.linalg.norm(head.rest - (0, -0.678, 0.281), axis=1).argmin()
    np.testing.assert_allclose(cells[mouth, 1], 20.3, atol=0.4)


def test_a_lid_that_closes_sweeps_over_the_eye(person):
  """And who comes nearer grows, away from the middle of the face."""
  lids = person[at('eyeBlinkLeft')] + person[at('eyeBlinkRight')]
  far = np.linalg.norm(lids, axis=-1)
  row, column = np.unravel_index(far.argmax(), far.shape)
  assert lids[row, column, 1] > 0.9 * far.max()
  assert (far[row - 1 : row + 2, column] > 0.3 * far.max()).sum() >= 2
  near = person[at('z')]
  assert near[4:20, -8:, 0].mean() > 0 > near[4:20, :8, 0].mean()
  assert near[-6:, 8:20, 1].mean() > 0


def test_what_was_made_is_read_again_to_the_bit(tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path))
  asked = dict(seed=1, count=2)
  made = motion_basis.load('megc2019', **asked)
  assert made.flow.shape == (2, len(motion_basis.motions()), 28, 28, 2)
  monkeypatch.setattr(motion_basis, 'of_identity', None)
  again = motion_basis.load('megc2019', **asked)
  np.testing.assert_array_equal(made.flow, again.flow)
  np.testing.assert_array_equal(made.scale, again.scale)
  monkeypatch.undo()
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'other'))
  second = motion_basis.load('megc2019', seed=1, first=1, count=1)
  np.testing.assert_array_equal(second.flow[0], made.flow[1])


def test_prototypes_are_shares_of_known_units():
  units, share = prototypes.table()
  assert units.shape == (3, 19, 19) and share.shape == (3, 19)
  np.testing.assert_allclose(share.sum(1), 1, rtol=1e-6)
  assert (units.any(-1) == (share > 0)).all()
  brows = prototypes.CLASSES.index('surprise'), 0
  both = [prototypes.AUS.index(1), prototypes.AUS.index(2)]
  assert np.flatnonzero(units[brows]).tolist() == both
  assert share[brows] == pytest.approx(0.45)


def test_both_sides_of_an_action_unit_are_all_of_it():
  plain, other = prototypes.motions().sum(1)
  for a, unit in enumerate(prototypes.AUS):
    shares = emotions.ACTION_UNITS[unit]
    for sides, own in (
      (plain, shares),
      (other, prototypes.FORMS.get(unit, shares)),
    ):
      for name, part in own.items():
        ends = ('Left', 'Right') if name.endswith('*') else ('',)
        for end in ends:
          assert sides[a, at(name.rstrip('*') + end)] == pytest.approx(part)
