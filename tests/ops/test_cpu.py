"""The kernels of a CPU are the layers of XLA, in value and in each gradient."""

import ast
import functools
import os
import pathlib
import platform
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mefnet_jax import models, ops
from mefnet_jax.ops import choice, convolution, pooling, xla
from mefnet_jax.training import optimizer, parallel
from tests.fixtures import kernels, networks
from tests.fixtures.kernels import planes

# Clips (B, T, H, W), kernel, filters, window; filters that fill no vector.
CASES = [
  ((2, 6, 8, 8), (3, 3, 3), 4, (2, 2, 2)),
  ((1, 9, 12, 7), (5, 2, 3), 16, (2, 3, 1)),  # even rows
  ((2, 4, 11, 13), (1, 3, 3), 37, (1, 3, 3)),  # without time
  ((1, 20, 5, 6), (17, 1, 1), 50, (2, 2, 3)),  # more frames than lanes
  ((2, 7, 9, 33), (2, 4, 5), 32, (3, 2, 7)),  # a long row
]
# Those that differ most; the others are slow where the loops are the same.
DIFFERENT = [CASES[i] for i in (0, 3, 4)] + [
  pytest.param(*CASES[i], marks=pytest.mark.slow) for i in (1, 2)
]
# Whether `make test` has a case with any numbers, and with whole ones.
POOLED = [(0, 1), (0, 0), (0, 0), (1, 0), (1, 0)]
KERNEL = kernels.Forms()


def arrays(shape, kernel, filters, *, whole=False):
  """Clips, kernel and bias; whole numbers make every sum exact, and ties."""
  random = np.random.default_rng(sum(shape) + filters)
  shapes = (*shape, 1), (*kernel, 1, filters), (filters,)
  if whole:
    drawn = [random.integers(-2, 3, s) for s in shapes]
  else:
    drawn = [random.normal(size=s) for s in shapes]
  return [jnp.asarray(a, jnp.float32) for a in drawn]


def pools(y, weight, window):
  """The kernel that pools maps of a kernel."""
  made = ops.Maps(y, None, None, None, None, fused=True)
  return KERNEL['max_pools'](made, weight, window)


def with_gradients(function, *operands):
  """Values, and gradients of all operands for given ones of the values."""

  @jax.jit
  def run(*operands):
    values, back = jax.vjp(function, *operands)
    random = np.random.default_rng(1)
    bars = [random.normal(size=v.shape) for v in jax.tree.leaves(values)]
    bars = [jnp.asarray(bar, jnp.float32) for bar in bars]
    bars = jax.tree.unflatten(jax.tree.structure(values), bars)
    return jax.tree.leaves(values), back(bars)

  return jax.tree.leaves(run(*operands))


def assert_same(ours, theirs, tolerance=1e-5):
  """Of each array, or of all where one is next to nothing."""
  # Numpy: jax would compile abs and max for each shape.
  ours, theirs = (list(map(np.asarray, x)) for x in (ours, theirs))
  least = 1e-3 * max(float(abs(b).max()) for b in theirs)
  for a, b in zip(ours, theirs, strict=True):
    assert a.shape == b.shape
    scale = max(float(abs(b).max()), least)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@pytest.fixture(autouse=True, scope='module')
def ready():
  assert not choice.obstacle()


@pytest.mark.parametrize(
  ('shape', 'kernel', 'filters', 'window', 'whole'),
  [
    pytest.param(*case, whole, marks=() if quick else pytest.mark.slow)
    for case, of_numbers in zip(CASES, POOLED, strict=True)
    for whole, quick in zip((False, True), of_numbers, strict=True)
  ],
)
def test_convolution_and_pooling(shape, kernel, filters, window, whole):
  """With whole numbers many places tie: the first has the gradient."""
  x, kernel, _ = arrays(shape, kernel, filters, whole=whole)
  ours = functools.partial(KERNEL['convolve_max_pool'], window=window)
  theirs = functools.partial(convolution.conv3d_max_pool3d, window=window)
  assert_same(
    with_gradients(lambda x, w: ours(x, w), x, kernel),
    with_gradients(lambda x, w: theirs(x, w), x, kernel),
  )


