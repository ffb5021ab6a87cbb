"""Saliency by its axioms, on functions that have nothing to do with ours."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax import saliency
from tests.fixtures import networks

KEY = jax.random.key(0)
METHODS = {
  'gradient': saliency.gradient,
  'gradient_x_input': saliency.gradient_x_input,
  'integrated_gradients': saliency.integrated_gradients,
  'smooth_grad': lambda *a, **k: saliency.smooth_grad(*a, key=KEY, **k),
}


class Video(nn.Module):
  """Somebody else's video network: plain Flax, (scores, out)."""

  @nn.compact
  def __call__(self, x):
    out = {}
    x = out['early'] = nn.relu(nn.Conv(6, (3, 3, 3))(x))
    x = nn.max_pool(x, (1, 2, 2), (1, 2, 2))
    x = out['late'] = nn.relu(nn.Conv(8, (3, 3, 3))(x))
    out['unread'] = x * 2.0
    x = nn.relu(nn.Dense(16)(x.reshape(len(x), -1)))
    return nn.Dense(3)(x), out


@pytest.fixture(scope='module')
def video():
  """f(x, params), params, x (5, 4, 6, 6, 1), target (5,)."""
  model = Video()
  x = np.asarray(jax.random.normal(jax.random.key(1), (5, 4, 6, 6, 1)))
  # With biases, so that the network is not merely a slope through zero.
  params = {'params': networks.random_params(model, x[:1])}

  def f(x, params):
    return model.apply(params, x)

  return f, params, x, np.array([0, 1, 2, 0, 1])


def linear(x, w_NC):
  return x['a'].reshape(len(x['a']), -1) @ w_NC + 1.0


@pytest.fixture(scope='module')
def affine():
  """A linear model of a tree: its arguments and its weights."""
  random = np.random.default_rng(2)
  x, w_NC = (
    random.normal(size=shape).astype(np.float32)
    for shape in ((7, 3, 4), (12, 2))
  )
  return {'a': x}, w_NC, np.arange(7) % 2


@pytest.mark.parametrize('name', METHODS)
def test_a_linear_model_gets_the_exact_answer(affine, name):
  x, w_NC, target = affine
  maps = METHODS[name](linear, x, target, args=(w_NC,), rows=3)['a']
  expected = w_NC.T[target].reshape(7, 3, 4)
  if name in ('gradient_x_input', 'integrated_gradients'):
    expected = expected * x['a']
  np.testing.assert_allclose(maps, expected, rtol=2e-5, atol=1e-6)
  assert maps.dtype == jnp.float32


def test_occlusion_of_a_linear_model_is_what_it_hides(affine):
  x, w_NC, target = affine
  masks = {'a': saliency.boxes((3, 4), (1, 1), (1, 1))}
  falls = saliency.occlusion(linear, x, masks, target, args=(w_NC,), rows=5)
  expected = w_NC.T[target] * x['a'].reshape(7, -1)
  np.testing.assert_allclose(falls, expected, rtol=1e-4, atol=1e-5)
  maps = saliency.spread(falls, masks['a'])
  np.testing.assert_allclose(maps.reshape(7, -1), falls, rtol=1e-6)


def test_masks_of_each_example_its_own(affine):
  x, w_NC, target = affine
  masks = np.zeros((7, 2, 3, 4))
  masks[:, 1] = 1
  falls = saliency.occlusion(
    linear, x, {'a': masks}, target, args=(w_NC,), rows=None
  )
  assert (np.abs(falls[:, 0]) < 1e-6).all()
  whole = (w_NC.T[target] * x['a'].reshape(7, -1)).sum(1)
  np.testing.assert_allclose(falls[:, 1], whole, rtol=1e-4)


@pytest.fixture(scope='module')
def gaps(video):
  """`completeness_gap` of integrated gradients by (baseline, steps)."""
  f, params, x, target = video

  @functools.cache
  def found(baseline, steps):
    given = dict(baseline=baseline, args=(params,))
    maps = saliency.integrated_gradients(f, x, target, steps=steps, **given)
    return saliency.completeness_gap(f, x, maps, target, **given)

  return found


@pytest.mark.parametrize(
  'baseline', [pytest.param(None, marks=pytest.mark.slow), 0.3]
)
def test_integrated_gradients_are_complete(video, gaps, baseline):
  f, params, x, target = video
  given = dict(baseline=baseline, args=(params,))
  gap_B, rise_B = gaps(baseline, 64)
  scale = np.abs(rise_B).max()
  assert np.abs(gap_B).max() < 0.03 * scale
  # Gradient x input does not add up: the test can fail.
  other = saliency.gradient_x_input(f, x, target, **given)
  gap_B, _ = saliency.completeness_gap(f, x, other, target, **given)
  assert np.abs(gap_B).max() > 0.06 * scale


