"""Every form of the networks: 2D, (2+1)D, switches, types, initialisers."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax import models
from mefnet_jax.models import attention, layers
from mefnet_jax.ops import convolution
from mefnet_jax.training import losses
from tests.fixtures import networks

TINY = {**networks.SMALL, 'hidden': (4,)}
FLAT = {'form': '2d', **TINY}
FURTHER = [
  ('base', {}),
  ('base', {'normalisation': 'group'}),
  ('mecnn', {'conv': '2plus1d', 'attention_place': 'pool'}),
  ('mfcnn', {'form': '2d', 'conv': '2plus1d'}),
  ('mfcnn', {'streams': ('face', 'audio', 'text')}),
  ('mecnn', {}),  # MFCNN has its trunk
  ('residual', {'depth': (1,), 'width': (4,), 'form': '2d'}),
  ('mfcnn', {'conv': '2plus1d', 'fusion': 'intermediate'}),
  ('mfcnn', {'depth': (1,), 'width': (4,), 'streams': ('eyes', 'flow')}),
]
EVERY = [
  ('base', {'conv': '2plus1d'}),
  ('mecnn', {'form': '2d'}),
  ('residual', {'depth': (1, 1), 'width': (4, 6)}),
  ('mfcnn', {}),
  *(pytest.param(*one, marks=pytest.mark.slow) for one in FURTHER),
]


def frames_of(fields):
  return 1 if fields.get('form') == '2d' else 9


@pytest.mark.parametrize(('name', 'fields'), EVERY)
def test_no_network_holds_a_convolution_of_xla(name, fields):
  """Forward, backward, with respect to weights and clips: products only."""
  model = models.build(name, num_classes=3, **{**TINY, **fields})
  batch = networks.everything(2, frames_of(fields))
  shapes = jax.eval_shape(model.init, jax.random.key(0), batch)['params']
  seen = [n for n in model.streams if n != 'text']

  def gradients(params, streams):
    return jax.grad(
      lambda p, s: networks.loss(model, p, {**batch, **s}), argnums=(0, 1)
    )(params, streams)

  program = str(jax.make_jaxpr(gradients)(shapes, {n: batch[n] for n in seen}))
  assert 'conv_general_dilated' not in program
  assert 'reduce_window' not in program
  assert 'dot_general' in program


@pytest.mark.parametrize(
  'name',
  [
    'mecnn',
    *(pytest.param(name, marks=pytest.mark.slow) for name in ('base', 'mfcnn')),
  ],
)
def test_2d_networks_are_3d_ones_on_one_frame(name):
  """kernel, pool and STAM's kernel of one frame: equal weights and logits."""
  batch = networks.everything(2, frames=1)
  flat = models.build(name, num_classes=3, **FLAT)
  thin = {**TINY, 'kernel': (1, 3, 3), 'pool': (1, 3, 3)}
  if name != 'base':
    thin['attention_kernel'] = (1, 7, 7)
  params = networks.random_params(flat, batch)
  logits, out = networks.run(flat, params, batch)
  same, _ = networks.run(
    models.build(name, num_classes=3, **thin), params, batch
  )
  np.testing.assert_array_equal(logits, same)
  pooled = [value for key, value in out.items() if key.endswith('pooled')]
  assert all(maps.shape[1] == 1 for maps in pooled)


def test_2d_networks_take_the_public_flow_maps():
  """28x28 maps of u, v, strain, whole and in halves."""
  random = np.random.default_rng(0)
  whole = random.normal(size=(2, 1, 28, 28, 3)).astype(np.float32)
  halves = {'eyes': whole[:, :, :14], 'mouth': whole[:, :, 14:]}
  for name, batch in (('mecnn', {'face': whole}), ('mfcnn', halves)):
    model = models.build(name, num_classes=3, **FLAT)
    logits, _ = networks.run(model, networks.random_params(model, batch), batch)
    assert logits.shape == (2, 3) and np.isfinite(logits).all()


