"""The networks: their size, their streams, their numbers on every path."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax import models
from mefnet_jax.models import from_config, layers
from mefnet_jax.training import losses
from tests.fixtures import networks

NETWORKS = [
  ('base', {}),
  ('mecnn', {}),
  ('mecnn', {'attention_place': 'pool'}),
  ('mfcnn', {'fusion': 'late'}),
  ('mfcnn', {'fusion': 'intermediate'}),
]
FUSED = {'xla_cpu_use_fusion_emitters': True}  # as a run: conftest's is faster
# MECNN has what the base network has; MFCNN holds MECNN's trunk twice.
ONE_OF_EACH = [
  ('mecnn', {}),
  *(pytest.param(x, {}, marks=pytest.mark.slow) for x in ('base', 'mfcnn')),
]


@pytest.mark.parametrize(('frames', 'millions'), [(18, 1.643267), (96, 44.241)])
def test_base_network_has_the_published_size(frames, millions):
  """1.64 M parameters with 18 frames, 44.2 M with 96 (Reddy et al. 2019)."""
  model = models.build('base', num_classes=3)
  batch = {'face': jax.ShapeDtypeStruct((1, frames, 64, 64, 1), np.float32)}
  shapes = jax.eval_shape(model.init, jax.random.key(0), batch)['params']
  count = sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
  assert count == pytest.approx(1e6 * millions, rel=2e-5)
  assert frames != 18 or count == 1_643_267


@pytest.mark.parametrize(('name', 'fields'), ONE_OF_EACH)
def test_first_loss_is_log_of_the_classes(name, fields):
  model, batch = (
    models.build(name, num_classes=3, **networks.SMALL, **fields),
    networks.clips(2),
  )

  def first(batch):
    params = model.init(jax.random.key(0), batch)['params']
    return networks.loss(model, params, batch, train=False)

  assert jax.jit(first)(batch) / 2 == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize(
  'fusion', ['late', pytest.param('intermediate', marks=pytest.mark.slow)]
)
def test_two_streams_are_two(fusion):
  """Other eyes: the mouth's features stand, and so the other way round."""
  model = models.build('mfcnn', num_classes=3, fusion=fusion, **networks.SMALL)
  batch = networks.clips(2)
  params = networks.random_params(model, batch)
  run = jax.jit(model.apply)
  logits, out = run({'params': params}, batch)
  for changed, other in (('eyes', 'mouth'), ('mouth', 'eyes')):
    blind = {**batch, changed: jnp.zeros_like(batch[changed])}
    new_logits, new = run({'params': params}, blind)
    np.testing.assert_array_equal(new[other], out[other])
    assert np.abs(new[changed] - out[changed]).max() > 1e-3
    assert np.abs(new_logits - logits).max() > 1e-4
  leaves = params['eyes'], params['mouth']
  assert jax.tree.structure(leaves[0]) == jax.tree.structure(leaves[1])


def test_intermediate_fusion_joins_normalised_features():
  model = models.build(
    'mfcnn', num_classes=3, fusion='intermediate', **networks.SMALL
  )
  batch = networks.clips(2)
  params = networks.random_params(model, batch)
  _, out = jax.jit(model.apply)({'params': params}, batch)
  for region in ('eyes', 'mouth'):
    length = np.linalg.norm(out[region], axis=-1)
    np.testing.assert_allclose(length, 1, rtol=1e-5)
  assert set(params) == {'eyes', 'mouth', 'dense', 'classes'}


@pytest.mark.parametrize(('name', 'fields'), ONE_OF_EACH)
def test_a_permuted_batch_gives_permuted_outputs(name, fields):
  """In training too: a clip's dropout goes where its key goes."""
  model, batch = (
    models.build(name, num_classes=3, **networks.SMALL, **fields),
    networks.clips(4),
  )
  params = networks.random_params(model, batch)
  order = np.array([2, 0, 3, 1])
  run = jax.jit(functools.partial(model.apply, train=True))
  logits, _ = run({'params': params}, batch)
  moved, _ = run({'params': params}, {k: v[order] for k, v in batch.items()})
  np.testing.assert_allclose(moved, logits[order], rtol=1e-5, atol=1e-6)


def test_dropout_hangs_on_the_key_of_the_clip_alone():
  drop = jax.jit(layers.dropout, static_argnames=('rate', 'layer'))
  x = np.ones((3, 5, 40), np.float32)
  key_B = jax.random.split(jax.random.key(0), 3)
  y = drop(x, key_B, rate=0.5, layer=1)
  alone = drop(x[2:], key_B[2:], rate=0.5, layer=1)
  np.testing.assert_array_equal(y[2:], alone)
  assert set(np.unique(y)) == {0.0, 2.0}
  y = np.asarray(y)
  assert 0.4 < (y == 0).mean() < 0.6
  assert (y[0] != y[1]).any()
  assert (drop(x, key_B, rate=0.5, layer=2) != y).any()
  np.testing.assert_array_equal(layers.dropout(x, None, 0.5, layer=1), x)


