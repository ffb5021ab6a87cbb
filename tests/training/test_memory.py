"""The memory of a training: what it needs, and what there is."""

import jax
import numpy as np

from mefnet_jax import models
from mefnet_jax.training import memory


def test_a_wider_network_needs_more():
  def needed(filters):
    model = models.build(
      'mecnn', num_classes=3, filters=filters, kernel=(5, 3, 3), hidden=(8,)
    )
    sample = {'face': jax.ShapeDtypeStruct((1, 9, 16, 16, 1), np.float32)}
    params = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), sample)[
      'params'
    ]
    return memory.activations(model, params, sample)

  # At least the maps of the convolution: 5 x 14 x 14 places of 4 bytes.
  assert needed(4) > 4 * 4 * 5 * 14 * 14
  assert 1.2 * needed(4) < needed(8) < 3 * needed(4)


def test_free_memory_is_less_than_all():
  assert 1e7 < memory.budget(0.0) < 1e14
  assert memory.budget(2.5) == 2.5e9
