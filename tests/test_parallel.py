"""All folds at once is each fold alone, on one device and on several."""

import functools

import jax
import numpy as np
import optax
import pytest

from mefnet_jax import inputs, losses, models, optimizers, parallel, train

ADAM = optimizers.adam(1e-2, 1e-5)
# Adam makes a full step of a gradient that is nothing but rounding.
MOMENTUM = optax.sgd(0.3, momentum=0.9)
SHAPES = {'filters': 4, 'kernel': (5, 3, 3), 'hidden': (8,)}


def trained(
  clips, name, trains, mode='folds', devices=1, steps=4, tx=ADAM, **fields
):
  """States (folds, ...) after some steps, dropout on."""
  model = models.build(name, num_classes=3, **SHAPES, **fields)
  clips = {k: clips[k] for k in (*models.views(name), 'label')}
  clips = inputs.measured(clips, how='difference')
  plan = parallel.Plan(mode, devices, len(trains))
  state = train.create_state(model, tx, clips, jax.random.key(0))
  state = jax.tree.map(
    lambda x: np.broadcast_to(np.asarray(x), (len(trains), *x.shape)), state
  )
  weight_FN = np.stack(
    [losses.clip_weights(clips['label'], t, 3, balanced=True) for t in trains]
  )
  step = functools.partial(
    train.train_step, model=model, tx=tx, how='difference', weight_decay=1e-3
  )
  step = parallel.train_step(step, plan)
  state, weight_FN = plan.split(state), plan.split(weight_FN)
  for i in range(steps):
    index_SB, valid_SB = train.epoch_batches(14, 8, 4, seed=0, epoch=i)
    key = jax.random.key(i)
    state, sums = step(state, weight_FN, clips, index_SB[0], valid_SB[0], key)
  return jax.device_get((plan.join(state), plan.join(sums)))


def pairs(a, b):
  return zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)


TRAINS = [np.arange(0, 9), np.arange(5, 14), np.arange(0, 14, 2)]
NETWORKS = [
  ('base', {}),
  ('mecnn', {}),
  ('mfcnn', {'fusion': 'late'}),
  ('mfcnn', {'fusion': 'intermediate'}),
]


@pytest.mark.parametrize(('name', 'fields'), NETWORKS)
def test_a_fold_among_others_is_the_fold_alone(clips, name, fields):
  together, _ = trained(clips, name, TRAINS, tx=MOMENTUM, **fields)
  alone, _ = trained(clips, name, TRAINS[1:2], tx=MOMENTUM, **fields)
  for a, b in pairs(alone.params, together.params):
    np.testing.assert_allclose(a[0], b[1], rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
  ('mode', 'devices'), [('folds', 2), ('folds', 4), ('batch', 2), ('batch', 4)]
)
def test_several_devices_are_one_device(clips, mode, devices):
  one, sums = trained(clips, 'mecnn', TRAINS, tx=MOMENTUM)
  many, many_sums = trained(clips, 'mecnn', TRAINS, mode, devices, tx=MOMENTUM)
  for a, b in zip(
    jax.tree.leaves(one.params), jax.tree.leaves(many.params), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
  for name, value in sums.items():
    np.testing.assert_allclose(value, many_sums[name], rtol=1e-4)


def test_held_out_clips_leave_no_trace(clips):
  """Other pixels and labels in the held-out clips: the same weights."""
  own = [np.arange(0, 9)]
  before, _ = trained(clips, 'mfcnn', own)
  for name in ('eyes', 'mouth'):
    clips[name][9:] = 255 - clips[name][9:]
  clips['label'][9:] = 0
  after, _ = trained(clips, 'mfcnn', own)
  for a, b in pairs(before, after):
    np.testing.assert_array_equal(a, b)


def test_training_learns(clips):
  """The loss of a few clips falls, so that the tests above test something."""
  own = [np.arange(14)]
  _, first = trained(clips, 'mfcnn', own, steps=1, dropout=0.0)
  _, last = trained(clips, 'mfcnn', own, steps=25, dropout=0.0)
  assert last['loss'][0] < 0.7 * first['loss'][0]


def test_plan_takes_folds_where_they_fill_the_devices():
  assert jax.local_device_count() == 4
  assert parallel.plan(6).mode == 'folds'
  assert parallel.plan(3).mode == 'batch'
  plan = parallel.plan(6)
  values = np.arange(6)
  np.testing.assert_array_equal(plan.join(plan.split(values)), values)
