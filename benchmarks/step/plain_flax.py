"""The same network from Flax's own layers, in one jitted step."""

import sys

import jax
import numpy as np
import optax
from flax import linen as nn

from benchmarks.step import task


class Network(nn.Module):
  """MicroExpSTCNN."""

  @nn.compact
  def __call__(self, x, train: bool):
    drop = nn.Dropout(task.DROPOUT, deterministic=not train)
    x = nn.Conv(task.FILTERS, task.KERNEL, padding='VALID', name='conv')(x)
    x = nn.max_pool(nn.relu(x), task.POOL, task.POOL)
    x = drop(x).reshape(len(x), -1)
    x = drop(nn.relu(nn.Dense(task.HIDDEN, name='dense')(x)))
    return nn.Dense(task.CLASSES, name='head')(x)


def main(file):
  given = dict(np.load(file))
  network = Network()
  x, label = jax.numpy.asarray(given['x']), jax.numpy.asarray(given['label'])
  params = network.init(jax.random.key(0), x[:1], False)['params']
  for name in ('conv', 'dense', 'head'):
    params[name]['kernel'] = jax.numpy.asarray(given[name])
  tx = optax.adam(task.RATE, eps=1e-7)

  def loss(params, train, key):
    rngs = {'dropout': key}
    logits = network.apply({'params': params}, x, train, rngs=rngs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

  @jax.jit
  def step(params, opt_state, key):
    grads = jax.grad(loss)(params, True, key)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state

  check = jax.jit(
    jax.value_and_grad(lambda p: loss(p, False, jax.random.key(0)))
  )
  value, grads = check(params)
  state = [params, tx.init(params)]

  def run():
    state[:] = jax.block_until_ready(step(*state, jax.random.key(1)))

  facts = {'loss': float(value), 'gradient': float(optax.tree.norm(grads))}
  task.serve(run, {**facts, 'version': f'jax {jax.__version__}'})


if __name__ == '__main__':
  main(sys.argv[1])
