"""The compiled programs of a network; equal networks share them."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from mefnet_jax import ops
from mefnet_jax.models import network_cache, normalize


def logits(network: nn.Module) -> Callable:
  """Returns (params, batch) -> logits (B, C)."""
  return _logits(network, ops.resolve('auto')[0])


@network_cache.cached
def _logits(network, kernels):
  def logits(params, batch):
    return network.apply({'params': params}, batch, train=False)[0]

  return jax.jit(ops.using(logits, kernels))


@network_cache.cached
def outputs(network: nn.Module) -> Callable:
  """Returns (params, batch) -> logits (B, C) and the network's `out`."""

  def outputs(params, batch):
    return network.apply({'params': params}, batch, train=False)

  return jax.jit(outputs)


@network_cache.cached
def params(network: nn.Module) -> Callable:
  """Returns (key, batch) -> params."""
  return jax.jit(lambda key, batch: network.init(key, batch)['params'])


@functools.partial(jax.jit, static_argnames='input_kind')
def views(
  streams: dict[str, jax.Array], moments: dict | None, *, input_kind: str
) -> dict[str, jax.Array]:
  """Returns streams (n, T, H, W, C) and masks (n,) as a network sees them.

  One program serves all models that look at clips of one shape.

  Args:
    streams: as they are stored, or scaled by pixel.
    moments: of `Member.moments`.
    input_kind: of `normalize.standardise`.
  """
  measured = normalize.measured(streams, input_kind=input_kind)
  index = jnp.arange(len(next(iter(streams.values()))))
  return normalize.batch(
    measured, index, input_kind=input_kind, moments=moments
  )