def plain_maps(x, kernel, bias):
  y = jax.nn.relu(convolution.conv3d(x, kernel) + bias.reshape(1, 1, 1, 1, -1))
  return ops.Maps(
    y,
    y.mean((1, 2, 3)),
    y.max((1, 2, 3)),
    y.mean(-1, keepdims=True),
    y.max(-1, keepdims=True),
  )


@pytest.mark.parametrize(('shape', 'kernel', 'filters', 'window'), DIFFERENT)
def test_maps_and_what_attention_asks_of_them(shape, kernel, filters, window):
  operands = arrays(shape, kernel, filters)
  assert_same(
    with_gradients(KERNEL['convolve_relu'], *operands),
    with_gradients(plain_maps, *operands),
  )


def test_maps_of_clips_of_several_channels():
  """As of flow, and of what (2+1)D leaves between space and time."""
  random = np.random.default_rng(8)
  shapes = (2, 6, 7, 9, 3), (4, 2, 3, 3, 20), (20,)
  operands = [jnp.asarray(random.normal(size=s), jnp.float32) for s in shapes]
  assert_same(
    with_gradients(KERNEL['convolve_relu'], *operands),
    with_gradients(plain_maps, *operands),
  )


# Clips, kernels in space and in time; several frames share vectors, or none do.
FACTORS = [
  ((2, 6, 9, 8, 1), (1, 3, 3, 1, 8), (4, 1, 1, 8, 32)),
  ((1, 5, 6, 6, 2), (1, 3, 3, 2, 37), (1, 1, 1, 37, 7)),
  pytest.param(
    *((2, 7, 8, 9, 3), (1, 2, 3, 3, 5), (3, 1, 1, 5, 12)),
    marks=pytest.mark.slow,
  ),
]


@pytest.mark.parametrize(('shape', 'space', 'time'), FACTORS)
def test_space_then_time_in_one_pass(shape, space, time):
  random = np.random.default_rng(sum(shape))
  shapes = shape, space, space[-1:], time, time[-1:]
  drawn = [jnp.asarray(random.normal(size=s), jnp.float32) for s in shapes]

  def ours(x, first, shift, *last):
    return KERNEL['convolve_relu'](x, *last, space=(first, shift))

  def theirs(x, first, shift, *last):
    return plain_maps(xla.convolve(x, first, shift, relu=True), *last)

  assert_same(with_gradients(ours, *drawn), with_gradients(theirs, *drawn))
  with pytest.raises(ValueError, match=r'the other in time'):
    ours(*drawn[:3], drawn[3].swapaxes(0, 1) if time[0] > 1 else drawn[1], 0)
  with pytest.raises(ValueError, match=r'does not fit in clips'):
    ours(drawn[0][:, : time[0] - 1], *drawn[1:])


def test_a_convolution_in_space_is_computed_where_no_kernel_takes_both():
  random = np.random.default_rng(5)
  shapes = (2, 5, 7, 7, 2), (1, 3, 3, 2, 4), (4,), (3, 1, 1, 4, 80), (80,)
  drawn = [jnp.asarray(random.normal(size=s), jnp.float32) for s in shapes]
  later = ops.InSpace(*drawn[:3])
  y = xla.convolve(*drawn[:3], relu=True)
  assert later.shape == y.shape
  found = ops.using(ops.convolve_relu)(later, *drawn[3:])
  assert_same(
    jax.tree.leaves(found), jax.tree.leaves(plain_maps(y, *drawn[3:]))
  )


