"""Programs are kept for equal networks, and for nothing else."""

import numpy as np
from flax import linen as nn

from mefnet_jax import models
from mefnet_jax.models import network_cache


class Own(nn.Module):
  """A user's own network, with a field that has no hash."""

  table: np.ndarray


def test_equal_networks_share_what_is_made():
  made = []

  @network_cache.cached
  def program(network, rate):
    made.append((network, rate))
    return object()

  def network(filters):
    return models.build('base', num_classes=3, filters=filters)

  assert program(network(4), 0.1) is program(network(4), 0.1)
  assert program(network(4), 0.1) is not program(network(8), 0.1)
  assert program(network(4), 0.1) is not program(network(4), 0.2)
  assert len(made) == 3
  own = Own(np.zeros(2))
  assert program(own, 0.1) is not program(own, 0.1)
