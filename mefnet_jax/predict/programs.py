"""Programs of a network, compiled once for all that is asked of equal ones."""

from collections.abc import Callable

import jax
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import by_network


def logits(network: nn.Module) -> Callable:
  """Returns (params, batch) -> logits (B, C)."""
  return _logits(network, ops.resolve('auto')[0])


@by_network.cached
def _logits(network, kernels):
  def logits(params, batch):
    return network.apply({'params': params}, batch, train=False)[0]

  return jax.jit(ops.using(logits, kernels))


@by_network.cached
def outputs(network: nn.Module) -> Callable:
  """Returns (params, batch) -> logits (B, C) and what else a network says."""

  def say(params, batch):
    return network.apply({'params': params}, batch, train=False)

  return jax.jit(say)


@by_network.cached
def params(network: nn.Module) -> Callable:
  """Returns (key, batch) -> params."""
  return jax.jit(lambda key, batch: network.init(key, batch)['params'])
