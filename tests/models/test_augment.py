"""Augmentation: what each part does, and that a clip's draw is its own."""

import jax
import numpy as np
import pytest

from mefnet_jax.models import augment, normalize


def streams():
  random = np.random.default_rng(0)
  return {
    'eyes': random.uniform(0, 255, (6, 5, 8, 10, 1)).astype(np.float32),
    'mouth': random.uniform(0, 255, (6, 5, 12, 12, 1)).astype(np.float32),
    'text': np.ones((6, 7), np.float32),
  }


augmented = jax.jit(augment.augment, static_argnums=2)


def drawn(given, **how):
  keys = jax.random.split(jax.random.key(0), 6)
  out = augmented(given, keys, augment.Augmentation(**how))
  return {name: np.asarray(x) for name, x in out.items()}


def test_off_is_off():
  assert not augment.Augmentation()
  given = streams()
  for name, x in drawn(given).items():
    np.testing.assert_allclose(x, given[name], rtol=1e-5, atol=1e-3)


def test_a_flip_mirrors_all_streams_of_a_clip_alike():
  given = streams()
  out = drawn(given, flip=0.5)
  mirrored = [
    [
      np.allclose(out[n][i], given[n][i][:, :, ::-1], atol=1e-2)
      for i in range(6)
    ]
    for n in ('eyes', 'mouth')
  ]
  assert mirrored[0] == mirrored[1]
  assert 0 < sum(mirrored[0]) < 6
  for i, is_mirrored in enumerate(mirrored[0]):
    if not is_mirrored:
      np.testing.assert_allclose(out['eyes'][i], given['eyes'][i], atol=1e-2)
  np.testing.assert_array_equal(out['text'], given['text'])


def test_reverse_plays_backwards():
  given = {'eyes': streams()['eyes']}
  out = drawn(given, reverse=1.0)
  np.testing.assert_allclose(out['eyes'], given['eyes'][:, ::-1], atol=1e-2)


def test_brightness_is_a_factor_a_clip():
  given = {'eyes': streams()['eyes']}
  ratio = drawn(given, brightness=0.3)['eyes'] / given['eyes']
  factor = ratio.mean((1, 2, 3, 4))
  assert (np.abs(factor - 1) <= 0.3).all() and np.ptp(factor) > 0.05
  factor = factor.reshape(-1, 1, 1, 1, 1) + 0 * ratio
  np.testing.assert_allclose(ratio, factor, rtol=1e-3)


@pytest.mark.parametrize('part', ['shift', 'scale'])
def test_all_frames_move_alike(part):
  """A still clip stays still: no motion is made up."""
  given = streams()
  still = {'eyes': np.repeat(given['eyes'][:, :1], 5, 1)}
  out = drawn(still, **{part: 0.2})['eyes']
  assert np.abs(out - still['eyes']).max() > 1
  np.testing.assert_allclose(out, out[:, :1] + 0 * out, atol=1e-3)
  seen = normalize.standardise(out, 'difference')
  assert np.abs(seen).max() < 1


@pytest.mark.parametrize('part', ['crop', 'jitter'])
def test_time_changes_and_the_pictures_do_not(part):
  """Each frame is a mixture of two neighbours in time."""
  ramp = np.arange(5.0, dtype=np.float32).reshape(1, 5, 1, 1, 1)
  clip = {'eyes': np.broadcast_to(ramp, (6, 5, 8, 8, 1)).copy()}
  out = drawn(clip, **{part: 0.4})['eyes']
  assert np.abs(out - clip['eyes']).max() > 0.05
  assert (out >= 0).all() and (out <= 4.001).all()
  np.testing.assert_allclose(out, out[:, :, :1, :1] + 0 * out, atol=1e-4)


def test_the_draw_hangs_on_the_key_alone():
  given = streams()
  keys = jax.random.split(jax.random.key(0), 6)
  how = augment.Augmentation(flip=0.5, shift=0.1, jitter=0.5, crop=0.3)
  whole = augmented(given, keys, how)['mouth']
  index = np.array([2, 3, 2, 3, 2, 3])  # no others, and at another place
  part = {name: x[index] for name, x in given.items()}
  alone = augmented(part, keys[index], how)['mouth']
  np.testing.assert_allclose(whole[index], alone, atol=1e-3)