@pytest.mark.parametrize(
  'filters',
  [3, 20, *(pytest.param(n, marks=pytest.mark.slow) for n in (16, 32))],
)
def test_relu_of_maps_and_what_attention_asks_of_them(filters):
  """Of one and of two members; maps as after any convolution."""
  random = np.random.default_rng(filters)
  shape = (2, 2, 3, 5, 7, filters)
  x = jnp.asarray(random.normal(size=shape), jnp.float32)

  def plain(x):
    same = jnp.eye(filters).reshape(1, 1, 1, filters, filters)
    return plain_maps(x, same, jnp.zeros(filters))

  assert_same(with_gradients(KERNEL['relu'], x[0]), with_gradients(plain, x[0]))
  assert_same(
    with_gradients(jax.vmap(KERNEL['relu']), x),
    with_gradients(jax.vmap(plain), x),
  )


IN_SPACE = ((2, 6, 9, 11, 1), (1, 3, 3), 8)  # of (2+1)D
IN_TIME = ((2, 18, 9, 11, 8), (15, 1, 1), 32)
OF_COLOURS = ((1, 7, 5, 6, 3), (3, 2, 4), 5)  # even
ON_PADDING = ((2, 1, 5, 6, 33), (3, 3, 3), 64)  # most of the kernel


@pytest.mark.parametrize(
  ('shape', 'kernel', 'filters', 'padding'),
  [
    (*IN_TIME, 'VALID'),
    (*OF_COLOURS, 'SAME'),
    (*ON_PADDING, 'SAME'),
    *(
      pytest.param(*case, padding, marks=pytest.mark.slow)
      for case, padding in (
        *((IN_SPACE, 'VALID'), (IN_SPACE, 'SAME')),
        *((IN_TIME, 'SAME'), (OF_COLOURS, 'VALID')),
      )
    ),
  ],
)
def test_convolution_of_channels(shape, kernel, filters, padding):
  """Of two members that share their clips, one with a ReLU."""
  random = np.random.default_rng(6)
  x, w, bias = (
    jnp.asarray(random.normal(size=size), jnp.float32)
    for size in (shape, (2, *kernel, shape[-1], filters), (2, filters))
  )

  def both(function):
    def run(x, w, bias):
      rectified = function(x, w[0], bias[0], padding, relu=True)
      shared = functools.partial(function, padding=padding)
      return rectified, jax.vmap(shared, (None, 0, 0))(x, w, bias)

    return run

  assert_same(
    with_gradients(both(KERNEL['convolve']), x, w, bias),
    with_gradients(both(xla.convolve), x, w, bias),
  )


# Maps of several channels (B, 1, H, W, C), kernel, filters, window.
MAPS = [
  ((3, 1, 28, 28, 3), (1, 3, 3), 32, (1, 3, 3)),  # of configs/mefnet_flow.py
  ((2, 9, 7, 9, 8), (5, 1, 1), 20, (2, 3, 3)),  # in time, of (2+1)D
  pytest.param(  # more channels than lanes
    *((2, 1, 9, 11, 20), (1, 3, 2), 5, (1, 2, 3)), marks=pytest.mark.slow
  ),
]


@pytest.mark.parametrize(('shape', 'kernel', 'filters', 'window'), MAPS)
def test_maps_of_several_channels(shape, kernel, filters, window):
  """As of flow, and of what (2+1)D leaves between space and time."""
  random = np.random.default_rng(7)
  x, w, bias = (
    jnp.asarray(random.normal(size=size), jnp.float32)
    for size in (shape, (2, *kernel, shape[-1], filters), (filters,))
  )
  ours = functools.partial(KERNEL['convolve_max_pool'], window=window)
  theirs = functools.partial(convolution.conv3d_max_pool3d, window=window)
  members = [
    jax.vmap(lambda x, w, f=f: f(x, w), (None, 0)) for f in (ours, theirs)
  ]
  assert_same(*(with_gradients(run, x, w) for run in members))
  operands = x, w[0], bias
  assert_same(
    with_gradients(KERNEL['convolve_relu'], *operands),
    with_gradients(plain_maps, *operands),
  )
  with pytest.raises(ValueError, match=r'for clips of 2 channels'):
    ours(x[..., :2], w[0])


