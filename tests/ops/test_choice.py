"""One place chooses between XLA and the kernels, and says why."""

import re
import sys

import jax
import jax.numpy as jnp
import numba
import pytest

from mefnet_jax import ops
from mefnet_jax.ops import choice
from tests import house


@pytest.fixture
def afresh():
  choice.obstacle.cache_clear()
  yield
  choice.obstacle.cache_clear()


def convolved(x, w):
  return ops.convolve(x, w, jnp.zeros(w.shape[-1]))


def lowered(step):
  """The program of a convolution."""
  x, w = jnp.ones((2, 4, 5, 5, 1)), jnp.ones((3, 3, 3, 1, 16))
  return jax.jit(step).lower(x, w).as_text()


def test_a_step_takes_the_chosen_forms():
  assert ops.resolve('auto') == ops.resolve('cpu') == ('cpu', '')
  assert ops.resolve('xla') == ('xla', '')
  assert 'mefnet_jax.convolve' in lowered(ops.using(convolved))
  assert 'mefnet_jax.convolve' in lowered(ops.using(convolved, 'cpu'))
  assert 'mefnet_jax.' not in lowered(ops.using(convolved, 'xla'))
  without = ops.using(convolved, without=('convolve',))
  assert 'mefnet_jax.' not in lowered(without)
  assert 'mefnet_jax.' not in lowered(convolved)  # saliency, initialisation


def test_where_they_cannot_run_auto_falls_back_and_says_why(
  afresh, monkeypatch
):
  monkeypatch.setattr(numba.config, 'DISABLE_JIT', True)
  assert ops.resolve('auto') == ('xla', 'NUMBA_DISABLE_JIT is set')
  assert ops.resolve('xla') == ('xla', '')
  with pytest.raises(ValueError, match='NUMBA_DISABLE_JIT is set'):
    ops.resolve('cpu')
  assert 'mefnet_jax.' not in lowered(ops.using(convolved))


def paced(kernels, **facts):
  """How a trunk goes through two clips."""
  x = jnp.ones((2, 4, 5, 5, 1))
  step = ops.using(
    lambda: ops.pace(x, (3, 3, 3), 16, 'float32', **facts), kernels
  )
  return step()


def test_both_factors_are_one_kernel_where_attention_follows():
  for whole_maps, pace in ((True, 'one by one'), (False, 'at once')):
    facts = {'plain': True, 'whole_maps': whole_maps}
    assert paced('cpu', **facts) == pace
    assert paced('xla', **facts) == 'again'
    both = paced('cpu', **facts, factorised=True)
    assert both == (pace if whole_maps else 'again')


def test_without_numba_xla_does_it_all(afresh, monkeypatch):
  monkeypatch.setitem(sys.modules, 'numba', None)
  chosen, why = ops.resolve('auto')
  assert chosen == 'xla' and 'Numba cannot be imported' in why


def test_an_xla_of_another_version_is_left_alone(afresh, monkeypatch):
  from mefnet_jax.ops import cpu

  def refuse():
    raise RuntimeError('API version 1.0 is not supported')

  monkeypatch.setattr(cpu, 'register', refuse)
  assert ops.resolve('auto')[0] == 'xla'
  with pytest.raises(ValueError, match='API version 1.0'):
    ops.resolve('cpu')


def test_an_unknown_word_is_named():
  with pytest.raises(ValueError, match="'gpu': choose one of auto, xla, cpu"):
    ops.resolve('gpu')


@pytest.mark.parametrize('here', ['models', 'training', 'predict', 'explain'])
def test_nobody_else_asks_about_kernels(here):
  """No other room reaches behind the door, or asks which form is used."""
  allowed = {'Maps', *ops.__all__}
  for name, path in house.MODULES.items():
    if house.room(name) == here:
      reached = house.imported(path)
      assert not {x for x in reached if x.startswith('mefnet_jax.ops.cpu')}
      assert not {'mefnet_jax.ops.choice', 'mefnet_jax.ops.xla'} & reached
      text = path.read_text()
      assert set(re.findall(r'\bops\.(\w+)', text)) <= allowed | {
        'convolution',
        'pooling',
        'primitives',
        'products',
      }
      assert not re.search(r'isinstance\([^)]*Maps|\.fused\b', text)
