"""Registration of frames, and crops cut through it."""

import cv2
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import ndimage

from mefnet_jax.preprocess import faces, regions, registration, spline
from tests.fixtures import releases


def moved(image, dx, dy, angle=0.0, size=140):
  """The middle of an image; its content moved, turned about the middle."""
  centre = (len(image) - 1) / 2
  matrix = cv2.getRotationMatrix2D((centre, centre), np.degrees(-angle), 1)
  matrix[:, 2] += dx, dy
  inverse = cv2.invertAffineTransform(matrix)
  start = (len(image) - size) // 2
  y, x = np.mgrid[start : start + size, start : start + size].astype(float)
  at_x, at_y = (a * x + b * y + c for a, b, c in inverse)
  return ndimage.map_coordinates(image, [at_y, at_x], order=5)


@pytest.mark.parametrize('box', [(20, 10, 120, 130), (0, 0, 140, 140)])
def test_ecc_finds_known_subpixel_motion(box):
  generator = np.random.default_rng(1)
  motions = [(0.0, 0.0, 0.0)] + [
    (*generator.uniform(-0.8, 0.8, 2), generator.uniform(-0.01, 0.01))
    for _ in range(5)
  ]
  frames = [
    np.rint(moved(releases.texture(), *m)).astype(np.uint8) for m in motions
  ]
  matrices, failed = registration.ecc(frames, box)
  assert not failed
  middle = np.array([69.5, 69.5, 1])
  for matrix, (dx, dy, angle) in zip(matrices, motions, strict=True):
    shift = matrix @ middle - middle[:2]
    np.testing.assert_allclose(shift, (dx, dy), atol=0.03)
    assert abs(np.arctan2(matrix[1, 0], matrix[0, 0]) - angle) < 5e-4


def test_ecc_to_another_frame_is_the_inverse():
  frames = [
    moved(releases.texture(), d, -d).astype(np.uint8) for d in (0, 0.5, 1)
  ]
  matrices, _ = registration.ecc(frames, (5, 5, 135, 135), reference=2)
  np.testing.assert_allclose(matrices[2], registration.identity())
  np.testing.assert_allclose(matrices[0][:, 2], (-1, 1), atol=0.05)


def test_where_ecc_finds_nothing_the_place_before_is_kept():
  frames = [
    moved(releases.texture(), d, 0).astype(np.uint8) for d in (0, 0.5, 0.5)
  ]
  frames[2] = np.full_like(frames[2], 90)
  matrices, failed = registration.ecc(frames, (5, 5, 135, 135))
  assert failed == [2]
  np.testing.assert_array_equal(matrices[2], matrices[1])


def face_points(scale=40.0, angle=0.0, centre=(80, 80)):
  """68 points of a schematic face whose eyes are `scale` pixels apart."""
  points = np.zeros((68, 2))
  t = np.linspace(0, np.pi, 17)
  points[:17] = np.stack([-np.cos(t), 0.2 + 1.5 * np.sin(t)], 1)
  points[17:27] = np.stack([np.linspace(-0.8, 0.8, 10), -0.35 * np.ones(10)], 1)
  points[27:36] = np.stack([np.zeros(9), np.linspace(0, 0.6, 9)], 1)
  ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
  eye = 0.15 * np.stack([np.cos(ring), 0.4 * np.sin(ring)], 1)
  points[36:42], points[42:48] = eye - (0.5, 0), eye + (0.5, 0)
  ring = np.linspace(0, 2 * np.pi, 20, endpoint=False)
  points[48:] = np.stack([0.4 * np.cos(ring), 1.1 + 0.1 * np.sin(ring)], 1)
  cosine, sine = np.cos(angle), np.sin(angle)
  turn = np.array([[cosine, -sine], [sine, cosine]])
  return faces.Landmarks(scale * points @ turn.T + centre)


