"""An even clock for frames at any rate."""

import numpy as np
import pytest

from mefnet_jax.predict import resample

SECONDS = 2.0


def cells(times, values):
  """{cell: value} of images of one grey value each."""
  clock, made = resample.Clock(), []
  for time, value in zip(times, values, strict=True):
    made += clock.push(time, np.full((2, 2), value, np.float32))
  made += clock.finish()
  return {number: float(image[0, 0]) for number, image in made}


@pytest.mark.parametrize('fps', [15, 24, 25, 30, 60, 100, 200])
def test_a_steady_change_comes_back_at_any_rate(fps):
  times = np.arange(round(SECONDS * fps)) / fps
  found = cells(times, 100 * times)
  assert list(found) == list(range(len(found)))  # no cell is missing
  assert len(found) >= SECONDS * resample.RATE - 2
  inner = list(found)[3:-3]
  truth = np.array(inner) * resample.CELL * 100
  np.testing.assert_allclose([found[k] for k in inner], truth, atol=1)


def test_uneven_frames_are_put_where_they_were_shown():
  random = np.random.default_rng(0)
  times = np.cumsum(random.uniform(0.01, 0.05, 80))
  found = cells(times, 60 * times)
  inner = list(found)[3:-3]
  truth = np.array(inner) * resample.CELL * 60
  np.testing.assert_allclose([found[k] for k in inner], truth, atol=1.5)


def test_where_frames_are_missing_for_long_so_are_cells():
  times = np.concatenate([np.arange(30) / 30, 1.5 + np.arange(30) / 30])
  found = cells(times, np.zeros(60))
  missing = set(range(75)) - set(found)
  assert set(range(33, 43)) <= missing <= set(range(30, 45))


def test_one_frame_a_second_never_fills_a_window():
  found = sorted(cells(np.arange(5.0), np.zeros(5)))
  pieces = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
  assert max(map(len, pieces)) < 0.2 * resample.RATE
