"""Streams of any kind and number; one that a clip lacks is not there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax import models
from mefnet_jax.models import encoders, modalities
from tests.fixtures import networks

TINY = {
  **networks.SMALL,
  'hidden': (8,),
  'channel_attention': False,
  'spatial_attention': False,
  'vocabulary': 9,
}
ALL = ('eyes', 'mouth', 'flow', 'audio', 'text')


def without(params, model, batch, name):
  """The same weights in the network that was built without a stream."""
  streams = tuple(s for s in model.streams if s != name)
  smaller = model.clone(streams=streams)
  _, out = jax.eval_shape(model.apply, {'params': params}, batch)
  widths = [out[s].shape[-1] for s in model.streams]
  at = model.streams.index(name)
  rows = slice(sum(widths[:at]), sum(widths[: at + 1]))
  params = {k: v for k, v in params.items() if not k.startswith(name)}
  fused = ('dense', 'Dense_0') if model.fusion == 'intermediate' else None
  if fused:
    layer = params['dense']['Dense_0']
    kernel = np.delete(layer['kernel'], rows, axis=0)
    layer = {**layer, 'kernel': kernel}
    params['dense'] = {**params['dense'], 'Dense_0': layer}
  else:
    kernel = np.delete(params['classes']['kernel'], rows, axis=0)
    params['classes'] = {**params['classes'], 'kernel': kernel}
  return smaller, params


def train(model, params, batch):
  apply = functools.partial(model.apply, train=True)
  return jax.jit(apply)({'params': params}, batch)


@pytest.mark.parametrize(
  'fusion', ['late', pytest.param('intermediate', marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
  'name',
  [
    'text',
    pytest.param('audio', marks=pytest.mark.slow),
    pytest.param('flow', marks=pytest.mark.slow),
  ],
)
def test_a_masked_stream_is_as_if_it_had_not_been_built(name, fusion):
  """To the bit, whatever lies in its place, for the clips that lack it."""
  batch = networks.everything(3)
  streams = ALL if name == 'flow' else ('eyes', 'audio', 'text')
  model = models.build(
    'mfcnn', num_classes=3, streams=streams, fusion=fusion, **TINY
  )
  params = networks.random_params(model, batch)
  with_all, _ = networks.run(model, params, batch)
  smaller, fewer = without(params, model, batch, name)
  absent, _ = networks.run(smaller, fewer, batch)
  junk = np.nan if batch[name].dtype == np.float32 else 77
  lacking = {**batch, f'{name}_present': np.array([0, 1, 0])}
  lacking[name] = np.where(
    np.array([0, 1, 0]).reshape(3, *[1] * (batch[name].ndim - 1)),
    batch[name],
    junk,
  ).astype(batch[name].dtype)
  masked, out = networks.run(model, params, lacking)
  np.testing.assert_array_equal(masked[::2], absent[::2])
  np.testing.assert_array_equal(masked[1], with_all[1])
  assert np.abs(with_all - absent).max() > 1e-4
  assert not np.any(out[name][::2])


def test_what_a_clip_lacks_gives_no_gradient():
  batch = {**networks.everything(2), 'audio_present': np.zeros(2)}
  batch['audio'] = np.full_like(batch['audio'], np.nan)
  model = models.build(
    'mfcnn', num_classes=3, streams=('eyes', 'audio'), **TINY
  )
  params = networks.random_params(model, networks.everything(2))
  grads = jax.jit(jax.grad(functools.partial(networks.loss, model)))(
    params, batch
  )
  for leaf in jax.tree.leaves(grads['audio']):
    np.testing.assert_array_equal(leaf, 0)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))
  assert any(np.any(leaf) for leaf in jax.tree.leaves(grads['eyes']))


def test_modality_dropout_is_for_training_and_leaves_one():
  key_B = jax.random.split(jax.random.key(0), 2000)
  batch = {'audio_present': np.arange(2000) % 2}
  streams = ('eyes', 'audio')
  kept = modalities.present(batch, streams, key_B, 0.4)
  eyes, audio = (np.asarray(kept[name]) for name in streams)
  assert not audio[::2].any()  # what is not there does not come back
  assert eyes[::2].all()  # the only one they have
  assert (eyes | audio)[1::2].all()
  # Both are drawn away with .16 and then both stay: .4 - .16 lack one.
  assert 0.19 < 1 - eyes[1::2].mean() < 0.29
  assert 0.19 < 1 - audio[1::2].mean() < 0.29
  still = modalities.present(batch, streams, None, 0.4)
  assert still['eyes'] is None
  np.testing.assert_array_equal(still['audio'], np.arange(2000) % 2 == 1)


def test_modality_dropout_masks_in_training_only():
  batch = networks.everything(4)
  streams = ('eyes', 'mouth', 'text')
  build = functools.partial(
    models.build, 'mfcnn', num_classes=3, streams=streams, dropout=0.0, **TINY
  )
  never, often = (
    build(drop_rate=0.0),
    build(drop_rate=0.0, modality_dropout=0.9),
  )
  params = networks.random_params(never, batch)
  a, b = (train(m, params, batch) for m in (never, often))
  assert np.abs(a[0] - b[0]).max() > 1e-4
  zero = np.array([[not np.any(b[1][s][i]) for s in streams] for i in range(4)])
  assert zero.any() and not zero.all(1).any()
  a, b = (networks.run(m, params, batch)[0] for m in (never, often))
  np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  'fusion', ['late', pytest.param('intermediate', marks=pytest.mark.slow)]
)
def test_each_stream_hangs_on_its_own_input(fusion):
  """Any change of one stream leaves the features of all others as they are."""
  batch = networks.everything(2)
  model = models.build(
    'mfcnn', num_classes=3, streams=ALL, fusion=fusion, **TINY
  )
  params = networks.random_params(model, batch)
  forward = jax.jit(model.apply)
  _, out = forward({'params': params}, batch)
  for changed in ALL:
    other = {**batch, changed: np.roll(batch[changed], 1, axis=0)}
    _, new = forward({'params': params}, other)
    for name in ALL:
      same = (new[name] == out[name]).all()
      assert same == (name != changed), (changed, name)


def test_words_are_their_equation():
  """Embedding, convolution over three words, maximum and mean: in NumPy."""
  module = encoders.Words(vocabulary=50, filters=6)
  words = np.array([[7, 90, 2**31 - 2, 0, 0], [3, 0, 0, 0, 0]], np.int32)
  params = networks.random_params(module, words)
  params['conv']['bias'] = np.linspace(-0.1, 0.1, 6, dtype=np.float32)
  rows = []
  for line in words:
    there = [w for w in line if w]
    table = [params['embedding'][w % 50] for w in there]
    x = np.pad(table, [(1, 1 + len(line) - len(there)), (0, 0)])
    kernel = params['conv']['kernel'][:, 0, 0]
    y = [
      sum(x[i + k] @ kernel[k] for k in range(3)) + params['conv']['bias']
      for i in range(len(there))
    ]
    y = np.maximum(y, 0)
    largest = np.maximum(y.max(0), 0)  # the places without a word are zeros
    rows.append(np.concatenate([largest, y.mean(0)]))
  features, maps = networks.run(module, params, words)
  assert maps == {}
  np.testing.assert_allclose(features, rows, rtol=1e-5, atol=1e-5)


def test_words_beyond_the_transcript_change_nothing():
  module = encoders.Words(vocabulary=50, filters=6)
  words = np.array([[7, 90, 2**31 - 2, 0, 0]], np.int32)
  params = networks.random_params(module, words)
  x, _ = networks.run(module, params, words)
  longer = np.pad(words, [(0, 0), (0, 4)])
  y, _ = networks.run(module, params, longer)
  np.testing.assert_allclose(x, y, rtol=1e-6)
  swapped, _ = networks.run(module, params, words[:, [1, 0, 2, 3, 4]])
  assert np.abs(x - swapped).max() > 1e-4  # their order counts
  none, _ = networks.run(module, params, np.zeros_like(words))
  np.testing.assert_array_equal(none, 0)


def test_sound_goes_through_the_2d_trunk():
  module = encoders.Sound(filters=4, name='audio')
  x = jnp.ones((2, 32, 24, 1))
  params = networks.random_params(module, x)
  features, maps = networks.run(module, params, x)
  assert params['trunk']['conv']['kernel'].shape == (1, 5, 5, 1, 4)
  assert maps['spatial_attention'].shape == (2, 1, 28, 20, 1)
  assert features.shape == (2, 7 * 5 * 8)