@hypothesis.given(
  angle=st.floats(-0.5, 0.5), scale=st.floats(20, 200), size=st.integers(8, 64)
)
def test_face_crop_has_level_eyes_at_a_fixed_distance(angle, scale, size):
  landmarks = face_points(scale, angle)
  region = regions.face(landmarks, size)
  inverse = cv2.invertAffineTransform(region)
  left, right = (
    inverse[:, :2] @ landmarks.points[part].mean(0) + inverse[:, 2]
    for part in (slice(36, 42), slice(42, 48))
  )
  np.testing.assert_allclose(left[1], right[1], atol=1e-6 * size)
  np.testing.assert_allclose((right - left)[0], 0.38 * size, rtol=1e-6)


@pytest.mark.parametrize(
  ('region_of', 'parts'),
  [(regions.eyes, slice(17, 27)), (regions.eyes, slice(36, 48))]
  + [(regions.mouth, slice(48, 68))],
)
def test_crops_hold_their_landmarks(region_of, parts):
  landmarks = face_points(angle=0.3)
  inverse = cv2.invertAffineTransform(region_of(landmarks, 32))
  at = landmarks.points[parts] @ inverse[:, :2].T + inverse[:, 2]
  assert at.min() >= 0 and at.max() <= 31


@pytest.mark.parametrize('step', [0.4, 1.0, 2.6])
def test_a_ramp_is_cut_exactly_at_any_scale_and_shift(step):
  ramp = np.tile(np.arange(200, dtype=np.float32), (160, 1))
  shifts = np.linspace(0, 1, 37)
  for shift in shifts:
    region = np.array([[step, 0, 40 + shift], [0, step, 30.3]])
    wanted = step * np.arange(32) + 40 + shift
    cut = regions.cut(ramp, region, 32)
    np.testing.assert_allclose(cut, np.tile(wanted, (32, 1)), atol=1e-3)


def test_the_spline_is_that_of_scipy():
  image = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
  i, j = np.mgrid[:70, :110].astype(np.float32)
  x, y = 1.1 * j + 0.07 * i - 4.3, 1.4 * i - 0.05 * j - 3.1
  coefficients = ndimage.spline_filter(image, 3, np.float32, 'mirror')
  wanted = ndimage.map_coordinates(
    coefficients, [y, x], order=3, mode='nearest', prefilter=False
  )
  np.testing.assert_allclose(spline.read(image, x, y), wanted, atol=0.03)


def test_fine_texture_does_not_alias():
  stripes = np.tile(np.array([0, 255], np.uint8), (128, 64))
  region = np.array([[3.7, 0, 5], [0, 3.7, 5.0]])
  assert np.ptp(regions.cut(stripes, region, 30)) < 0.4 * 255
  point_samples = cv2.warpAffine(
    stripes, region, (30, 30), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
  )
  assert np.ptp(point_samples) > 0.9 * 255


def test_a_registered_crop_stands_still():
  frames = [moved(releases.texture(), 0.7 * i, -0.4 * i) for i in range(4)]
  frames = [np.rint(frame).astype(np.uint8) for frame in frames]
  landmarks = face_points(centre=(70, 60), scale=35)
  matrices, _ = registration.ecc(frames, (20, 20, 120, 120))
  region = regions.face(landmarks, 32)
  still = [
    regions.cut(f, regions.chain(m, region), 32)
    for f, m in zip(frames, matrices, strict=True)
  ]
  moving = [regions.cut(f, region, 32) for f in frames]
  assert np.std(still, axis=0).mean() < 0.05 * np.std(moving, axis=0).mean()


def test_beyond_the_edge_of_a_frame_the_edge_is_repeated():
  frame = np.tile(np.arange(50, 110, dtype=np.float32), (40, 1))
  region = np.array([[2.0, 0, -20], [0, 2, -30.0]])
  cut = regions.cut(frame, region, 60)
  np.testing.assert_allclose(cut[:, :9], 50, atol=1)
  np.testing.assert_allclose(cut[:, -9:], 109, atol=1)


def test_only_the_part_of_a_frame_that_is_reached_matters():
  frame = releases.texture()
  region = np.array([[0.9, 0.1, 60], [-0.1, 0.9, 70.0]])
  cut = regions.cut(frame, region, 30)
  changed = frame.copy()
  changed[:, 110:], changed[:50] = 0, 255
  np.testing.assert_allclose(regions.cut(changed, region, 30), cut, atol=1e-3)