def test_more_steps_are_closer(gaps):
  few, many = (np.abs(gaps(0.3, steps)[0]).max() for steps in (2, 64))
  assert many < 0.5 * few


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(
      name, marks=pytest.mark.slow if name == 'gradient_x_input' else ()
    )
    for name in METHODS
  ],
)
def test_batches_change_nothing(video, name):
  f, params, x, target = video
  method = functools.partial(METHODS[name], f, args=(params,))
  whole = method(x, target, rows=None)
  # Two at once, of the five: the last part is filled up.
  parts = method(x, target, rows=2 if name.startswith('grad') else 64)
  np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-5)
  if name != 'smooth_grad':  # whose noise hangs on no other clip either
    some = method(x[2:4], target[2:4], rows=None)
    np.testing.assert_allclose(whole[2:4], some, rtol=1e-3, atol=1e-5)


def test_smooth_grad_of_no_noise_is_the_gradient(video):
  f, params, x, target = video
  given = dict(args=(params,))
  plain = saliency.gradient(f, x, target, **given)
  smooth = saliency.smooth_grad(f, x, target, key=KEY, noise=0.0, **given)
  np.testing.assert_allclose(smooth, plain, rtol=1e-4, atol=1e-6)
  noisy = saliency.smooth_grad(f, x, target, key=KEY, noise=0.3, **given)
  assert np.abs(noisy - plain).max() > 1e-3


def begin(x, k):
  return jnp.cumsum(x, 1) * k - 2.0


def end(y, k):
  return nn.relu(y).reshape(len(y), -1) ** 2


@pytest.mark.parametrize('name', ['integrated_gradients', 'smooth_grad'])
def test_a_linear_beginning_is_computed_once_and_changes_nothing(name):
  x = np.asarray(jax.random.normal(KEY, (4, 5, 2)))
  target = np.array([1, 5, 7, 9])
  method, k = METHODS[name], jnp.float32(1.5)
  whole = method(lambda x, k: end(begin(x, k), k), x, target, args=(k,))
  parts = method(end, x, target, first=begin, args=(k,))
  np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-4)


def test_random_parameters_destroy_the_map(video):
  """Adebayo et al. 2018: a map that survives explains the input alone."""
  f, params, x, target = video
  random = jax.tree.map(np.random.default_rng(9).permuted, params)
  for name, method in METHODS.items():
    ours, theirs = (
      np.asarray(method(f, x, target, args=(p,))).ravel()
      for p in (params, random)
    )
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.5, name


def test_one_score_an_example_needs_no_target(video):
  f, params, x, _ = video

  def first_class(x, params):
    return f(x, params)[0][:, 0]

  ours = saliency.gradient(first_class, x, args=(params,))
  same = saliency.gradient(f, x, np.zeros(5, int), args=(params,))
  np.testing.assert_allclose(ours, same, rtol=1e-5)
  with pytest.raises(ValueError, match='target'):
    saliency.gradient(f, x, args=(params,))


