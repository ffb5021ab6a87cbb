"""The fast convolutions are lax's own, in value and in both gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mefnet_jax.ops import convolution

# Clips (B, T, H, W, C), kernel (frames, rows, columns), filters.
CASES = [
  ((2, 6, 5, 5, 1), (3, 3, 3), 4),
  ((1, 9, 4, 6, 1), (5, 2, 3), 2),  # even rows
  ((2, 5, 6, 4, 2), (2, 2, 2), 3),  # all even
  ((1, 4, 5, 9, 3), (1, 3, 5), 2),  # flat in time: columns are folded
  ((1, 3, 8, 9, 4), (3, 7, 7), 1),  # the attention's
  ((2, 4, 5, 5, 2), (4, 5, 5), 3),  # as large as the clip
  ((1, 3, 4, 4, 3), (1, 1, 1), 5),
  ((1, 7, 3, 3, 1), (3, 1, 1), 6),
  ((1, 23, 3, 4, 1), (4, 3, 3), 50),  # blocks of 2 do not divide 20
  ((1, 40, 3, 3, 1), (3, 2, 2), 7),  # blocks of 14 do not divide 38
  ((1, 2, 3, 31, 2), (1, 2, 4), 40),  # blocks of columns
]


def lax_conv3d(x, kernel, padding='VALID'):
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (1, 1, 1),
    padding,
    dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
    precision='highest',
  )


def lax_pooled(x, kernel, window):
  return nn.max_pool(lax_conv3d(x, kernel), window, window)


def arrays(shape, kernel, filters, *, whole=False):
  """Clips and a kernel; whole numbers make every sum exact, and ties."""
  random = np.random.default_rng(sum(shape) + filters)
  shapes = shape, (*kernel, shape[-1], filters)
  if whole:
    drawn = [random.integers(-2, 3, s) for s in shapes]
  else:
    drawn = [random.normal(size=s) for s in shapes]
  return [a.astype(np.float32) for a in drawn]


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradients(operator, *operands):
  y, vjp = jax.vjp(operator, *operands)
  g = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
  return y, *vjp(g)


def assert_same(ours, lax):
  for a, b in zip(ours, lax, strict=True):
    assert a.shape == b.shape
    b = np.asarray(b)  # jax would compile abs and max for each shape
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * abs(b).max())


@pytest.mark.parametrize(
  ('shape', 'kernel', 'filters', 'padding'),
  [(*CASES[i], 'VALID') for i in (2, 4, 8, 10)]
  + [(*CASES[i], 'SAME') for i in (0, 1)]
  + [
    pytest.param(*CASES[i], padding, marks=pytest.mark.slow)
    for padding, rest in (('VALID', (0, 1, 3, 5, 6, 7, 9)), ('SAME', (2, 3, 4)))
    for i in rest
  ],
)
def test_conv3d_equals_lax(shape, kernel, filters, padding):
  operands = arrays(shape, kernel, filters)
  ours = functools.partial(convolution.conv3d, padding=padding)
  lax = functools.partial(lax_conv3d, padding=padding)
  assert_same(
    value_and_gradients(ours, *operands), value_and_gradients(lax, *operands)
  )


@pytest.mark.parametrize(
  ('shape', 'kernel', 'filters', 'window'),
  [
    pytest.param(
      *((2, 8, 7, 6, 1), (5, 3, 3), 4, (2, 2, 2)), marks=pytest.mark.slow
    ),
    ((1, 8, 7, 6, 1), (5, 3, 3), 4, (3, 1, 3)),  # frames, columns left over
    ((1, 23, 5, 5, 1), (4, 3, 3), 50, (3, 3, 2)),  # blocks grow to windows
    ((1, 5, 6, 20, 2), (2, 3, 4), 40, (1, 3, 2)),  # blocks of columns
    pytest.param(  # the base network's
      *((2, 18, 8, 8, 1), (15, 3, 3), 32, (3, 3, 3)), marks=pytest.mark.slow
    ),
  ],
)
def test_pooled_convolution_equals_lax(shape, kernel, filters, window):
  """Exact sums, so that the ties are lax's and share their gradient alike."""
  operands = arrays(shape, kernel, filters, whole=True)

  def ours(x, kernel):
    return convolution.conv3d_max_pool3d(x, kernel, window)

  def lax(x, kernel):
    return lax_pooled(x, kernel, window)

  assert_same(
    value_and_gradients(ours, *operands), value_and_gradients(lax, *operands)
  )