@pytest.mark.parametrize(('shape', 'kernel', 'filters', 'window'), DIFFERENT)
def test_two_poolings_of_maps(shape, kernel, filters, window):
  random = np.random.default_rng(0)
  sizes = [n - k + 1 for n, k in zip(shape[1:], kernel, strict=True)]
  y = jnp.asarray(random.normal(size=(2, *sizes, filters)), jnp.float32)
  weight = jnp.asarray(random.random((2, *sizes, 1)), jnp.float32)

  def theirs(y, weight):
    return tuple(pooling.max_pool3d(v, window) for v in (y, y * weight))

  assert_same(
    with_gradients(lambda *a: pools(*a, window), y, weight),
    with_gradients(theirs, y, weight),
  )


@pytest.mark.parametrize(
  ('shape', 'kernel', 'filters'),
  [
    ((2, 4, 9, 11, 1), (1, 7, 7), 2),
    ((1, 5, 3, 40, 2), (3, 1, 1), 1),
    ((2, 3, 5, 210, 2), (2, 4, 3), 3),  # even, and more than a tile
    ((1, 1, 1, 1, 1), (3, 3, 3), 1),
  ],
)
def test_few_channels(shape, kernel, filters):
  random = np.random.default_rng(2)
  x = jnp.asarray(random.normal(size=shape), jnp.float32)
  w = random.normal(size=(*kernel, shape[-1], filters))
  theirs = functools.partial(convolution.conv3d, padding='SAME')
  w = jnp.asarray(w, jnp.float32)
  assert_same(
    with_gradients(planes.convolve, x, w),
    with_gradients(lambda x, w: theirs(x, w), x, w),
  )


def test_adam_is_that_of_optax():
  """Ten steps of two members, a heavy array and a light one, rates falling."""
  tx = optimizer.adam(0.01, decay=0.1)
  random = np.random.default_rng(5)
  shapes = {'heavy': (2, 300, 300), 'light': (2, 7)}
  draw = lambda: {  # noqa: E731
    name: jnp.asarray(random.normal(size=s), jnp.float32)
    for name, s in shapes.items()
  }
  step = jax.vmap(functools.partial(optimizer.apply, tx))
  optax_adam = optax.GradientTransformation(tx.init, tx.update)
  plain = jax.vmap(functools.partial(optimizer.apply, optax_adam))
  ours = theirs = start = draw()
  our_state = their_state = jax.vmap(tx.init)(start)
  for _ in range(10):
    grads = draw()
    ours, our_state = jax.jit(ops.using(step))(grads, our_state, ours)
    theirs, their_state = jax.jit(plain)(grads, their_state, theirs)
  assert_same(
    jax.tree.leaves((ours, our_state)), jax.tree.leaves((theirs, their_state))
  )
  text = jax.jit(ops.using(step)).lower(grads, our_state, ours)
  assert text.as_text().count('mefnet_jax.adam') == 1
  assert abs(start['heavy'] - ours['heavy']).min() > 0  # the old ones stay


def test_kernels_divide_as_xla_does():
  """Were each division tested for 0, as by Python, Adam had no vectors."""
  zero, one = jnp.zeros(1 << 16), jnp.ones(1 << 16)
  numbers = jnp.float32([1, 0.9, 0.1, 0.999, 0.001, 0, 1, 1e-7])
  new, *_ = jax.jit(ops.using(ops.adam))(zero, one, one, one, numbers)
  np.testing.assert_array_equal(new, np.full(1 << 16, -np.inf))