def test_streams_drop_on_their_own():
  key_B = jax.random.split(jax.random.key(0), 2)
  x = np.ones((2, 60), np.float32)

  @jax.jit
  def dropped(i):
    return layers.dropout(x, layers.stream_keys(key_B, i), 0.5, layer=1)

  eyes, mouth = (np.asarray(dropped(i)) for i in (0, 1))
  assert (eyes != mouth).any()
  assert layers.stream_keys(None, 0) is None


@pytest.mark.parametrize(('name', 'fields'), ONE_OF_EACH)
def test_clip_after_clip_is_the_whole_batch(name, fields, monkeypatch):
  """The CPU's loop over clips against the path of a GPU, with gradients."""
  model, batch = (
    models.build(name, num_classes=3, **networks.SMALL, **fields),
    networks.clips(3),
  )
  params = networks.random_params(model, batch)
  looped = networks.value_and_gradient(model, params, batch)
  monkeypatch.setattr(layers.jax, 'default_backend', lambda: 'gpu')
  whole = networks.value_and_gradient(model, params, batch)
  networks.assert_same(looped, whole)


@pytest.mark.parametrize(
  ('name', 'fields'),
  [pytest.param(*one, marks=pytest.mark.slow) for one in NETWORKS],
)
def test_jit_is_eager_at_real_widths(name, fields):
  """jaxlib 0.10.2's YNN fusion can give wrong numbers under jit: not here."""
  batch = networks.clips(1, frames=18, face=32, region=32)
  model = models.build(name, num_classes=3, hidden=(32,), **fields)
  params = networks.random_params(model, batch)
  logits = jax.jit(model.apply, compiler_options=FUSED)(
    {'params': params}, batch
  )[0]
  jitted = networks.value_and_gradient(
    model, params, batch, compiler_options=FUSED
  )
  with jax.disable_jit():
    eager_logits = model.apply({'params': params}, batch)[0]
    gradient = jax.value_and_grad(functools.partial(networks.loss, model))
    eager = gradient(params, batch)
  networks.assert_same(logits, eager_logits, rtol=1e-5)
  networks.assert_same(jitted, eager)


class PlainBase(nn.Module):
  """The base network as flax alone would have it."""

  @nn.compact
  def __call__(self, x_BTHWC):
    x = nn.relu(nn.Conv(32, (15, 3, 3), padding='VALID', name='conv')(x_BTHWC))
    x = nn.max_pool(x, (3, 3, 3), (3, 3, 3))
    x = nn.relu(nn.Dense(128, name='dense')(x.reshape(len(x), -1)))
    return nn.Dense(3, name='classes')(x)


def test_base_network_is_the_same_network_in_plain_flax():
  batch = networks.clips(2, frames=18, face=20)
  plain = PlainBase()
  params = networks.random_params(plain, batch['face'])

  def plain_loss(params):
    logits = plain.apply({'params': params}, batch['face'])
    return losses.cross_entropy(logits, batch['label'], jnp.ones(2))

  def ours_loss(params):
    own = {
      'face': {'trunk': {'conv': params['conv']}},
      'dense': {'Dense_0': params['dense']},
      'classes': params['classes'],
    }
    model = models.build('base', num_classes=3, hidden=(128,), dropout=0.0)
    return networks.loss(model, own, batch)

  ours, flax = (
    jax.jit(jax.value_and_grad(f))(params) for f in (ours_loss, plain_loss)
  )
  networks.assert_same(ours, flax)


@pytest.mark.parametrize(
  ('name', 'fields', 'said'),
  [
    ('resnet', {}, 'resnet.*base, mecnn, residual, mfcnn'),
    ('mecnn', {'fusion': 'late'}, 'mecnn.*fusion'),
    ('base', {'channel_attention': True}, 'base.*channel_attention'),
    ('mfcnn', {'widths': 3, 'deep': 2}, 'mfcnn.*deep, widths'),
  ],
)
def test_unknown_names_and_fields_are_named(name, fields, said):
  with pytest.raises(ValueError, match=said):
    models.build(name, num_classes=3, **fields)


@pytest.mark.parametrize(
  ('name', 'field'), [('mfcnn', 'fusion'), ('mecnn', 'attention_place')]
)
def test_an_unknown_choice_is_named(name, field):
  model = models.build(name, num_classes=3, **{field: 'between'})
  with pytest.raises(ValueError, match='between'):
    jax.eval_shape(model.init, jax.random.key(0), networks.clips(1))


@pytest.mark.parametrize(
  'config',
  [
    'mfcnn',
    'mfcnn:intermediate',
    'mecnn',
    'base_cnn',
    'residual',
    'paper',
    'paper:intermediate',
    'paper:mecnn',
    'paper:base',
  ],
)
def test_every_config_builds_its_network(config):
  file, *argument = config.split(':')
  config = importlib.import_module(f'configs.{file}').get_config(*argument)
  model = from_config.network(config, num_classes=3)
  batch = networks.clips(2, frames=17, face=9, region=8)
  names = models.input_streams(config.model.name, config.model.streams)
  batch = {name: batch[name] for name in names}
  logits, out = jax.eval_shape(
    lambda: model.init_with_output(jax.random.key(0), batch)[0]
  )
  assert logits.shape == (2, 3)
  assert out['features'].shape[0] == 2
