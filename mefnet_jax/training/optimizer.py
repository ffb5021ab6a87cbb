"""Adam with Keras's learning rate decay, as in the paper."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from mefnet_jax import ops

_B1, _B2, _EPSILON = 0.9, 0.999, 1e-7  # Keras's; optax would take 1e-8


class Adam(NamedTuple):
  """`optax.adam` together with its learning rate schedule."""

  init: Callable
  update: Callable
  rate: Callable


def adam(learning_rate: float, decay: float) -> Adam:
  """Returns Adam with the learning rate learning_rate / (1 + decay * step).

  This is the meaning of `decay` in Keras, from which the paper's 1e-5 comes;
  it is not a weight decay. Epsilon is that of Keras, too.
  """

  def rate(step):
    return learning_rate / (1.0 + decay * step)

  return Adam(*optax.adam(rate, b1=_B1, b2=_B2, eps=_EPSILON), rate)


def apply(
  tx: optax.GradientTransformation,
  grads: dict,
  state: optax.OptState,
  params: dict,
) -> tuple[dict, optax.OptState]:
  """Returns the params and the state after one step of the optimizer.

  Adam is `optax.adam`, done by `ops.adam` array by array: on a CPU large ones
  take one pass over memory.
  """
  if not isinstance(tx, Adam):
    updates, new_state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), new_state
  known, schedule = state
  # Of optax only the counters: to trace the rest takes as long as the network.
  bare = known._replace(mu={}, nu={}), schedule
  _, (moments, counted) = tx.update({}, bare, {})
  # optax corrects the bias by the count after the step, and looks up the
  # learning rate by the count before it.
  step = moments.count.astype(jnp.float32)
  rate, betas = tx.rate(schedule.count), (_B1, 1 - _B1, _B2, 1 - _B2)
  numbers = (rate, *betas, 1 - _B1**step, 1 - _B2**step, _EPSILON)
  numbers = jnp.stack([jnp.float32(n) for n in numbers])
  shape = jax.tree.structure(params)
  fields = map(jax.tree.leaves, (params, known.mu, known.nu, grads))
  moved = [ops.adam(*row, numbers) for row in zip(*fields, strict=True)]
  new, mu, nu = (jax.tree.unflatten(shape, a) for a in zip(*moved, strict=True))
  return new, (moments._replace(mu=mu, nu=nu), counted)
