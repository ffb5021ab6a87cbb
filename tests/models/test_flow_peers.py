"""STSTNet-like and Off-ApexNet-like: the sizes and paths of their papers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from configs import flow_peers
from mefnet_jax import models
from mefnet_jax.training import config_check
from tests.fixtures import networks

NAMES = ('ststnet_like', 'off_apexnet_like')


@pytest.fixture(scope='module')
def maps():
  random = np.random.default_rng(0)
  return jnp.asarray(random.normal(size=(4, 1, 28, 28, 3)), jnp.float32)


def made(name, maps, **fields):
  model = models.build(name, num_classes=3, **fields)
  return model, jax.jit(model.init)(jax.random.key(0), {'face': maps})


@pytest.mark.parametrize('name', NAMES)
def test_its_config_is_valid(name):
  config_check.check(flow_peers.get_config(name))


@pytest.mark.parametrize('name', NAMES)
def test_it_starts_without_an_opinion_and_sees_each_clip_alone(name, maps):
  model, params = made(name, maps)
  apply = jax.jit(model.apply)
  assert (apply(params, {'face': maps})[0] == 0).all()  # the first loss: log 3
  # The same network with another last layer than at the start.
  random = networks.random_params(model, {'face': maps})
  params = {'params': {**params['params'], 'classes': random['classes']}}
  logits, _ = apply(params, {'face': maps})
  assert abs(logits).max() > 1e-3
  order = np.array([2, 0, 3, 1])
  other, _ = apply(params, {'face': maps[order]})
  np.testing.assert_allclose(other, logits[order], rtol=1e-4, atol=1e-5)


def test_ststnet_has_the_sizes_of_the_paper(maps):
  """3 + 5 + 8 filters on 28x28, pooled to 10x10, averaged to 5x5: 400."""
  model = models.build('ststnet_like', num_classes=3)
  out, params = jax.eval_shape(
    lambda key: model.init_with_output(key, {'face': maps}), jax.random.key(0)
  )
  _, out = out
  assert out['maps'].shape == (4, 10, 10, 16)
  assert out['features'].shape == (4, 400)
  # (27 + 1) weights a filter, and 400 x 3 + 3.
  assert sum(x.size for x in jax.tree.leaves(params)) == 28 * 16 + 1203


def test_ststnet_pools_as_flax_does(maps):
  """The same values and gradients as Flax's own poolings, which are slow."""
  random = np.random.default_rng(1)
  kernel = jnp.asarray(random.normal(size=(1, 3, 3, 3, 3)), jnp.float32)
  model = models.build('ststnet_like', num_classes=3, width=(3,))
  params = networks.random_params(model, {'face': maps})
  params['stream3'] = {'kernel': kernel, 'bias': jnp.zeros(3)}

  def ours(x):
    return model.apply({'params': params}, {'face': x})[1]['features']

  def theirs(x):
    y = jax.lax.conv_general_dilated(
      x[:, 0],
      kernel[0],
      (1, 1),
      'SAME',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    edge = ((1, 1), (1, 1))
    y = nn.max_pool(nn.relu(y), (3, 3), (3, 3), padding=edge)
    return nn.avg_pool(y, (2, 2), (2, 2)).reshape(len(x), -1)

  def loss(f, x):
    return (f(x) ** 2).sum(), f(x)

  grads, values = zip(
    *(
      jax.jit(jax.grad(functools.partial(loss, f), has_aux=True))(maps)
      for f in (ours, theirs)
    ),
    strict=True,
  )
  np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(*grads, rtol=1e-3, atol=1e-3)


def test_off_apexnet_keeps_u_and_v_apart_and_ignores_strain(maps):
  """16 channels of 7x7 each; strain moves nothing, u moves u alone."""
  model = models.build('off_apexnet_like', num_classes=3, hidden=(8,))
  params = {'params': networks.random_params(model, {'face': maps})}
  apply = jax.jit(model.apply)
  _, out = apply(params, {'face': maps})
  assert out['u'].shape == out['v'].shape == (4, 7 * 7 * 16)
  for channel, moved in enumerate((['u'], ['v'], [])):
    _, other = apply(params, {'face': maps.at[..., channel].set(0)})
    assert [k for k in 'uv' if (other[k] != out[k]).any()] == moved


@pytest.mark.parametrize('name', NAMES)
def test_a_field_that_cannot_be_is_named(name, maps):
  with pytest.raises(ValueError, match='streams'):
    made(name, maps, streams=('face', 'eyes'))