@pytest.mark.parametrize('mode', ['folds', 'batch'])
def test_adam_works_where_the_state_lies(mode):
  """Under the pmap and the vmaps of training nothing is copied for it."""
  tx = optimizer.adam(0.01, decay=0.0)
  plan = parallel.Plan(mode, 2, 2)
  params = {'heavy': np.zeros((1, 2, 300, 300), np.float32)}
  member = {'heavy': np.zeros((300, 300), np.float32)}
  opt_state = jax.tree.map(
    lambda x: np.broadcast_to(x, (1, 2, *np.shape(x))), tx.init(member)
  )
  state = plan.place(plan.split((params, opt_state)))
  fold = plan.place(plan.split(np.ones((2, 1), np.float32), axis=0))

  def step(state, fold, clips, order, key, axis_name=None):
    params, opt_state = state
    grads = jax.tree.map(lambda p: jnp.full_like(p, fold[0]), params)
    return optimizer.apply(tx, grads, opt_state, params), ()

  run = parallel.map_training(step, plan)
  args = (fold, (), np.zeros((1, 2), np.int32), jax.random.key(0)[None])
  if mode == 'folds':
    used = run.lower(state, *args).compile().memory_analysis()
    assert used.temp_size_in_bytes < 1.5 * params['heavy'][0, 0].nbytes
  (params, _), _ = run(state, *args)
  moved = plan.join(params)['heavy']
  np.testing.assert_allclose(moved, np.full((1, 2, 300, 300), -0.01), rtol=1e-5)


def layers(maps, pools, x, kernel, bias, mix, window):
  """One convolution with both attentions, small."""
  found = maps(x, kernel, bias)
  weight = jax.nn.sigmoid(mix * found.map_peak - found.map_mean)
  plain, weighed = pools(found.y, weight, window)
  gate = jax.nn.sigmoid(found.mean - found.peak)
  return plain * gate[:, None, None, None], weighed


@pytest.mark.parametrize('own_clips', [False, True])
def test_members_side_by_side(own_clips):
  """Under vmap, twice, with shared clips and with a member's own."""
  (x, kernel, bias), window = arrays(*CASES[0][:3]), CASES[0][3]
  scales = jnp.asarray([[1.0, 0.5, 2.0], [0.1, 3.0, 1.5]])
  kernels = kernel[None, None] * scales.reshape(2, 3, 1, 1, 1, 1, 1)
  clips = jnp.stack([x, -x])
  mixes = scales * 0.1
  ours = (
    KERNEL['convolve_relu'],
    pools,
  )
  theirs = (
    plain_maps,
    lambda y, w, n: tuple(pooling.max_pool3d(v, n) for v in (y, y * w)),
  )

  def of(functions):
    def member(x, kernel, mix):
      both = layers(*functions, x, kernel, bias, mix, window)
      pooled = functions[1](both[0], both[1][..., :1], (1, 1, 1))[1]
      return pooled, one_or_the_other(functions, x, kernel)

    inner = jax.vmap(member, (None, 0, 0))
    return jax.vmap(inner, (0 if own_clips else None, 0, 0))

  def one_or_the_other(functions, x, kernel):
    if functions is ours:
      return KERNEL['convolve_max_pool'](x, kernel, window)
    return convolution.conv3d_max_pool3d(x, kernel, window)

  given = clips if own_clips else x
  assert_same(
    with_gradients(of(ours), given, kernels, mixes),
    with_gradients(of(theirs), given, kernels, mixes),
    1e-4,
  )


