"""Clips as motion maps: what prediction makes of them, stored."""

import numpy as np
import pytest

from configs import mefnet_zero
from mefnet_jax import datasets
from mefnet_jax.preprocess import (
  clips,
  face_crop,
  images,
  motion_clips,
  motion_map,
)
from mefnet_jax.runs import errors


def test_a_clip_becomes_the_map_that_prediction_makes(rendered):
  row, how = rendered[0], motion_clips.Options()
  made = clips.prepare(row, how)
  assert {name: x.shape for name, x in made.streams.items()} == how.shapes()
  aligned = clips.align(row, how, [])
  where = face_crop.matrix(aligned.landmarks.points)
  greys = [images.grey(frame) for frame in aligned.frames]
  whole = motion_map.of_frames(greys, where, aligned.matrices)
  stored = motion_clips.decode(made.streams['face'][0])
  assert np.abs(whole).max() > 2e-3
  # A level is .04 of the crop's side over 127.
  level = 0.04 / 127 * face_crop.SIDE / face_crop.EYES
  np.testing.assert_allclose(stored, whole, atol=0.51 * level)
  halves = np.concatenate([made.streams[n] for n in ('eyes', 'mouth')], 1)
  np.testing.assert_array_equal(halves, made.streams['face'])


def test_the_map_is_the_median_of_the_middle_half(rendered):
  aligned = clips.align(rendered[0], motion_clips.Options(), [])
  where = face_crop.matrix(aligned.landmarks.points)
  greys = [images.grey(frame) for frame in aligned.frames][:9]
  crops = [
    face_crop.cut(*pair)
    for pair in zip(greys, [where] * 9, aligned.matrices, strict=False)
  ]
  flows = np.stack(
    [motion_map.between(crops[0], crop, 'dis_fine') for crop in crops]
  )
  found = motion_map.of_frames(greys, where, aligned.matrices)
  np.testing.assert_allclose(found, motion_map.middle(flows), atol=1e-7)
  alone = motion_map.of_frames(greys[:1], where, aligned.matrices)
  np.testing.assert_allclose(alone, 0, atol=1e-6)


def test_a_release_of_images_is_asked_for_as_maps(tiny_smic):
  dataset = mefnet_zero.get_config().dataset
  dataset.name, dataset.release, dataset.workers = 'smic', str(tiny_smic), 1
  assert datasets.is_maps(dataset)
  loaded = datasets.load(dataset)
  assert loaded.streams['face'].shape == (len(loaded.clip), 1, 28, 28, 3)
  assert loaded.streams['face'][..., :2].std((1, 2, 3)).min() > 0.5


@pytest.mark.parametrize('wrong', [dict(flow='lk'), dict(registration='no')])
def test_wrong_choices_are_one_line(wrong):
  with pytest.raises(errors.UserError, match=r'--config.dataset.\w+='):
    motion_clips.Options(**wrong).check()
