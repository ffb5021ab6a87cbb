"""All folds at once is each fold alone, on one device and on several."""

import dataclasses
import functools

import jax
import jax.extend.backend
import numpy as np
import optax
import pytest

from mefnet_jax import models
from mefnet_jax.evaluation import held_out_mask
from mefnet_jax.models import augment, normalize
from mefnet_jax.training import (
  optimizer,
  parallel,
  sampler,
)
from mefnet_jax.training import (
  train_step as train,
)

ADAM = optimizer.adam(1e-2, 1e-5)
# Adam makes a full step of a gradient that is nothing but rounding.
MOMENTUM = optax.sgd(0.3, momentum=0.9)
GENTLE = optax.sgd(0.03, momentum=0.9)  # 20 steps without chaos
SHAPES = {'filters': 4, 'kernel': (5, 3, 3), 'hidden': (8,)}


@pytest.fixture(autouse=True, scope='module')
def eight_devices():
  """In this module; two again after it."""
  for count in (8, 2):
    jax.clear_caches()
    jax.extend.backend.clear_backends()
    jax.config.update('jax_num_cpu_devices', count)
    if count == 8:
      yield


def trained(
  clips,
  name,
  trains,
  mode='folds',
  devices=1,
  steps=4,
  tx=ADAM,
  seeds=(0,),
  own=False,
  **fields,
):
  """States (seeds, folds, ...) after some steps, dropout on."""
  extra = {k: fields.pop(k) for k in ('augmentation', 'mixup') if k in fields}
  model = models.build(name, num_classes=3, **SHAPES, **fields)
  clips = {k: clips[k] for k in (*models.input_streams(name), 'label')}
  clips = normalize.measured(clips, input_kind='difference')
  plan = parallel.Plan(mode, devices, len(trains), own)
  create, step = compiled(model, plan, tx, **extra)
  states = [create(clips, jax.random.key(s)) for s in seeds]
  state = jax.tree.map(
    lambda *x: np.stack([[np.asarray(one)] * len(trains) for one in x]),
    *states,
  )
  weight_FN = np.stack(
    [
      held_out_mask.masked_weights(clips['label'], t, 3, balanced=True)
      for t in trains
    ]
  )
  state = plan.place(plan.split(state))
  fold = plan.place(plan.split({'weight': weight_FN}, axis=0))
  clips = plan.share(clips)
  multiple = devices if mode == 'batch' else 1
  for i in range(steps):
    rows = [order(clips, trains, own, multiple, seed, i) for seed in seeds]
    batch = jax.tree.map(lambda *x: np.stack(x)[..., 0, :], *rows)
    batch = plan.split(batch) if own else batch
    key = jax.vmap(lambda s, i=i: jax.random.key(100 * s + i))(np.array(seeds))
    state, sums = step(state, fold, clips, batch, key)
  return plan.join(state), plan.join(sums)


@functools.cache
def compiled(model, plan, tx, **extra):
  """The first state and the step, for all trainings that are alike."""
  step = functools.partial(
    train.train_step,
    model=model,
    tx=tx,
    input_kind='difference',
    weight_decay=1e-3,
    **extra,
  )
  create = functools.partial(train.create_state, model, tx)
  return jax.jit(create), parallel.map_training(step, plan)


def order(clips, trains, own, multiple, seed, epoch):
  """An epoch's batches: of the seed, or of each fold."""
  if not own:
    return sampler.shared_order(14, 8, multiple, seed=seed, epoch=epoch)
  settings = {'sampling': 'balanced', 'seed': seed, 'epoch': epoch}
  label = np.asarray(clips['label'])
  rows = [sampler.fold_order(label, t, 8, multiple, **settings) for t in trains]
  return jax.tree.map(lambda *x: np.stack(x), *rows)


def pairs(a, b):
  return zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)


TRAINS = [np.arange(0, 9), np.arange(5, 14), np.arange(0, 14, 2)]
SLOW = pytest.mark.slow
NETWORKS = [
  ('base', {}),
  pytest.param('mecnn', {}, marks=SLOW),
  pytest.param('mfcnn', {'fusion': 'late'}, marks=SLOW),
  pytest.param('mfcnn', {'fusion': 'intermediate'}, marks=SLOW),
  pytest.param(
    'residual',
    {
      'depth': (1,),
      'width': (4,),
      'normalisation': 'group',
      'channel_attention': False,
      'spatial_attention': False,
      # Its normalisation makes more of rounding: 2.4e-6 with GENTLE.
      'tx': optax.sgd(0.01, momentum=0.9),
    },
    marks=SLOW,
  ),
]