@pytest.mark.parametrize(
  'convolved',
  [
    lambda x, w, b, **how: KERNEL['convolve'](x, w, b, **how),
    lambda x, w, b, **how: KERNEL['convolve'](x, w, b, relu=True, **how),
    lambda x, w, b, **how: KERNEL['convolve_max_pool'](x, w, (2, 2, 2), **how),
    lambda x, w, b, **how: KERNEL['convolve_relu'](x, w, b, **how),
    lambda x, w, b, **how: KERNEL['convolve_relu'](
      x, w[:, :1, :1], b, space=(w[:1, :, :, :, :1], b[:1]), **how
    ),
  ],
)
def test_clips_that_nobody_reads_are_left_out(convolved):
  x, kernel, bias = arrays((3, 6, 8, 8), (3, 3, 3), 16)
  used = jnp.asarray([[1, 0, 1], [0, 0, 1]], jnp.float32)  # of two folds

  def both(*operands):
    def one(kernel, used, **how):
      made = convolved(x, kernel, operands[1], **how)
      # What is left out may hold anything, and must not reach a gradient.
      return jax.tree.map(
        lambda a: jnp.where(used.reshape(-1, *[1] * (a.ndim - 1)) > 0, a, 0),
        made,
      )

    kernels = jnp.stack([operands[0], -operands[0]])
    plain = jax.vmap(one)(kernels, used)
    return plain, jax.vmap(lambda w, u: one(w, u, used_B=u))(kernels, used)

  @functools.partial(jax.jit, static_argnums=0)
  def of_one(which):
    found, back = jax.vjp(lambda *a: both(*a)[which], kernel, bias)
    return *jax.tree.leaves(found), *back(jax.tree.map(jnp.ones_like, found))

  for ours, whole in zip(of_one(1), of_one(0), strict=True):
    np.testing.assert_array_equal(ours, whole)
  kernels = jnp.stack([kernel, -kernel])
  left = jax.vmap(lambda w, u: convolved(x, w, bias, used_B=u))
  left = jax.jit(left)(kernels, used)
  for made in map(np.asarray, jax.tree.leaves(left)):
    some = (made != 0).any(axis=tuple(range(2, made.ndim)))
    np.testing.assert_array_equal(some, used)


def test_no_gradient_is_left_over_from_other_arrays():
  # Where the gradient of a clip is all zero, kernels leave out its products.
  x, kernel, bias = arrays((3, 6, 8, 8), (3, 3, 3), 16)
  x = jnp.concatenate([x, -x, x], -1)
  kernel = jnp.concatenate([kernel, kernel, -kernel], 3)
  few, weights = x[..., :1], kernel[:, :, :, :1, :2]

  def of_few(x):
    return KERNEL['convolve'](x, weights, bias[:2], 'SAME')

  def of_many(x):
    return KERNEL['convolve'](x, kernel, bias)

  for function, of in ((of_few, few), (of_many, x)):
    value, back = jax.vjp(function, of)
    for n in range(4):
      junk = jax.block_until_ready(jnp.full(of.shape, jnp.nan))
      junk.delete()  # its memory is what the next call gets
      down = jnp.ones(value.shape).at[n % 3].set(0)
      (found,) = back(down)
      assert (np.asarray(found)[n % 3] == 0).all()
      assert np.isfinite(np.asarray(found)).all()


def test_arrays_are_filled_by_a_function_that_nothing_drops():
  # Numba drops `a[:] = 0` in what is compiled with inlined functions.
  for file in sorted(pathlib.Path(ops.__file__).parent.glob('cpu/*.py')):
    for node in ast.walk(ast.parse(file.read_text())):
      targets = getattr(node, 'targets', [])
      whole = [
        target
        for one in targets
        for target in getattr(one, 'elts', [one])
        if isinstance(target, ast.Subscript)
        and isinstance(target.slice, ast.Slice)
      ]
      assert not whole or file.name == 'memory.py', f'{file}:{node.lineno}'


def test_nan_is_not_lost():
  x, kernel, bias = arrays(*CASES[0][:3])
  kernel = kernel.at[0, 0, 0, 0, 1].set(jnp.nan)
  pooled = KERNEL['convolve_max_pool'](x, kernel, (2, 2, 2))
  assert np.isnan(pooled[..., 1]).all() and np.isfinite(pooled[..., 0]).all()
  maps = KERNEL['convolve_relu'](x, kernel, bias)
  assert np.isnan(maps.y[..., 1]).all() and np.isfinite(maps.y[..., 0]).all()
  again = KERNEL['relu'](jnp.log(-maps.y))
  assert np.isnan(again.y[..., 1]).all() and np.isnan(again.peak[:, 1]).all()
  y = KERNEL['convolve'](x, kernel, bias, relu=True)
  assert np.isnan(y[..., 1]).all() and np.isfinite(y[..., 0]).all()
  assert np.isnan(maps.peak[:, 1]).all() and np.isfinite(maps.mean[:, 0]).all()
  plain, weighed = pools(maps.y, maps.y[..., :1], (2, 2, 2))
  assert np.isnan(plain[..., 1]).all() and np.isnan(weighed[..., 1]).all()