def test_2d_attention_takes_maps_without_a_time_axis():
  """(B, H, W, C) is (B, 1, H, W, C) with the axis left out."""
  x = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype(np.float32)
  modules = []
  for module in (
    attention.ChannelAttention(2),
    attention.SpatialTemporalAttention((1, 5, 5)),
    attention.ParallelAttention(kernel=(1, 5, 5)),
    layers.Conv2Plus1D(3, (1, 3, 3), 'SAME'),
    layers.Conv2Plus1D(3, (1, 3, 3), pool=(1, 2, 2)),
  ):
    modules.append((module, networks.random_params(module, x)))

  @jax.jit  # one program, as each takes a while
  def run(x):
    made = [module.apply({'params': params}, x) for module, params in modules]
    return [v[0] if isinstance(v, tuple) else v for v in made]

  for y, z in zip(run(x), run(x[:, None]), strict=True):
    assert y.ndim == 4
    np.testing.assert_allclose(y, z[:, 0], rtol=1e-6, atol=1e-6)


def test_2plus1d_without_time_is_the_convolution_in_space():
  x = np.random.default_rng(0).normal(size=(2, 7, 8, 3)).astype(np.float32)
  module = layers.Conv2Plus1D(4, (5, 3, 3))
  params = networks.random_params(module, x)
  assert set(params) == {'space'}
  space = params['space']
  plain = np.array(jax.jit(convolution.conv3d)(x[:, None], space['kernel']))
  plain = plain[:, 0] + space['bias'].reshape(1, 1, 1, -1)
  y = networks.run(module, params, x)
  np.testing.assert_allclose(y, plain, rtol=1e-6, atol=1e-6)


def test_2plus1d_with_an_identity_in_time_is_the_2d_convolution():
  """Frame by frame, up to the ReLU that stands between the two."""
  x = np.random.default_rng(0).normal(size=(2, 5, 7, 8, 3)).astype(np.float32)
  module = layers.Conv2Plus1D(4, (3, 3, 3), 'SAME', middle=4)
  params = networks.random_params(module, x)
  identity = np.zeros((3, 1, 1, 4, 4), np.float32)
  identity[1, 0, 0] = np.eye(4)
  params['time'] = {'kernel': identity, 'bias': np.zeros(4, np.float32)}
  y = networks.run(module, params, x)
  flat = jax.lax.conv_general_dilated(
    x.reshape(10, 7, 8, 3),
    params['space']['kernel'][0],
    (1, 1),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  expected = np.maximum(flat + params['space']['bias'].reshape(1, 1, 1, 4), 0)
  np.testing.assert_allclose(y.reshape(expected.shape), expected, atol=2e-6)


def test_pooled_2plus1d_is_2plus1d_then_pooling():
  x = np.random.default_rng(0).normal(size=(2, 9, 9, 8, 2)).astype(np.float32)
  whole = layers.Conv2Plus1D(4, (3, 3, 3))
  params = networks.random_params(whole, x)
  pooled = layers.Conv2Plus1D(4, (3, 3, 3), pool=(2, 3, 2))
  y = networks.run(whole, params, x)[:, :6, :6, :6]
  y = y.reshape(2, 3, 2, 2, 3, 3, 2, 4).max((2, 4, 6))
  np.testing.assert_allclose(networks.run(pooled, params, x), y, atol=2e-5)


@pytest.mark.parametrize(
  'name', [pytest.param('mecnn', marks=pytest.mark.slow), 'mfcnn']
)
def test_every_combination_of_attention_has_its_maps(name):
  """CAM, STAM, place and form, on and off; maps under stable names."""
  for channel, spatial, place, form in itertools.product(
    (True, False), (True, False), ('conv', 'pool'), ('3d', '2d')
  ):
    model = models.build(
      name,
      num_classes=3,
      channel_attention=channel,
      spatial_attention=spatial,
      attention_place=place,
      form=form,
      **TINY,
    )
    batch = networks.everything(2, 1 if form == '2d' else 9)
    logits, out = jax.eval_shape(
      lambda b, m=model: m.init_with_output(jax.random.key(0), b)[0], batch
    )
    assert logits.shape == (2, 3)
    for region in ('',) if name == 'mecnn' else ('eyes_', 'mouth_'):
      assert (f'{region}channel_attention' in out) == channel
      assert (f'{region}spatial_attention' in out) == spatial
      channels = 4 * max(1, channel + spatial)
      assert out[f'{region}pooled'].shape[-1] == channels
      if channel:
        assert out[f'{region}channel_attention'].shape == (2, 4)
      if spatial:
        frames = {('conv', '3d'): 5}.get((place, form), 1)
        rows = 10 if place == 'conv' else 3
        shape = out[f'{region}spatial_attention'].shape
        assert shape == (2, frames, rows, rows, 1)


@pytest.mark.parametrize(
  'name', ['mecnn', pytest.param('residual', marks=pytest.mark.slow)]
)
def test_bfloat16_computes_near_float32_and_keeps_it(name):
  """Parameters, logits and loss stay float32; the maps are bfloat16."""
  fields = {**TINY, 'normalisation': 'group'}
  if name == 'residual':
    fields |= {'depth': (1,), 'width': (4,), 'spatial_attention': False}
  batch = networks.everything(2)
  build = functools.partial(models.build, name, num_classes=3, **fields)
  half, whole = build(dtype='bfloat16'), build()
  drawn = jax.eval_shape(half.init, jax.random.key(0), batch)
  assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(drawn))
  params = networks.random_params(whole, batch)
  logits, out = networks.run(half, params, batch)
  exact, _ = networks.run(whole, params, batch)
  assert logits.dtype == jnp.float32
  assert all(value.dtype == jnp.bfloat16 for value in out.values())
  assert 0 < np.abs(logits - exact).max() < 0.05 * (1 + np.abs(exact).max())
  gradient = jax.value_and_grad(functools.partial(networks.loss, half))
  value, grads = jax.eval_shape(gradient, params, batch)
  assert value.dtype == np.float32
  assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(grads))


