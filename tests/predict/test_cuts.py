"""Cuts, and what is none."""

import cv2
import numpy as np
import pytest

from mefnet_jax.predict import cuts
from tests.fixtures import releases


def scene(seed):
  """A picture (180, 180) uint8 of its own brightness."""
  values = releases.texture(seed=seed) * (0.5 + seed / 8)
  return np.clip(values, 0, 255).astype(np.uint8)


def found(images):
  detector = cuts.Cuts()
  return [detector.is_cut(image) for image in images]


def test_a_cut_is_where_another_scene_begins():
  images = [scene(0)] * 10 + [scene(4)] * 10
  noise = np.random.default_rng(0)
  images = [cv2.add(i, noise.integers(0, 6, i.shape, np.uint8)) for i in images]
  assert [k for k, cut in enumerate(found(images)) if cut] == [10]


def test_a_cut_to_the_same_light_is_one():
  images = [scene(2)] * 5 + [scene(2)[:, ::-1]] * 5
  assert [k for k, cut in enumerate(found(images)) if cut] == [5]


def test_noise_in_the_dark_is_no_cut_and_its_end_is_one():
  noise = np.random.default_rng(0)
  dark = [noise.integers(0, 6, (180, 180), np.uint8) for _ in range(20)]
  images = [*dark, scene(2)]
  assert [k for k, cut in enumerate(found(images)) if cut] == [20]


@pytest.mark.parametrize('what', ['lamp', 'motion', 'hand', 'still'])
def test_light_motion_and_rest_are_no_cuts(what):
  first = scene(2)
  images = []
  for k in range(20):
    image = first
    if what == 'lamp':
      image = cv2.add(first, 40 * (k >= 10))
    if what == 'hand' and k >= 10:
      image = first.copy()
      image[60:150, 40:110] = 90
    if what == 'motion':
      image = np.roll(first, 4 * k, axis=1)
    images.append(image)
  assert not any(found(images))