DRAWN = augment.Augmentation(
  flip=0.5, shift=0.1, scale=0.1, brightness=0.2, crop=0.2, jitter=0.3
)
WAYS = {
  'plain': {},
  'mixed': {'own': True, 'mixup': 0.4, 'augmentation': DRAWN},
}


@pytest.mark.parametrize(('name', 'fields'), NETWORKS)
def test_a_member_among_others_is_the_member_alone(clips, name, fields):
  """Fold 1 of seed 5: with three folds and two seeds, and by itself.

  After 20 steps with dropout and augmentation, each weight within 1e-6.
  """
  fields = {'tx': GENTLE, 'steps': 20, 'augmentation': DRAWN, **fields}
  together, _ = trained(clips, name, TRAINS, seeds=(4, 5), **fields)
  alone, _ = trained(clips, name, TRAINS[1:2], seeds=(5,), **fields)
  for a, b in pairs(alone.params, together.params):
    np.testing.assert_allclose(a[0, 0], b[1, 1], rtol=0, atol=1e-6)


@SLOW
def test_an_order_of_its_own_hangs_on_the_member_alone(clips):
  fields = {**WAYS['mixed'], 'tx': GENTLE}
  together, _ = trained(clips, 'base', TRAINS, seeds=(4, 5), **fields)
  alone, _ = trained(clips, 'base', TRAINS[1:2], seeds=(5,), **fields)
  for a, b in pairs(alone.params, together.params):
    np.testing.assert_allclose(a[0, 0], b[1, 1], rtol=0, atol=1e-6)


@pytest.fixture(scope='module')
def on_one_device():
  """Trainings that several tests compare with, by their way."""
  return {}


@pytest.mark.parametrize(
  ('mode', 'devices', 'way', 'name'),
  [
    pytest.param('folds', 2, 'mixed', 'mecnn', marks=SLOW),
    pytest.param('folds', 8, 'plain', 'mecnn', marks=SLOW),
    ('folds', 8, 'plain', 'base'),
    pytest.param('batch', 4, 'mixed', 'mecnn', marks=SLOW),
    pytest.param('batch', 8, 'plain', 'mecnn', marks=SLOW),
    ('batch', 8, 'plain', 'base'),
  ],
)
def test_several_devices_are_one_device(
  clips, on_one_device, mode, devices, way, name
):
  fields = {**WAYS[way], 'tx': MOMENTUM, 'seeds': (0, 1)}
  if (way, name) not in on_one_device:
    on_one_device[way, name] = trained(clips, name, TRAINS, **fields)
  one, sums = on_one_device[way, name]
  many, many_sums = trained(clips, name, TRAINS, mode, devices, **fields)
  for a, b in pairs(one.params, many.params):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
  for part, value in sums.items():
    np.testing.assert_allclose(value, many_sums[part], rtol=1e-4)


@pytest.mark.parametrize(
  ('way', 'name'),
  [
    ('plain', 'base'),
    pytest.param('plain', 'mecnn', marks=SLOW),
    pytest.param('mixed', 'mecnn', marks=SLOW),
  ],
)
def test_held_out_clips_leave_no_trace(clips, way, name):
  """Other pixels and labels in the held-out clips: the same weights."""
  own = [np.arange(0, 9)]
  before, _ = trained(clips, name, own, **WAYS[way])
  clips['face'][9:] = 255 - clips['face'][9:]
  clips['label'][9:] = 0
  after, _ = trained(clips, name, own, **WAYS[way])
  for a, b in pairs(before, after):
    np.testing.assert_array_equal(a, b)


def test_training_learns(clips):
  """The loss of a few clips falls, so that the tests above test something."""
  own = [np.arange(14)]
  _, first = trained(clips, 'base', own, steps=1, dropout=0.0)
  _, last = trained(clips, 'base', own, steps=25, dropout=0.0)
  assert last['loss'][0, 0] < 0.7 * first['loss'][0, 0]