@pytest.mark.parametrize('kind', ['group', 'layer'])
def test_normalisation_is_each_clips_own(kind):
  random = np.random.default_rng(0)
  x = random.normal(3, 2, (3, 4, 5, 6, 16)).astype(np.float32)
  module = layers.Normalisation(kind)
  apply = jax.jit(module.apply)
  params = jax.jit(module.init)(jax.random.key(0), x)
  y = np.asarray(apply(params, x))
  parts = y.reshape(
    3, -1, 8 if kind == 'group' else 1, 2 if kind == 'group' else 16
  )
  np.testing.assert_allclose(parts.mean((1, 3)), 0, atol=1e-5)
  np.testing.assert_allclose(parts.std((1, 3)), 1, atol=1e-3)
  alone = apply(params, x[1:2])
  np.testing.assert_allclose(alone, y[1:2], atol=1e-5)


def test_initialisers_go_by_name():
  """Each kernel is drawn so, but the last, which has its own field."""
  batch = networks.everything(1)
  names = ('glorot_uniform', 'he_normal', 'orthogonal')

  @jax.jit
  def kernels(batch):
    made = []
    for init in names:
      given = {**networks.SMALL, 'kernel_init': init, 'head_init': init}
      model = models.build('base', num_classes=3, **given)
      params = model.init(jax.random.key(0), batch)['params']
      first = params['face']['trunk']['conv']['kernel']
      made.append((first, params['classes']['kernel']))
    return made

  deviations = {}
  for init, (first, last) in zip(names, kernels(batch), strict=True):
    deviations[init] = first.std()
    assert np.any(last)
  fan_in, fan_out = 45, 45 * 4
  uniform = np.sqrt(2 / (fan_in + fan_out))
  assert deviations['glorot_uniform'] == pytest.approx(uniform, rel=0.15)
  assert deviations['he_normal'] == pytest.approx(np.sqrt(2 / fan_in), rel=0.15)
  assert len(set(map(float, deviations.values()))) == 3


def test_weight_attenuation_reaches_every_kernel_and_no_bias():
  """Eq. 7: half the sum of squares, by hand, over all kinds of layers."""
  model = models.build(
    'mfcnn',
    num_classes=3,
    conv='2plus1d',
    depth=(1,),
    width=(4,),
    **TINY,
  )
  params = networks.random_params(model, networks.everything(1))
  flat = jax.tree_util.tree_leaves_with_path(params)
  kernels = [x for path, x in flat if path[-1].key == 'kernel']
  assert len(kernels) > 20
  by_hand = sum(0.5 * float((x.astype(np.float64) ** 2).sum()) for x in kernels)
  value, gradient = jax.jit(jax.value_and_grad(losses.attenuation))(params)
  assert float(value) == pytest.approx(by_hand, rel=1e-5)
  for (path, x), g in zip(flat, jax.tree.leaves(gradient), strict=True):
    expected = x if path[-1].key == 'kernel' else np.zeros_like(x)
    np.testing.assert_array_equal(g, expected)


