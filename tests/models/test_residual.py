"""The residual trunk: x + F(x) * (1 + A), stated a second time in NumPy."""

import jax
import numpy as np
import pytest

from mefnet_jax import models
from mefnet_jax.models import residual
from tests.fixtures import numpy_layers

SHAPE = (2, 4, 5, 6, 3)  # B T H W C


def relu(x):
  return np.maximum(x, 0)


def apart(x, params):
  return numpy_layers.conv3d(
    relu(numpy_layers.conv3d(x, params['space'])), params['time']
  )


@pytest.mark.parametrize(
  ('features', 'conv'),
  [
    *((3, '3d'), (5, '2plus1d')),
    *(
      pytest.param(*case, marks=pytest.mark.slow)
      for case in ((3, '2plus1d'), (5, '3d'))
    ),
  ],
)
def test_unit_is_its_equation(features, conv):
  """Other channels come in through a 1x1x1 convolution, equal ones as such."""
  x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
  unit = residual.MicroAttentionUnit(features, conv=conv)
  params = jax.tree.map(lambda p: 0.3 * p, numpy_layers.random_params(unit, x))
  f = apart if conv == '2plus1d' else numpy_layers.conv3d
  assert ('shortcut' in params) == (features != 3)
  inside = numpy_layers.conv3d(x, params['shortcut']) if features != 3 else x
  first = relu(f(inside, params['first']))
  second = f(first, params['second'])
  gathered = np.concatenate([inside, first, second], -1)
  attention = numpy_layers.sigmoid(
    numpy_layers.conv3d(gathered, params['gather'])
  )
  expected = relu(inside + second * (1 + attention))
  ours, ours_attention = jax.jit(unit.apply)({'params': params}, x)
  np.testing.assert_allclose(ours_attention, attention, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
  'normalisation', [pytest.param('none', marks=pytest.mark.slow), 'group']
)
def test_depth_and_width_go_by_config(normalisation):
  model = models.build(
    'residual',
    num_classes=3,
    depth=(2, 1, 1),
    width=(4, 6, 8),
    kernel=(3, 3, 3),
    filters=4,
    hidden=(8,),
    normalisation=normalisation,
  )
  batch = {'face': np.zeros((1, 18, 32, 32, 1), np.float32)}
  (_, out), variables = jax.eval_shape(
    lambda b: model.init_with_output(jax.random.key(0), b), batch
  )
  units = variables['params']['face']['trunk']['residual']
  names = ['stage0_unit0', 'stage0_unit1', 'stage1_unit0', 'stage2_unit0']
  assert sorted(units) == names
  # 18x32x32 -> conv 16x30x30 -> pool 5x10x10 -> 2x5x5 -> 1x2x2
  assert out['pooled'].shape == (1, 1, 2, 2, 8)
  assert out['micro_attention_0_1'].shape == (1, 5, 10, 10, 1)
  assert out['micro_attention_1_0'].shape == (1, 2, 5, 5, 1)


def test_mfcnn_takes_residual_trunks_too():
  model = models.build(
    'mfcnn', num_classes=3, depth=(1,), width=(4,), filters=4, hidden=(8,)
  )
  batch = {n: np.zeros((1, 18, 12, 12, 1), np.float32) for n in model.streams}
  _, out = jax.eval_shape(
    lambda b: model.init_with_output(jax.random.key(0), b)[0], batch
  )
  assert {'eyes_micro_attention_0_0', 'mouth_micro_attention_0_0'} <= set(out)