def test_what_does_not_fit_is_named():
  x, kernel, bias = arrays(*CASES[0][:3])
  with pytest.raises(ValueError, match=r'kernel of \(3, 3, 3\).*\(2, 8, 8\)'):
    KERNEL['convolve_max_pool'](x[:, :2], kernel, (1, 1, 1))
  with pytest.raises(ValueError, match=r'kernel of \(3, 3, 3\).*\(2, 8, 8\)'):
    KERNEL['convolve_relu'](x[:, :2], kernel, bias)
  with pytest.raises(ValueError, match=r'window of \(5, 1, 1\).*\(4, 6, 6\)'):
    KERNEL['convolve_max_pool'](x, kernel, (5, 1, 1))


NETWORKS = {
  'base': ('base', {}),
  'mecnn': ('mecnn', {}),
  'channel': ('mecnn', {'spatial_attention': False}),
  'spatial': ('mecnn', {'channel_attention': False}),
  'pool': ('mecnn', {'attention_place': 'pool'}),
  'residual': ('mecnn', {'depth': (1,), 'width': (8,)}),
  '2d': ('mecnn', {'form': '2d'}),
  'flow': ('mecnn', {'form': '2d', 'attention_place': 'pool'}),
  '2plus1d': ('mecnn', {'conv': '2plus1d'}),
  'normalised': ('mecnn', {'normalisation': 'group'}),
  'bfloat16': ('mecnn', {'dtype': 'bfloat16'}),
  'mfcnn': ('mfcnn', {}),
}


# They use every kernel but the ReLU of normalised maps, which has a test above.
QUICK = ('base', 'spatial', '2plus1d')


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in NETWORKS
  ],
)
def test_networks_train_alike(name):
  """Logits and gradients of each network, dropout and drop masks included."""
  network, options = NETWORKS[name]
  options = {'filters': 8, 'kernel': (3, 3, 3), 'hidden': (8,), **options}
  model = models.build(network, num_classes=3, **options)
  frames = 1 if options.get('form') == '2d' else 6
  size = (4, frames, 12, 12, 3 if name == 'flow' else 1)
  random = np.random.default_rng(3)
  batch = {
    stream: jnp.asarray(random.normal(size=size), 'float32')
    for stream in model.streams
  }
  batch['key'] = jax.random.split(jax.random.key(0), 4)
  params = networks.random_params(model, batch)

  def loss(params, batch):
    logits, _ = model.apply({'params': params}, batch, train=True)
    return (logits**2).sum(), logits

  def step(params, batch):
    return jax.value_and_grad(loss, has_aux=True)(params, batch)

  lowered = jax.jit(ops.using(step)).lower(params, batch)
  ours = lowered.compile()(params, batch)
  theirs = jax.jit(step)(params, batch)
  # A bias before the mean of its channel is taken away has no gradient, but
  # what rounding leaves.
  tolerance = {'bfloat16': 1e-2, 'normalised': 1e-3}.get(name, 1e-4)
  assert_same(jax.tree.leaves(ours), jax.tree.leaves(theirs), tolerance)
  used = 'mefnet_jax.' in lowered.as_text()
  assert used == (name != 'bfloat16')


_NARROW = """
import pytest, sys
from mefnet_jax.ops.cpu import simd
assert (simd.LANES, simd.TILE) == (8, 6)
sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(
  platform.machine() != 'x86_64', reason='other processors are narrow anyway'
)
def test_on_a_processor_of_half_the_width(tmp_path):
  """The same tests, compiled as for one without AVX-512."""
  environment = {
    **os.environ,
    'NUMBA_CACHE_DIR': str(tmp_path),
    'NUMBA_CPU_NAME': 'haswell',
    'NUMBA_CPU_FEATURES': '+avx,+avx2,+fma',
  }
  done = subprocess.run(
    [sys.executable, '-c', _NARROW, __file__],
    cwd=pathlib.Path(__file__).parents[2],
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
