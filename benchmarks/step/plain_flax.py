"""The same network from Flax's own layers, in one jitted step."""

import sys

import flax
import jax
import numpy as np
import optax
from flax import linen as nn

from benchmarks.step import task


class Network(nn.Module):
  """MicroExpSTCNN."""

  dropout: float

  @nn.compact
  def __call__(self, x, train: bool):
    drop = nn.Dropout(self.dropout, deterministic=not train)
    x = nn.Conv(task.FILTERS, task.KERNEL, padding='VALID', name='conv')(x)
    x = nn.max_pool(nn.relu(x), task.POOL, task.POOL)
    x = drop(x).reshape(len(x), -1)
    x = drop(nn.relu(nn.Dense(task.HIDDEN, name='dense')(x)))
    return nn.Dense(task.CLASSES, name='head')(x)


def main(file):
  given = {k: jax.numpy.asarray(v) for k, v in np.load(file).items()}
  version = f'jax {jax.__version__}, flax {flax.__version__}'
  task.compete(('jit',), lambda way, dropout: trainer(given, dropout), version)


def trainer(given, dropout):
  network, x = Network(dropout), given['x']
  params = network.init(jax.random.key(0), x[:1], False)['params']
  for name in ('conv', 'dense', 'head'):
    params[name]['kernel'] = given[name]
  tx = optax.adam(task.RATE, eps=task.EPSILON)

  def loss(params, x, label, key):
    rngs = None if key is None else {'dropout': key}
    logits = network.apply({'params': params}, x, key is not None, rngs=rngs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

  @jax.jit
  def update(params, opt_state, x, label, key):
    grads = jax.grad(loss)(params, x, label, key)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state

  check = jax.jit(jax.value_and_grad(loss))
  state = [params, tx.init(params)]

  def step():
    new = update(*state, x, given['label'], jax.random.key(1))
    state[:] = jax.block_until_ready(new)

  def now():
    return check(state[0], x, given['label'], None)

  return task.Trainer(
    step,
    loss=lambda: float(now()[0]),
    gradient=lambda: float(optax.tree.norm(now()[1])),
  )


if __name__ == '__main__':
  main(sys.argv[1])