@pytest.mark.parametrize('begins', ['placed', 'spread'])
@pytest.mark.parametrize('mode', ['folds', 'batch'])
def test_a_step_is_compiled_once(mode, begins):
  plan = parallel.Plan(mode, 2, 2)
  traced = []

  def step(state, fold, clips, order, key, axis_name=None):
    traced.append(key)
    total = clips['x'][order['index']].sum() * fold['weight'].sum()
    return state + total, total

  train_step = parallel.map_training(step, plan)
  if begins == 'placed':
    state = plan.place(plan.split(np.ones((1, 2, 3), np.float32)))
  else:
    state = plan.spread(np.ones((1, 3), np.float32))
  fold = plan.place(plan.split({'weight': np.ones((2, 8), np.float32)}, axis=0))
  clips = plan.share({'x': np.ones((8, 2), np.float32)})
  order = {'index': np.arange(4, dtype=np.int32)[None]}
  for i in range(3):
    key = jax.random.split(jax.random.key(i), 1)
    state, _ = train_step(state, fold, clips, order, key)
  assert len(traced) == 1


@pytest.mark.parametrize(('mode', 'devices'), [('folds', 2), ('batch', 4)])
def test_held_out_clips_are_shared_out_and_come_back_in_order(mode, devices):
  """5 clips, which no number of devices divides."""
  plan = parallel.Plan(mode, devices, 2)

  def step(params, fold, clips, index_B):
    assert mode == 'folds' or len(index_B) == 2  # of 5 on 4 devices
    return clips['x'][index_B] * params + fold['weight']

  params = np.arange(6, dtype=np.float32).reshape(3, 2)
  fold = {'weight': np.array([10, 20], np.float32)}
  clips = {'x': np.arange(14, dtype=np.float32).reshape(7, 2)}
  index_FB = np.array([[6, 0, 3, 3, 1], [2, 5, 4, 0, 6]], np.int32)
  found = plan.join(
    parallel.map_evaluation(step, plan)(
      plan.place(plan.split(params)),
      plan.place(plan.split(fold, axis=0)),
      plan.share(clips),
      plan.split(index_FB, axis=0),
    )
  )
  wanted = clips['x'][index_FB] * params[..., None, None]
  wanted = wanted + fold['weight'][:, None, None]
  np.testing.assert_array_equal(found, wanted)


def test_plan_takes_folds_where_they_fill_the_devices():
  assert jax.local_device_count() == 8
  planned = {
    n: dataclasses.astuple(parallel.plan(n))[:2]
    for n in (1, 2, 7, 8, 9, 16, 23)
  }
  assert planned == {
    1: ('batch', 2),  # each would hold and update all states
    2: ('folds', 2),
    7: ('folds', 7),
    8: ('folds', 8),
    9: ('folds', 5),  # nobody waits longer than with eight
    16: ('folds', 8),
    23: ('folds', 8),
  }
  assert parallel.plan(9, 'folds').copies == 1
  assert parallel.plan(7, 'batch').copies == 8


@pytest.mark.parametrize(
  ('folds', 'mode', 'devices'),
  [(1, 'batch', 2), (3, 'batch', 2), (4, 'folds', 2), (23, 'folds', 2)],
)
def test_two_cores_are_never_left_idle(monkeypatch, folds, mode, devices):
  monkeypatch.setattr(jax, 'device_count', lambda: 2)
  found = parallel.plan(folds)
  assert (found.mode, found.devices) == (mode, devices)


def test_what_folds_need_on_devices_is_laid_out():
  plan = parallel.Plan('folds', 4, 6)
  values = np.arange(12).reshape(2, 6)
  np.testing.assert_array_equal(plan.join(plan.split(values)), values)


@pytest.mark.parametrize(('mode', 'folds'), [('folds', 6), ('batch', 3)])
def test_what_is_spread_is_alike_in_all_folds(mode, folds):
  plan = parallel.Plan(mode, 4, folds)  # 6 on 4 devices: 2 for padding
  values = np.arange(6.0).reshape(2, 3)
  found = plan.join(plan.spread(values))
  np.testing.assert_array_equal(found, np.repeat(values[:, None], folds, 1))