@pytest.mark.parametrize(
  'jitted', [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_grad_cam_is_the_formula(video, jitted):
  f, params, x, target = video
  given = jax.jit(f) if jitted else f
  cam = saliency.grad_cam(given, x, 'early', target, args=(params,), rows=2)
  model = Video()

  def tail(early):  # the network's second half, written once more
    p = params['params']
    y = nn.max_pool(early, (1, 2, 2), (1, 2, 2))
    y = nn.relu(nn.Conv(8, (3, 3, 3)).apply({'params': p['Conv_1']}, y))
    y = nn.relu(nn.Dense(16).apply({'params': p['Dense_0']}, y.reshape(5, -1)))
    return nn.Dense(3).apply({'params': p['Dense_1']}, y)

  @jax.jit
  def halves(params, x):
    early = model.apply(params, x)[1]['early']
    score = jax.grad(lambda a: tail(a)[np.arange(5), target].sum())
    return early, score(early)

  early, slope = halves(params, x)
  weight = slope.mean((1, 2, 3), keepdims=True)
  expected = nn.relu((weight * early).sum(-1))
  np.testing.assert_allclose(cam, expected, rtol=1e-4, atol=1e-6)
  assert cam.shape == (5, 4, 6, 6)
  sized = saliency.grad_cam(
    f, x, 'late', target, shape=(4, 6, 6), args=(params,)
  )
  assert sized.shape == (5, 4, 6, 6)


class Halves(nn.Module):
  """A 2D network in bfloat16 of a dict, its layers within jit and remat."""

  @nn.compact
  def __call__(self, x):
    out = {}
    for name in ('left', 'right'):
      a = nn.Conv(4, (3, 3), dtype=jnp.bfloat16, name=name)(x[name])
      out[name] = a = jax.checkpoint(jax.jit(nn.gelu))(a)
    pooled = jnp.concatenate([out['left'], out['right']], -1).mean((1, 2))
    return nn.Dense(3, dtype=jnp.bfloat16)(pooled), out


@pytest.fixture(scope='module')
def halves():
  """f(x, params), params, x of two images a piece, and targets."""
  random, model = np.random.default_rng(0), Halves()
  x = {n: random.normal(size=(3, 6, 6, 1)) for n in ('left', 'right')}
  params = {'params': networks.random_params(model, x)}
  return model.apply, params, x, [2, 0, 1]


def test_a_network_in_bfloat16_gets_maps_in_float32(halves):
  apply, params, x, target = halves

  @jax.jit
  def f(x, params):  # jit upon jit: no layer is hidden by it
    return jax.jit(apply)(params, x)

  given = dict(args=(params,), rows=2)
  for method in METHODS.values():
    maps = method(f, x, target, **given)
    assert set(maps) == {'left', 'right'}
    assert all(a.dtype == jnp.float32 for a in maps.values())
  masks = {n: saliency.boxes((6, 6, 1), (3, 3, 1), (3, 3, 1)) for n in x}
  falls = saliency.occlusion(f, x, masks, target, **given)
  cam = saliency.grad_cam(f, x, 'left', target, shape=(6, 6), **given)
  gap, rise = saliency.completeness_gap(f, x, maps, target, **given)
  assert falls.dtype == cam.dtype == gap.dtype == rise.dtype == jnp.float32
  assert cam.shape == (3, 6, 6) and np.ptp(cam) > 0


def begin_in_bfloat16(x, k):
  return (x * k).astype(jnp.bfloat16)


@pytest.mark.parametrize('name', ['integrated_gradients', 'smooth_grad'])
def test_a_beginning_in_bfloat16_changes_little(name):
  x, target = np.random.default_rng(0).normal(size=(2, 5, 2)), [1, 5]
  given = dict(args=(jnp.float32(1.5),))
  whole = METHODS[name](lambda x, k: end(x * k, k), x, target, **given)
  parts = METHODS[name](end, x, target, first=begin_in_bfloat16, **given)
  np.testing.assert_allclose(whole, parts, atol=0.05 * np.abs(whole).max())


def test_a_target_is_one_for_all_or_one_for_each(affine):
  x, w_NC, _ = affine
  given = dict(args=(w_NC,))
  one = saliency.gradient(linear, x, 1, **given)['a']
  each = saliency.gradient(linear, x, [1] * 7, **given)['a']
  np.testing.assert_array_equal(one, each)
  for wrong in ([1, 0], [0.5] * 7, -1, np.ones((7, 2), int)):
    with pytest.raises(ValueError, match='target'):
      saliency.gradient(linear, x, wrong, **given)
  assert np.isnan(saliency.gradient(linear, x, 2, **given)['a']).all()


@pytest.mark.parametrize(
  ('layer', 'word'), [('absent', 'early'), ('unread', 'do not depend on')]
)
def test_grad_cam_says_what_is_wrong_with_a_layer(video, layer, word):
  f, params, x, target = video
  with pytest.raises(ValueError, match=word):
    saliency.grad_cam(f, x, layer, target, args=(params,))


def test_boxes_cover_everything():
  masks = saliency.boxes((5, 7, 1), (2, 3, 1), (2, 2, 1))
  assert (masks.sum(0) > 0).all()
  assert set(masks.reshape(len(masks), -1).sum(1)) == {6}


def test_deletion_and_insertion_prefer_the_true_order(affine):
  x, w_NC, target = affine
  true = {'a': w_NC.T[target].reshape(7, 3, 4) * x['a']}
  random = np.random.default_rng(5)
  chance = {'a': random.normal(size=(7, 3, 4)).astype(np.float32)}

  def area(curve, maps):
    return curve(linear, x, maps, target, args=(w_NC,), points=12).mean(1)

  assert (
    area(saliency.deletion, true) <= area(saliency.deletion, chance) + 1e-5
  ).all()
  assert (
    area(saliency.insertion, true) >= area(saliency.insertion, chance) - 1e-5
  ).all()
  curve = saliency.deletion(linear, x, true, target, args=(w_NC,), points=12)
  scores = np.asarray(linear(x, w_NC))[np.arange(7), target]
  np.testing.assert_allclose(curve[:, 0], scores, rtol=1e-4)
  np.testing.assert_allclose(curve[:, -1], 1.0, rtol=1e-4)


def test_pointing_and_energy_by_hand():
  maps = np.array([[[0, 3], [1, 0]], [[0, 0], [0, 0]], [[-9, 1], [1, 0]]])
  masks = np.array([[[0, 1], [0, 0]], [[1, 0], [0, 0]], [[1, 0], [1, 0]]])
  assert saliency.points_inside(maps, masks).tolist() == [True, False, False]
  np.testing.assert_allclose(
    saliency.energy_inside(maps, masks), [0.75, 0.25, 0.5]
  )
