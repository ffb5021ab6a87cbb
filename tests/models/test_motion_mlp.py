"""The network for motion maps, and what it sees of them."""

import jax
import numpy as np
import pytest

from mefnet_jax import models
from mefnet_jax.models import motion_input, normalize

# Compiled: op by op takes longer.
standardise = jax.jit(motion_input.standardise)
mirrored = jax.jit(motion_input.mirrored)


@pytest.fixture
def maps():
  return np.random.default_rng(0).normal(size=(5, 1, 28, 28, 3))


def test_neither_zero_nor_scale_of_a_channel_is_seen(maps):
  low, high = maps.min((2, 3), keepdims=True), maps.max((2, 3), keepdims=True)
  stretched = 255 * (maps - low) / (high - low)
  seen = standardise(maps)
  np.testing.assert_allclose(seen, standardise(stretched), atol=1e-3)
  assert seen.shape == (5, *normalize.input_shape((1, 28, 28, 3), 'motion'))
  np.testing.assert_allclose((seen**2).mean((2, 3)), 1, rtol=1e-4)
  assert abs(np.median(seen, axis=(2, 3))).max() < 0.05


def test_strain_is_not_looked_at(maps):
  other = maps.copy()
  other[..., 2] = 0
  np.testing.assert_array_equal(standardise(maps), standardise(other))


def test_a_map_without_motion_becomes_zeros():
  assert not np.any(standardise(np.full((1, 1, 4, 4, 3), 7)))


def test_a_map_of_an_odd_size_is_refused():
  with pytest.raises(ValueError, match='even height and width'):
    normalize.input_shape((1, 27, 28, 3), 'motion')


def test_batches_are_standardised_map_by_map(maps):
  stored = np.round(40 * maps + 128).clip(0, 255).astype(np.uint8)

  @jax.jit
  def batch(clips, index_B):
    measured = normalize.measured(clips, input_kind='motion')
    return normalize.batch(measured, index_B, input_kind='motion')

  index_B = np.array([3, 1])
  whole = np.asarray(standardise(stored))
  np.testing.assert_allclose(
    batch({'face': stored}, index_B)['face'], whole[index_B], rtol=1e-5
  )


def test_a_mirror_image_gets_the_same_answer_with_the_sides_changed(maps):
  network = models.build(
    'motion_mlp', num_classes=3, action_units=(1, 12), hidden=(8, 4)
  )
  x = standardise(maps)
  params = jax.jit(network.init)(jax.random.key(0), {'face': x})
  apply = jax.jit(network.apply)
  logits, out = apply(params, {'face': x})
  other, seen = apply(params, {'face': mirrored(x)})
  assert logits.shape == (5, 3) and out['unit_level'].shape == (5, 2, 2)
  assert out['unit_logit'].shape == (5, 2) and out['expression'].shape == (5,)
  np.testing.assert_allclose(logits, other, atol=1e-6)
  np.testing.assert_allclose(
    out['unit_level'], seen['unit_level'][..., ::-1], atol=1e-6
  )
  assert abs(out['unit_level'][..., 0] - out['unit_level'][..., 1]).max() > 0.01


def test_a_mirror_turns_motion_to_the_left_into_motion_to_the_right():
  x = np.zeros((1, 2, 2, 2), np.float32)
  x[0, 0, 0] = 3, 5
  seen = np.asarray(mirrored(x))
  assert seen[0, 0, 1].tolist() == [-3, 5] and not seen[0, :, 0].any()
  np.testing.assert_array_equal(mirrored(seen), x)