@pytest.mark.parametrize(
  'kernel',
  [
    *((2, 4, 3), (9, 12, 2)),
    *(
      pytest.param(one, marks=pytest.mark.slow)
      for one in ((1, 1, 1), (4, 1, 12))
    ),
  ],
)
def test_any_kernel_within_the_clip(kernel):
  """Odd or even, as long as the clip: the network in plain lax."""
  batch = networks.everything(2)
  window = tuple(
    min(2, n - k + 1) for n, k in zip((9, 12, 12), kernel, strict=True)
  )
  fields = {**TINY, 'kernel': kernel, 'pool': window}
  model = models.build('base', num_classes=3, dropout=0.0, **fields)
  params = networks.random_params(model, batch)
  conv = params['face']['trunk']['conv']
  x = jax.lax.conv_general_dilated(
    batch['face'],
    conv['kernel'],
    (1, 1, 1),
    'VALID',
    dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
  )
  x = np.maximum(np.asarray(x) + conv['bias'], 0)
  pairs = [(n // w, w) for n, w in zip(x.shape[1:4], window, strict=True)]
  t, h, w = (n * m for n, m in pairs)
  split = [n for pair in pairs for n in pair]
  x = x[:, :t, :h, :w].reshape(2, *split, 4).max((2, 4, 6))
  _, out = networks.run(model, params, batch)
  networks.assert_same(out['pooled'], x, rtol=2e-5)


@pytest.mark.parametrize(
  ('fields', 'said'),
  [
    ({'kernel': (19, 3, 3)}, r'eyes.*\(19, 3, 3\).*\(9, 12, 12\)'),
    ({'kernel': (19, 3, 3), 'conv': '2plus1d'}, r'\(19, 3, 3\).*\(9, 12, 12\)'),
    ({'kernel': (5, 13, 3)}, r'\(5, 13, 3\).*\(9, 12, 12\)'),
    ({'pool': (6, 3, 3)}, r'\(6, 3, 3\).*\(5, 10, 10\)'),
    (
      {'pool': (6, 3, 3), 'conv': '2plus1d', 'attention_place': 'pool'},
      r'\(6, 3, 3\).*\(5, 10, 10\)',
    ),
    ({'kernel': (3, 3)}, 'kernel=.*three whole numbers'),
    ({'pool': (0, 3, 3)}, 'pool=.*three whole numbers'),
    ({'form': '4d'}, "form='4d'.*3d, 2d"),
    ({'form': '2d'}, '2d.*1 frame.*9'),
    ({'conv': '1plus2d'}, 'conv=.*2plus1d'),
    ({'normalisation': 'batch'}, 'normalisation=.*none, group, layer'),
    ({'dtype': 'float16'}, 'dtype=.*bfloat16'),
    ({'kernel_init': 'ones'}, 'kernel_init=.*glorot_uniform'),
    ({'head_init': 'ones'}, 'head_init=.*zeros'),
    ({'depth': (1, 2), 'width': (8,)}, r'depth=\(1, 2\), width=\(8,\)'),
    ({'streams': ('nose',)}, "streams='nose'.*eyes"),
    ({'streams': ('eyes', 'eyes')}, 'streams.*once'),
    ({'fusion_norm': 'max'}, 'fusion_norm=.*l2, layer'),
    ({'modality_dropout': 1.0}, 'modality_dropout=1.0.*below 1'),
    ({'drop_rate': -0.1}, 'drop_rate=-0.1'),
    ({'filters': 0}, 'filters=0: at least 1'),
    ({'hidden': (0,)}, r'hidden=\(0,\)'),
    ({'vocabulary': 0}, r'vocabulary=\(0,\)'),
  ],
)
def test_a_wrong_value_gives_one_clear_line(fields, said):
  model = models.build('mfcnn', num_classes=3, **{**TINY, **fields})
  with pytest.raises(ValueError, match=said) as raised:
    jax.eval_shape(model.init, jax.random.key(0), networks.everything(1))
  assert '\n' not in str(raised.value)
