"""Micro-attention is eqs. 1 to 3, stated a second time in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax.models import attention, layers
from tests.fixtures import numpy_layers

SHAPE = (3, 4, 5, 6, 8)  # B T H W C


def clips():
  return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def eq1(x, params):
  """A_C = sigmoid(MLP(mean) + MLP(max)), N_C = A_C N."""
  scores = sum(
    numpy_layers.dense(
      np.maximum(numpy_layers.dense(pool(x, (1, 2, 3)), params['squeeze']), 0),
      params['excite'],
    )
    for pool in (np.mean, np.max)
  )
  gate = numpy_layers.sigmoid(scores)
  return x * gate[:, None, None, None], gate


def eq2(x, params):
  """A_S = sigmoid(conv(lam max + (1 - lam) mean)), N_S = A_S N."""
  lam = numpy_layers.sigmoid(params['mixing'])
  pooled = lam * x.max(-1, keepdims=True) + (1 - lam) * x.mean(
    -1, keepdims=True
  )
  conv = params['convolution']
  highlight = numpy_layers.sigmoid(
    numpy_layers.conv3d(
      np.maximum(numpy_layers.conv3d(pooled, conv['space']), 0), conv['time']
    )
  )
  return x * highlight, highlight


def test_channel_attention_is_eq1():
  x, cam = clips(), attention.ChannelAttention(reduction=4)
  params = numpy_layers.random_params(cam, x)
  for ours, numpy in zip(
    numpy_layers.apply(cam, params, x), eq1(x, params), strict=True
  ):
    np.testing.assert_allclose(ours, numpy, rtol=1e-4, atol=1e-5)


def test_spatial_temporal_attention_is_eq2():
  x, stam = clips(), attention.SpatialTemporalAttention()
  params = numpy_layers.random_params(stam, x)
  for ours, numpy in zip(
    numpy_layers.apply(stam, params, x), eq2(x, params), strict=True
  ):
    np.testing.assert_allclose(ours, numpy, rtol=1e-4, atol=1e-5)


def test_parallel_attention_is_eq3():
  """N_C first, then N_S; each alone where the other is switched off."""
  x, both = clips(), attention.ParallelAttention()
  params = numpy_layers.random_params(both, x)
  ours, out = numpy_layers.apply(both, params, x)
  n_c, gate = eq1(x, params['channel'])
  n_s, highlight = eq2(x, params['spatial'])
  expected = np.concatenate([n_c, n_s], -1)
  np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(out['channel_attention'], gate, rtol=1e-4)
  np.testing.assert_allclose(out['spatial_attention'], highlight, rtol=1e-4)
  for off, alone in (('spatial', n_c), ('channel', n_s)):
    module = attention.ParallelAttention(**{off: False})
    own = {k: v for k, v in params.items() if k != off}
    part, _ = numpy_layers.apply(module, own, x)
    np.testing.assert_allclose(part, alone, rtol=1e-4, atol=1e-5)


def test_maps_may_be_pooled_before_they_are_weighed():
  """The weight of a channel is positive and the same at all its positions."""
  x, both, window = clips(), attention.ParallelAttention(), (2, 2, 2)
  params = numpy_layers.random_params(both, x)
  last, _ = numpy_layers.apply(both, params, x)
  run = jax.jit(lambda params, x: both.apply(params, x, None, window))
  first, _ = run({'params': params}, x)
  peaks = np.asarray(last)[:, :, :4].reshape(3, 2, 2, 2, 2, 3, 2, 16)
  np.testing.assert_allclose(first, peaks.max((2, 4, 6)), rtol=1e-4, atol=1e-5)


def test_without_either_nothing_changes():
  x = clips()
  none = attention.ParallelAttention(channel=False, spatial=False)
  same, out = none.apply({}, x)
  np.testing.assert_array_equal(same, x)
  assert out == {}


def test_gates_are_open_and_never_wide_open():
  x, both = clips(), attention.ParallelAttention()
  _, out = numpy_layers.apply(both, numpy_layers.random_params(both, x), x)
  for gate in out.values():
    assert (gate > 0).all() and (gate < 1).all()


def attended(rate, *, train, threshold=0.9):
  """STAM's factor of each position, and its highlight map."""
  x = np.abs(clips()) + 1
  stam = attention.SpatialTemporalAttention(drop_rate=rate, threshold=threshold)
  params = numpy_layers.random_params(stam, x)
  key_B = jax.random.split(jax.random.key(0), len(x)) if train else None
  y, highlight = numpy_layers.apply(stam, params, x, key_B)
  return np.asarray(y / x)[..., :1], np.asarray(highlight)


@pytest.mark.parametrize('threshold', [0.5, 0.9])
def test_drop_mask_hides_what_is_highlighted(threshold):
  factor, highlight = attended(1.0, train=True, threshold=threshold)
  peak = highlight.max((1, 2, 3, 4), keepdims=True)
  np.testing.assert_allclose(factor, highlight <= threshold * peak, atol=1e-6)
  assert (factor[highlight == np.broadcast_to(peak, factor.shape)] == 0).all()


def test_drop_mask_is_for_training_only():
  for rate, train in ((1.0, False), (0.0, True)):
    factor, highlight = attended(rate, train=train)
    np.testing.assert_allclose(factor, highlight, rtol=1e-5)


def test_drop_mask_comes_at_its_rate_to_whole_clips():
  """Of many clips, about a quarter gets the mask; none gets half of it."""
  clip = np.abs(clips()[:1, :2, :3, :3]) + 1
  x = np.repeat(clip, 400, 0)
  stam = attention.SpatialTemporalAttention(drop_rate=0.25)
  params = numpy_layers.random_params(stam, x[:1])
  key_B = jax.random.split(jax.random.key(0), len(x))
  y, highlight = numpy_layers.apply(stam, params, x, key_B)
  kept = np.isclose(y, x * highlight, rtol=1e-5).all((1, 2, 3, 4))
  assert 0.17 < 1 - kept.mean() < 0.33
  masked = np.asarray(y / x)[~kept]
  assert np.isin(masked, [0, 1]).all()


def test_2plus1d_is_space_then_time():
  x = clips()
  module = layers.Conv2Plus1D(3, (3, 3, 3), 'SAME', middle=4)
  params = numpy_layers.random_params(module, x)
  expected = numpy_layers.conv3d(
    np.maximum(numpy_layers.conv3d(x, params['space']), 0), params['time']
  )
  ours = numpy_layers.apply(module, params, x)
  np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_2plus1d_has_the_parameters_of_the_whole_kernel():
  for kernel, channels, features in (((3, 3, 3), 16, 32), ((3, 7, 7), 8, 8)):
    middle = layers.matching_middle(kernel, channels, features)
    kt, kh, kw = kernel
    apart = middle * (kh * kw * channels + kt * features)
    whole = kt * kh * kw * channels * features
    assert apart <= whole < apart + kh * kw * channels + kt * features
  x = jnp.zeros((1, 5, 5, 5, 2))
  default = numpy_layers.random_params(layers.Conv2Plus1D(4, (3, 3, 3)), x)
  shape = default['space']['kernel'].shape
  assert shape == (1, 3, 3, 2, layers.matching_middle((3, 3, 3), 2, 4))
