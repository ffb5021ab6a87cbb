"""The order of clips, weights, the optimizer, the loss, the input."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax import models
from mefnet_jax.evaluation import held_out_mask
from mefnet_jax.models import normalize
from mefnet_jax.training import losses, optimizer, train_step
from tests.fixtures import networks


def test_class_weights_count_training_clips_only():
  label = np.array([0, 0, 0, 1, 1, 1, 1, 1])
  weight = held_out_mask.masked_weights(label, np.arange(4), 2, balanced=True)
  np.testing.assert_allclose(weight[:4], [2 / 3, 2 / 3, 2 / 3, 2])
  assert not weight[4:].any()
  plain = held_out_mask.masked_weights(label, np.arange(4), 2, balanced=False)
  np.testing.assert_allclose(plain, [1, 1, 1, 1, 0, 0, 0, 0])


def test_decay_is_keras_own():
  """Adam's first update is the rate itself: 1e-3 / (1 + decay * step)."""
  tx = optimizer.adam(1e-3, 0.5)
  state, gradient = tx.init(np.float32(0)), np.float32(1)
  update_by = jax.jit(tx.update)
  for step in range(3):
    update, state = update_by(gradient, state)
    np.testing.assert_allclose(update, -1e-3 / (1 + 0.5 * step), rtol=1e-4)


def test_the_loss_is_eqs_4_to_7():
  """Softmax, cross-entropy of weighted clips, half the sum of squares."""
  random = np.random.default_rng(0)
  logits, label = random.normal(0, 3, (5, 3)), np.array([0, 2, 1, 1, 0])
  weight = np.array([1, 0, 2, 0.5, 1])
  p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  by_hand = -(weight * np.log(p[np.arange(5), label])).sum()
  ours = jax.jit(losses.cross_entropy)(
    logits.astype(np.float32), label, weight.astype(np.float32)
  )
  np.testing.assert_allclose(ours, by_hand, rtol=1e-6)


def test_attenuation_leaves_biases_alone():
  params = {'a': {'kernel': np.full((2, 2), 3.0), 'bias': np.full(2, 9.0)}}
  assert losses.attenuation(params) == 18.0


def test_difference_removes_the_person_and_keeps_the_motion():
  random = np.random.default_rng(0)
  person = random.integers(0, 100, (2, 1, 6, 6, 1))
  motion = (
    random.integers(0, 20, (2, 5, 6, 6, 1))
    * (np.arange(5) > 0)[None, :, None, None, None]
  )
  clip = (person + motion).astype(np.uint8)
  seen = np.asarray(normalize.standardise(clip, 'difference'))
  only_motion = normalize.standardise(motion.astype(np.uint8), 'difference')
  np.testing.assert_allclose(seen, only_motion, atol=1e-6)
  np.testing.assert_allclose((seen**2).mean((1, 2, 3, 4)), 1, rtol=1e-5)
  assert not seen[:, 0].any()


def test_frames_are_standardised_clip_by_clip():
  clip = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 5, 1), np.uint8)
  seen = np.asarray(normalize.standardise(clip, 'frames'))
  np.testing.assert_allclose(seen.mean((1, 2, 3, 4)), 0, atol=1e-5)
  np.testing.assert_allclose(seen.std((1, 2, 3, 4)), 1, rtol=1e-5)
  alone = np.asarray(normalize.standardise(clip[1:2], 'frames'))
  np.testing.assert_allclose(seen[1:2], alone, atol=1e-6)


def test_a_still_clip_is_no_division_by_zero():
  clip = np.full((1, 4, 5, 5, 1), 7, np.uint8)
  for how in ('difference', 'frames'):
    assert not np.asarray(normalize.standardise(clip, how)).any()


def test_dropout_of_a_clip_hangs_on_the_clip_alone(clips):
  """The same clip in another batch, at another place: the same logits."""
  model = models.build(
    'mecnn', num_classes=3, filters=4, kernel=(5, 3, 3), hidden=(8,)
  )
  key = jax.random.key(3)
  measured = normalize.measured(jax.device_put(clips), input_kind='frames')
  sample = normalize.batch(measured, np.arange(1), input_kind='frames')
  params = networks.random_params(model, sample)

  @jax.jit
  def logits(index_B):
    batch = normalize.batch(measured, index_B, input_kind='frames')
    batch['key'] = jax.vmap(lambda i: jax.random.fold_in(key, i))(index_B)
    return model.apply({'params': params}, batch, train=True)[0]

  a = logits(np.array([4, 2, 7]))
  b = logits(np.array([7, 4, 1]))
  np.testing.assert_allclose(a[0], b[1], rtol=1e-5)
  np.testing.assert_allclose(a[2], b[0], rtol=1e-5)


class Watcher(nn.Module):
  """Answers the same for all clips, and tells which ones are used."""

  see: Callable

  @nn.compact
  def __call__(self, batch, *, train=False):
    if train:
      jax.debug.callback(self.see, batch['used'])
    logits_C = self.param('logits', nn.initializers.zeros, (3,))
    return jnp.broadcast_to(logits_C, (len(batch['face']), 3)), {}


@pytest.mark.parametrize(
  ('mixup', 'used'), [(0.0, [1, 0, 1, 0, 0]), (0.4, [1, 1, 1, 0, 0])]
)
def test_the_network_is_told_which_clips_the_fold_uses(mixup, used):
  clips = {'face': np.zeros((6, 1, 2, 2, 1), np.uint8)}
  clips['label'] = np.zeros(6, np.int32)
  seen = []
  model, tx = Watcher(seen.append), optimizer.adam(1e-3, 0.0)
  key = jax.random.key(0)
  clips = normalize.measured(clips, input_kind='frames')
  state = jax.jit(functools.partial(train_step.create_state, model, tx))(
    clips, key
  )
  step = functools.partial(
    train_step.train_step, model=model, tx=tx, input_kind='frames', mixup=mixup
  )
  jax.jit(step)(
    state,
    {'weight': np.array([1, 1, 0, 0, 1, 1], np.float32)},
    clips,
    {
      'index': np.array([0, 2, 5, 3, 4]),
      'mate': np.array([2, 0, 5, 2, 1]),
      'valid': np.array([1, 1, 1, 1, 0], np.float32),  # the last one is padding
    },
    key,
  )
  jax.effects_barrier()
  (found,) = seen
  np.testing.assert_array_equal(found, used)
