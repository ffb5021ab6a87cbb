"""Interpolation in time: what must come back exactly."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from mefnet_jax.preprocess import interpolate

lengths = st.integers(1, 60)


@pytest.mark.parametrize('method', interpolate.METHODS)
@hypothesis.given(n=lengths, frames=lengths, value=st.floats(0, 255))
def test_constant_and_linear_clips_come_back_exactly(method, n, frames, value):
  operator = interpolate.operator(method, tuple(range(7, 7 + n)), frames)
  assert operator.shape == (frames, n)
  np.testing.assert_allclose(operator @ np.full(n, value), value, atol=1e-9)
  steady = operator @ np.arange(n)
  wanted = np.arange(frames) * (n - 1) / max(1, frames - 1)
  # Frames that are picked, not mixed, are at most half a step beside.
  beside = 0.5 if method == 'uniform' else 0
  np.testing.assert_allclose(steady, wanted, rtol=0, atol=beside + 1e-9)


@hypothesis.given(n=st.integers(2, 60), frames=st.integers(2, 60))
def test_constant_and_linear_pixels_come_back_to_the_bit(n, frames):
  line = np.linspace(10, 240, n)
  clip = np.stack([np.full(n, 77.0), line], axis=1)
  operator = interpolate.operator('tim', tuple(range(n)), frames)
  made_clip = interpolate.clip(clip, operator)
  assert made_clip.dtype == np.float32
  assert (interpolate.to_uint8(made_clip)[:, 0] == 77).all()
  wanted = np.linspace(10, 240, frames)
  np.testing.assert_allclose(made_clip[:, 1], wanted, atol=1e-3)


@pytest.mark.parametrize('method', interpolate.METHODS)
@hypothesis.given(n=lengths)
def test_same_length_is_the_identity(method, n):
  operator = interpolate.operator(method, tuple(range(n)), n)
  np.testing.assert_allclose(operator, np.eye(n), atol=1e-9)


@hypothesis.given(n=st.integers(3, 30))
def test_tim_passes_through_the_frames(n):
  operator = interpolate.operator('tim', tuple(range(n)), 2 * n - 1)
  np.testing.assert_allclose(operator[::2], np.eye(n), atol=1e-9)


def test_tim_follows_a_smooth_motion_closer_than_straight_lines():
  motion = lambda t: np.cos(np.pi * t) ** 2  # noqa: E731
  coarse, fine = np.linspace(0, 1, 9), np.linspace(0, 1, 33)
  error = {
    method: np.abs(
      interpolate.operator(method, tuple(range(9)), 33) @ motion(coarse)
      - motion(fine)
    ).max()
    for method in interpolate.METHODS
  }
  assert error['tim'] < error['linear'] / 3


@pytest.mark.parametrize('method', interpolate.METHODS)
def test_a_missing_frame_does_not_change_the_pace(method):
  numbers = (10, 11, 12, 15, 16, 18, 19)
  operator = interpolate.operator(method, numbers, 10)
  np.testing.assert_allclose(operator @ numbers, np.arange(10, 20), atol=1e-9)


def test_numbers_that_are_no_clock_count_as_neighbours():
  for numbers in ((3, 7, 11, 15), (1, 2, 3, 900000)):
    operator = interpolate.operator('tim', numbers, 4)
    np.testing.assert_allclose(operator, np.eye(4), atol=1e-9)


@pytest.mark.parametrize('method', ['tim', 'linear'])
@pytest.mark.parametrize(
  'numbers',
  [
    (1, 2, 3, 4, 6, 8, 10, 12, 14, 16),  # every second one, later
    (1, 3, 5, 7, 9, 10, 11),
    (1.0, 1.5, 2.0, 3.0, 4.0, 5.0),  # times of a video
    (0.0, 1.02, 1.98, 3.03, 5.0, 30.0),
  ],
)
def test_an_uneven_clock_keeps_its_pace(method, numbers):
  operator = interpolate.operator(method, numbers, 8)
  wanted = np.linspace(numbers[0], numbers[-1], 8)
  np.testing.assert_allclose(operator @ numbers, wanted, atol=1e-9)


def test_a_long_pause_of_a_video_is_not_a_hundred_frames():
  times = (*np.arange(9.0), 1000.0)
  assert interpolate._fill(np.asarray(times)).shape == (41, 10)
  operator = interpolate.operator('linear', times, 5)
  np.testing.assert_allclose(operator @ times, np.linspace(0, 1000, 5))
