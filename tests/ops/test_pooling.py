"""Max-pooling is flax's own, in value, in gradient and in every tie."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax.ops import pooling, products

CASES = [
  ((2, 6, 6, 6, 3), (3, 3, 3)),
  ((2, 5, 8, 7, 2), (2, 3, 3)),  # no size is divisible
  ((1, 4, 5, 9, 1), (1, 5, 2)),
  ((1, 3, 4, 4, 5), (3, 4, 4)),  # one window is the whole clip
  ((3, 2, 3, 2, 2), (1, 1, 1)),
  ((1, 5, 6, 5, 2), (5, 6, 5)),  # more places than a byte can count
]


def flax_max_pool(x, window):
  return nn.max_pool(x, window, window)


@functools.partial(jax.jit, static_argnums=(0, 2))
def value_and_gradient(pool, x, window):
  """The pooled maps, and the gradient of their product with fixed numbers."""
  y, vjp = jax.vjp(lambda x: pool(x, window), x)
  g = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
  return y, vjp(g)[0]


@pytest.mark.parametrize(
  ('shape', 'window', 'values'),
  [
    *((*case, 2) for case in CASES[1:4]),
    *((*CASES[5], values) for values in (5, None)),
    *(
      pytest.param(*case, values, marks=pytest.mark.slow)
      for values, cases in (
        *((2, CASES[::4]), (2, CASES[5:]), (5, CASES[:5])),
        (None, CASES[:5]),
      )
      for case in cases
    ),
  ],
)
def test_equals_flax(shape, window, values):
  """Integers of 0..1 and 0..4 tie in nearly every window; normals never."""
  random = np.random.default_rng(0)
  x = random.normal(size=shape)
  if values:
    x = random.integers(0, values, shape)
  x = x.astype(np.float32)
  ours = value_and_gradient(pooling.max_pool3d, x, window)
  flax = value_and_gradient(flax_max_pool, x, window)
  for a, b in zip(ours, flax, strict=True):
    np.testing.assert_array_equal(a, b)


def test_equals_flax_under_jit_and_vmap():
  x = np.random.default_rng(0).integers(0, 3, (4, 2, 4, 6, 6, 2))
  x = x.astype(np.float32)

  def both(pool):
    return jax.jit(jax.vmap(lambda x: value_and_gradient(pool, x, (2, 3, 2))))(
      x
    )

  for a, b in zip(both(pooling.max_pool3d), both(flax_max_pool), strict=True):
    np.testing.assert_array_equal(a, b)


def test_the_first_of_equals_takes_the_gradient():
  x = jnp.zeros((1, 2, 2, 2, 1))
  gradient = jax.grad(lambda x: pooling.max_pool3d(x, (2, 2, 2)).sum())(x)
  np.testing.assert_array_equal(gradient.ravel(), [1, 0, 0, 0, 0, 0, 0, 0])


def test_forward_mode_is_the_gradient_too():
  random = np.random.default_rng(0)
  x, x_dot = random.normal(size=(2, 1, 4, 4, 4, 2)).astype(np.float32)
  y_dot = jax.jvp(lambda x: pooling.max_pool3d(x, (2, 2, 2)), (x,), (x_dot,))[1]
  flax = jax.jvp(lambda x: flax_max_pool(x, (2, 2, 2)), (x,), (x_dot,))[1]
  np.testing.assert_allclose(y_dot, flax, rtol=1e-6)


def test_too_large_a_window_is_named():
  with pytest.raises(ValueError, match=r'\(3, 5, 3\).*\(4, 4, 4\)'):
    pooling.max_pool3d(jnp.zeros((1, 4, 4, 4, 1)), (3, 5, 3))


@pytest.mark.parametrize(
  ('axes', 'ties'),
  [
    *(((3,), True), ((1, 2), False), ((0, 1, 2, 3), True)),
    *(
      pytest.param(axes, ties, marks=pytest.mark.slow)
      for axes, ties in (
        *(((3,), False), ((1,), True), ((1,), False)),
        *(((1, 2), True), ((0, 1, 2, 3), False)),
      )
    ),
  ],
)
def test_a_peak_gives_its_gradient_to_the_first_that_has_it(ties, axes):
  random = np.random.default_rng(0)
  x = random.normal(size=(2, 5, 4, 6)).astype(np.float32)
  x = np.round(x) if ties else x
  g = random.normal(size=x.max(axes).shape).astype(np.float32)
  value, back = jax.vjp(lambda x: pooling.peak(x, axes), x)
  np.testing.assert_array_equal(value, x.max(axes))
  flat = x.reshape(*x.shape[: axes[0]], -1, *x.shape[axes[-1] + 1 :])
  first = np.expand_dims(flat.argmax(axes[0]), axes[0])
  wanted = np.zeros_like(flat)
  np.put_along_axis(wanted, first, g.reshape(first.shape), axes[0])
  np.testing.assert_array_equal(back(g)[0], wanted.reshape(x.shape))


def test_weighing_by_a_map_is_a_product():
  random = np.random.default_rng(0)
  x = random.normal(size=(2, 3, 4, 6)).astype(np.float32)
  weight = random.normal(size=(2, 3, 4, 1)).astype(np.float32)
  ours, theirs = (
    jax.jit(lambda *a, f=f: (f(*a), *jax.vjp(f, *a)[1](x)))(x, weight)
    for f in (products.weigh, lambda x, w: x * w)
  )
  for a, b in zip(ours, theirs, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
