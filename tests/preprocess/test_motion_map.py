"""The path from frames to a motion map, against exact truth."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from mefnet_jax.preprocess import (
  face_crop,
  faces,
  flow,
  images,
  motion_map,
  regions,
  registration,
)
from tests.fixtures import releases


def points(apart=40.0, deep=44.0, angle=0.0, centre=(90.0, 80.0)):
  """68 points whose eyes and mouth are known; the others do not matter."""
  cosine, sine = np.cos(angle), np.sin(angle)
  turn = np.array([[cosine, -sine], [sine, cosine]])
  made = np.zeros((68, 2))
  made[36:42], made[42:48] = (-apart / 2, 0), (apart / 2, 0)
  made[48:68] = (3.0, deep)  # a mouth beside the middle shears nothing
  return made @ turn.T + centre


@pytest.mark.parametrize('angle', [0.0, 0.4, -0.2])
@pytest.mark.parametrize(('apart', 'deep'), [(40.0, 44.0), (90.0, 70.0)])
def test_eyes_and_mouth_lie_in_their_cells(apart, deep, angle):
  found = face_crop.matrix(points(apart, deep, angle))
  inverse = cv2.invertAffineTransform(found)
  at = points(apart, deep, angle) @ inverse[:, :2].T + inverse[:, 2]
  cells = (at + 0.5) / 4 - 0.5
  np.testing.assert_allclose(cells[36:42], [[6.3, 7.7]] * 6, atol=1e-9)
  np.testing.assert_allclose(cells[42:48], [[21.0, 7.7]] * 6, atol=1e-9)
  np.testing.assert_allclose(cells[48:68, 1], 20.3, atol=1e-9)
  # A right angle stays one: nothing is sheared.
  assert abs(found[:, 0] @ found[:, 1]) < 1e-9


@pytest.mark.parametrize(
  'wrong', [points(apart=0.0), points(deep=-20.0)], ids=['no eyes', 'no mouth']
)
def test_points_of_no_face_are_said(wrong):
  with pytest.raises(ValueError, match='no face'):
    face_crop.matrix(wrong)


@pytest.mark.parametrize('step', [0.5, 1.3, 2.6])
def test_a_ramp_is_cut_exactly(step):
  x, y = np.meshgrid(np.arange(300), np.arange(320))
  ramp = (x // 2 + y // 4).astype(np.uint8)
  where = np.array([[step, 0, 4.3], [0, step, 8.7]])
  column, row = np.meshgrid(*2 * [step * np.arange(face_crop.SIDE)])
  wanted = (column + 4.3) / 2 - 0.25 + (row + 8.7) / 4 - 0.375
  cut = face_crop.cut(ramp, where)
  assert cut.dtype == np.uint8 and cut.shape == (112, 112)
  np.testing.assert_allclose(cut.astype(float), wanted, atol=1.3)
  assert abs((cut - wanted).mean()) < 0.25  # rounded twice


def test_a_registered_crop_is_that_of_the_first_frame():
  image = releases.texture()
  turn = cv2.getRotationMatrix2D((90, 90), 2.0, 1.0)
  turn[:, 2] += 0.7, -1.3
  moved = cv2.warpAffine(image, turn, image.shape, flags=cv2.INTER_CUBIC)
  first, second = (np.rint(i).astype(np.uint8) for i in (image, moved))
  where = face_crop.matrix(points())
  one = face_crop.cut(first, where).astype(float)
  other = face_crop.cut(second, where, turn)
  assert np.abs(other - one)[8:-8, 8:-8].mean() < 1
  assert np.abs(face_crop.cut(second, where) - one).mean() > 4


@pytest.mark.parametrize('shift', [(1.0, 0.0), (0.0, -0.5), (0.4, 0.3)])
def test_a_shift_comes_back_in_shares_of_the_eyes(shift):
  """Across the eyes' distance is the unit; down, the crop's own scale."""
  where = face_crop.matrix(points(apart=50.0, deep=50.0))
  image = releases.texture()
  moved = ndimage.shift(image, shift[::-1], order=5, mode='nearest')
  crops = [
    face_crop.cut(np.rint(i).astype(np.uint8), where) for i in (image, moved)
  ]
  found = motion_map.between(*crops)
  assert found.shape == (28, 28, 2) and found.dtype == np.float32
  squeezed = (20.3 - 7.7) / 14.7
  wanted = np.array([shift[0] / 50, shift[1] / 50 * squeezed])
  inner = found[4:-4, 4:-4].reshape(-1, 2).mean(0)
  np.testing.assert_allclose(inner, wanted, atol=6e-4)


def test_no_motion_is_none():
  crop = face_crop.cut(releases.texture().astype(np.uint8), np.eye(2, 3))
  np.testing.assert_allclose(motion_map.between(crop, crop), 0, atol=1e-6)


def test_the_motion_of_a_rendered_face_comes_back(rendered, tiny_smic):
  """Through detector, registration and flow: as the exact flow, cell by cell.

  Less what registration removes. These faces are small (eyes 41 pixels apart)
  and move by a pixel: no estimator gives all of that back.
  """
  alike = []
  for row in rendered:
    name = row.frames[0].parent.name
    truth = np.load(tiny_smic.with_name('smic_truth') / f'{name}.npz')
    numbers = truth['frames'].tolist()
    pair = [
      images.read(row.frames[numbers.index(truth[at])], colour=False)
      for at in ('onset', 'apex')
    ]
    greys = [image.squeeze() for image in pair]
    face = faces.find(greys[0])
    (_, there), _ = registration.ecc(
      greys, registration.box(face, greys[0].shape)
    )
    where = face_crop.matrix(face.points)
    crops = [
      face_crop.cut(greys[0], where),
      face_crop.cut(greys[1], where, there),
    ]
    found = motion_map.between(*crops)
    exact = in_crop(truth['flow'].astype(np.float32), where, there)
    alike.append(np.corrcoef(found.ravel(), exact.ravel())[0, 1])
  assert np.median(alike) > 0.75 and np.min(alike) > 0.45, alike


def in_crop(exact, where, there):
  """A flow in pixels of the image, less the registration's, as a map."""
  y, x = np.mgrid[: exact.shape[0], : exact.shape[1]].astype(np.float32)
  rest = np.stack([x, y], -1) @ (there[:, :2] - np.eye(2)).T + there[:, 2]
  still = (exact - rest) @ np.linalg.inv(where[:, :2]).T / face_crop.EYES
  cut = regions.cut(still.astype(np.float32), where, face_crop.SIDE)
  return cv2.resize(cut, (28, 28), interpolation=cv2.INTER_AREA)


def test_the_middle_of_an_expression_is_not_moved_by_a_blink():
  course = np.concatenate([np.linspace(0, 1, 6), np.ones(8), [0.8, 0.5]])
  shape = np.random.default_rng(0).normal(size=(28, 28, 2))
  flows = course[:, None, None, None] * shape
  flows[8] += 50.0
  np.testing.assert_allclose(motion_map.middle(flows), shape)
  np.testing.assert_array_equal(motion_map.middle(flows[3:4]), flows[3])


def test_the_unit_is_that_of_the_flow():
  """A map holds the flow's shares of the crop in shares of the eyes."""
  crops = np.stack([releases.texture(112), releases.texture(112, seed=0)])
  crops[1] = np.roll(crops[0], 1, axis=1)
  whole = flow.to_each(crops, 'dis')[1] * 112 / face_crop.EYES
  found = motion_map.between(*crops.astype(np.uint8))
  np.testing.assert_allclose(found.mean((0, 1)), whole.mean((0, 1)), atol=1e-3)