@pytest.mark.parametrize(
  'pooled', [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_kernels_under_vmap_are_each_kernel_alone(pooled):
  """Folds share the clips: one set of patches, a product for all kernels."""
  x, _ = arrays((2, 9, 6, 6, 1), (4, 3, 3), 3)
  kernels = np.random.default_rng(2).normal(size=(3, 4, 3, 3, 1, 3))
  kernels = kernels.astype(np.float32)

  def operator(x, kernel):
    if pooled:
      return convolution.conv3d_max_pool3d(x, kernel, (2, 2, 2))
    return convolution.conv3d(x, kernel)

  def gradients(kernel):
    return value_and_gradients(operator, x, kernel)

  together = jax.vmap(gradients)(kernels)
  for k, kernel in enumerate(kernels):
    assert_same([a[k] for a in together], gradients(kernel))


def test_vmap_over_clips_and_kernels():
  random = np.random.default_rng(0)
  x = random.normal(size=(3, 1, 6, 5, 5, 2)).astype(np.float32)
  kernels = random.normal(size=(3, 3, 2, 2, 2, 4)).astype(np.float32)
  together = jax.vmap(convolution.conv3d)(x, kernels)
  for k in range(3):
    assert_same([together[k]], [lax_conv3d(x[k], kernels[k])])


def test_pooling_never_reads_what_is_cut_off():
  x, kernel = arrays((1, 9, 9, 10, 1), (3, 3, 3), 4)
  read = convolution.read_by_pooling(x, (3, 3, 3), (3, 3, 3))
  assert read.shape == (1, 8, 8, 8, 1)
  np.testing.assert_allclose(
    lax_pooled(read, kernel, (3, 3, 3)),
    lax_pooled(x, kernel, (3, 3, 3)),
    rtol=1e-5,
  )
  other = np.array(x)
  other[:, :8, :8, :8] = 0
  gradient = jax.grad(lambda x: lax_pooled(x, kernel, (3, 3, 3)).sum())
  assert not np.asarray(gradient(x))[np.asarray(other) != 0].any()


def test_output_shape_is_what_is_left():
  shape = convolution.output_shape((18, 64, 64), (15, 3, 3), (3, 3, 3))
  assert shape == (1, 20, 20)


@pytest.mark.parametrize(
  ('kernel', 'window', 'said'),
  [
    ((5, 3, 3, 1, 2), (1, 1, 1), r'\(5, 3, 3\).*\(4, 6, 6\)'),
    ((3, 3, 3, 2, 2), (1, 1, 1), r'\(3, 3, 3, 2, 2\).*1 channels'),
    ((3, 3, 3, 1, 2), (3, 1, 1), r'\(3, 1, 1\).*\(2, 4, 4\)'),
  ],
)
def test_errors_name_the_sizes(kernel, window, said):
  x = jnp.zeros((1, 4, 6, 6, 1))
  with pytest.raises(ValueError, match=said):
    convolution.conv3d_max_pool3d(x, jnp.zeros(kernel), window)


def test_an_unknown_padding_is_named():
  with pytest.raises(ValueError, match='FULL'):
    convolution.conv3d(
      jnp.zeros((1, 4, 4, 4, 1)), jnp.zeros((3, 3, 3, 1, 1)), padding='FULL'
    )
