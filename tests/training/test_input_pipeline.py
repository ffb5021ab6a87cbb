"""Clips that are read for each step train the same weights."""

import jax
import numpy as np
import pytest

from mefnet_jax import datasets
from mefnet_jax.models import normalize
from mefnet_jax.training import (
  compiled_steps,
  cross_validation,
  input_pipeline,
  parallel,
)
from tests.fixtures import prepared, training_jobs

cached, first_load = prepared.cached, prepared.first_load  # fixtures
config = training_jobs.config

WAYS = {
  'seeds of balanced, mixed, augmented clips': {
    'train.sampling': 'balanced',
    'train.mixup': 0.4,
    'augment.shift': 0.1,
  },
  'batches over the devices': {'train.parallel': 'batch'},
  'scaled by training clips': {'scale': 'train'},
}
QUICK = 'scaled by training clips'


@pytest.mark.parametrize(
  'way',
  [
    pytest.param(way, marks=() if way == QUICK else pytest.mark.slow)
    for way in WAYS
  ],
)
def test_streamed_clips_train_the_same_weights(
  config, clips, tmp_path, monkeypatch, way
):
  config.update_from_flattened_dict(WAYS[way])
  seeds = (0, 1) if 'seeds' in way else (0,)
  job = training_jobs.job(config, clips, tmp_path / 'a')
  resident = cross_validation.train_folds(job, seeds)
  monkeypatch.setattr(input_pipeline, 'is_streamed', lambda *_: True)
  job = training_jobs.job(config, clips, tmp_path / 'b')
  assert isinstance(
    compiled_steps.CompiledSteps(job, job.splits).feed, input_pipeline.Streamed
  )
  streamed = cross_validation.train_folds(job, seeds)
  for one, other in zip(resident, streamed, strict=True):
    for a, b in zip(one.held_out, other.held_out, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-6)


def test_what_does_not_fit_is_streamed(clips):
  size = sum(x.nbytes for x in clips.values())
  assert input_pipeline.is_streamed(clips, 3.8 * size, 2)
  assert not input_pipeline.is_streamed(clips, 4.2 * size, 2)
  assert input_pipeline.device_bytes(clips, 2, 3.8 * size, 2) < 2 * size / 3


def test_clips_on_the_disk_are_streamed(first_load, cached, tiny_smic):
  far = datasets.load(prepared.config(tiny_smic), memory=0)
  given = {'face': far.streams['face'], 'label': far.label}
  near = {'face': first_load[1].streams['face'], 'label': far.label}
  assert input_pipeline.is_streamed(given, 1e12, 2)
  plan = parallel.Plan('folds', 1, 1)
  feed = input_pipeline.Streamed(given, 'difference')
  wanted = input_pipeline.Resident(near, 'difference', plan)
  for a, b in zip(feed.moments['face'], wanted.moments['face'], strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5)
  clips, at = feed.take(np.array([[5, 0], [5, 7]]))
  np.testing.assert_array_equal(
    clips['face'][at], near['face'][[[5, 0], [5, 7]]]
  )


def test_no_more_than_two_steps_lie_in_the_queue(monkeypatch):
  waited = []
  monkeypatch.setattr(jax, 'block_until_ready', waited.append)
  step = compiled_steps._with_short_queue(
    lambda state, n: (state + n, f'sums {n}')
  )
  state = 0
  for n in range(5):
    state, sums = step(state, n)
    assert sums == f'sums {n}'
    assert waited == [f'sums {i}' for i in range(n - 1)]
  assert state == 10


def test_clips_are_measured_by_one_program():
  sizes = []
  for n in range(3):
    clips = {'face': np.full((5, 3, 7, 7, 1), n, np.uint8)}
    clips['label'] = np.zeros(5, np.int32)
    normalize.measured(clips, input_kind='difference')
    sizes.append(normalize._clip_by_clip._cache_size())
  assert sizes[0] == sizes[1] == sizes[2]
