"""The memory of a training: what it needs, and what there is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax import models, ops
from mefnet_jax.training import memory


def network(name, filters=4, **options):
  model = models.build(
    name, num_classes=3, filters=filters, kernel=(5, 3, 3), **options
  )
  params = jax.eval_shape(
    lambda x: model.init(jax.random.key(0), x), sample(1)
  )['params']
  return model, params


def sample(batch):
  return {'face': jax.ShapeDtypeStruct((batch, 9, 16, 16, 1), np.float32)}


def test_a_wider_network_needs_more():
  def needed(filters):
    return memory.maps(
      *network('mecnn', filters, hidden=(8,)), sample(1), 'xla'
    )

  narrow, wide = needed(4), needed(8)
  # At least the maps of the convolution: 5 x 14 x 14 places of 4 bytes.
  assert narrow > 4 * 4 * 5 * 14 * 14
  assert 1.2 * narrow < wide < 3 * narrow


# One network that kernels compute, and one of which XLA walks the clips.
@pytest.mark.parametrize(
  ('name', 'options', 'kernels'),
  [
    pytest.param('base', {}, 'auto', marks=pytest.mark.slow),
    ('base', {}, 'xla'),
    ('mecnn', {}, 'auto'),
    pytest.param('mecnn', {}, 'xla', marks=pytest.mark.slow),
    *(
      pytest.param(
        *('mecnn', {'depth': (1,), 'width': (8,)}, kernels),
        marks=pytest.mark.slow,
      )
      for kernels in ('auto', 'xla')
    ),
  ],
)
def test_a_step_needs_no_more_than_its_bound(name, options, kernels):
  """However the trunk goes through the clips of a batch."""
  model, params = network(name, 16, hidden=(8,), **options)

  def loss(params, batch):
    keys = jax.random.split(jax.random.key(0), 64)
    batch = {**batch, 'key': keys, 'used': jnp.ones(64)}
    return model.apply({'params': params}, batch, train=True)[0].sum()

  step = jax.jit(ops.using(jax.grad(loss), kernels))
  program = step.lower(params, sample(64)).compile()
  needed = program.memory_analysis().temp_size_in_bytes
  assert needed <= memory.maps(model, params, sample(64), kernels)


def test_free_memory_is_less_than_all():
  assert 1e7 < memory.budget(0.0) < 1e14
  assert memory.budget(2.5) == 2.5e9
