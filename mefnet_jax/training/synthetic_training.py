"""Trains networks for motion maps on rendered heads, all in one program.

The members differ in their seed, which draws weights and dropout. The maps of a
step are the same for all of them, as clips are for the folds of a
cross-validation.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from mefnet_jax.training import synthetic_maps

SHOWN = 0.15  # level from which an action unit counts as shown


@dataclasses.dataclass(frozen=True)
class Recipe:
  """Steps of AdamW, whose rate falls from learning_rate to 0 as a cosine."""

  steps: int = 2000
  learning_rate: float = 2e-3
  weight_decay: float = 1e-3


def train(
  network: nn.Module,
  people: dict[str, np.ndarray],
  seeds: tuple[int, ...],
  *,
  recipe: Recipe,
  settings: synthetic_maps.Settings,
  each: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> list[dict]:
  """Returns the weights of each seed; the same bits each time on one machine.

  Args:
    network: with the outputs of `models.motion_mlp`.
    people: as of `synthetic_maps.source`.
    seeds: one for each member; the first one also draws the maps.
    recipe: of the training.
    settings: of the maps.
    each: called every 100 steps with the number of the step and the losses,
      means over the members.
  """
  rate = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps)
  tx = optax.adamw(rate, weight_decay=recipe.weight_decay)
  keys = jax.vmap(jax.random.key)(jnp.array(seeds))
  params = _init(network, keys)
  state = params, jax.vmap(tx.init)(params)
  people = jax.device_put(people)
  maps_key = jax.random.fold_in(jax.random.key(seeds[0]), 1)

  @jax.jit
  def step(state, people, number):
    batch = maps(people, jax.random.fold_in(maps_key, number), settings)

    def one(state, key):
      key = jax.random.fold_in(key, number)
      return _update(network, tx, state, batch, key)

    return jax.vmap(one)(state, keys)

  for number in range(recipe.steps):
    state, losses = step(state, people, number)
    if number % 100 == 99:
      each(number + 1, {k: float(x.mean()) for k, x in losses.items()})
  params = jax.device_get(state[0])
  return [jax.tree.map(lambda x, k=k: x[k], params) for k in range(len(seeds))]


@functools.partial(jax.jit, static_argnums=2)
def maps(
  people: dict[str, jax.Array],
  key: jax.Array,
  settings: synthetic_maps.Settings,
) -> dict[str, jax.Array]:
  """Compiles `synthetic_maps.batch` once for training and tests."""
  return synthetic_maps.batch(people, key, settings)


def losses(
  logits: jax.Array, out: dict[str, jax.Array], batch: dict[str, jax.Array]
) -> dict[str, jax.Array]:
  """Returns the parts of the loss of a batch of `synthetic_maps`, by name.

  Cross-entropy for the classes, over maps that have one; mean square error for
  the levels of both sides, in the unit in which they were drawn, over maps of
  which they are known; binary cross-entropy for each action unit, for whether
  there is an expression, and for whether one goes back, if the network has that
  output.

  Args:
    logits: (B, C) of the classes.
    out: the network's other outputs.
    batch: as of `synthetic_maps.batch`.
  """
  named = batch['named'].astype(jnp.float32)
  own = optax.softmax_cross_entropy_with_integer_labels(logits, batch['label'])
  level = out['unit_level'] * batch['scale'][:, None, None]
  off = ((level - batch['level']) ** 2).mean((1, 2))
  seen = (batch['level'].max(-1) > SHOWN).astype(jnp.float32)
  binary = optax.sigmoid_binary_cross_entropy
  units = binary(out['unit_logit'], seen).mean(-1)
  found = {
    'class': (own * named).sum() / named.sum(),
    'level': 8 * (off * batch['coded']).mean(),
    'unit': 4 * (units * batch['coded']).mean(),
    'expression': 0.5 * binary(out['expression'], 1.0 - batch['idle']).mean(),
  }
  if 'returning' in out:
    back = batch['returning'].astype(jnp.float32)
    found['returning'] = 0.5 * binary(out['returning'], back).mean()
  return found


def _init(network, keys):
  """Params of all members, stacked."""
  side = synthetic_maps.SIDE
  sample = {network.streams[0]: jnp.zeros((1, 1, side, side, 2))}

  @jax.jit  # op by op gives the same bits and takes three times as long
  def initial(keys):
    return jax.vmap(lambda key: network.init(key, sample)['params'])(keys)

  return initial(keys)


def _update(network, tx, state, batch, key):
  """One step of one member, and its losses."""
  params, moments = state

  def loss(params):
    logits, out = network.apply(
      {'params': params},
      {network.streams[0]: batch['maps'][:, None]},
      train=True,
      rngs={'dropout': key},
    )
    parts = losses(logits, out, batch)
    return sum(parts.values()), parts

  gradient, parts = jax.grad(loss, has_aux=True)(params)
  updates, moments = tx.update(gradient, moments, params)
  return (optax.apply_updates(params, updates), moments), parts
