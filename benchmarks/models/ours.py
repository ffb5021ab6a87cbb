"""This project's networks."""

import jax
import numpy as np
import optax

from benchmarks.models import task
from mefnet_jax import compilation, losses, models, optimizers


def main():
  compilation.tune_cpu()
  task.compete(build, f'jax {jax.__version__}')


def build(given, dropout):
  batch = {**given.clips(), 'label': given.label()}
  batch = jax.device_put(batch)
  params = tree(given)
  weight_B = np.ones(given.batch, np.float32)
  tx = optimizers.adam(task.RATE, decay=0.0)
  state = [params, tx.init(params)]

  def loss(params, batch, model, train):
    logits, _ = model.apply({'params': params}, batch, train=train)
    loss = losses.cross_entropy(logits, batch['label'], weight_B)
    return loss / given.batch

  def update(params, opt_state, batch, key):
    keys = jax.random.split(key, given.batch)
    grads = jax.grad(loss)(
      params, {**batch, 'key': keys}, network(given, dropout), True
    )
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state

  step = jax.jit(update, donate_argnums=(0, 1))
  logits = jax.jit(lambda p, b: network(given, 0.0).apply({'params': p}, b)[0])
  check = jax.jit(
    lambda p, b: jax.value_and_grad(loss)(p, b, network(given, 0.0), False)
  )

  def train():
    state[:] = jax.block_until_ready(step(*state, batch, jax.random.key(1)))

  def proof():
    value, grads = check(state[0], batch)
    return float(value), float(optax.tree.norm(grads))

  return task.Contestant(
    train, lambda: np.asarray(logits(state[0], batch)), proof
  )


def network(given, dropout):
  masks = {'drop_rate': 0.0} if given.attends else {}
  return models.build(
    given.network, num_classes=task.CLASSES, dropout=dropout, **masks
  )


def tree(given):
  """The given weights in this project's tree; biases and mixing are zero."""
  weights = given.weights()

  def layer(name):
    kernel = weights.pop(name)
    return {'kernel': kernel, 'bias': np.zeros(kernel.shape[-1], np.float32)}

  params = {'classes': layer('classes')}
  for stream in task.STREAMS[given.network]:
    params[stream] = {'trunk': {'conv': layer(f'{stream}/conv')}}
    if given.attends:
      params[stream]['trunk']['attention'] = attention(stream, layer)
    dense = f'{stream}_dense' if given.network == 'mfcnn' else 'dense'
    widths = task.HIDDEN[given.network]
    params[dense] = {
      f'Dense_{i}': layer(f'{stream}/dense{i}') for i in range(len(widths))
    }
  return jax.device_put(params)


def attention(stream, layer):
  spatial = {
    'mixing': np.zeros((), np.float32),
    'convolution': {n: layer(f'{stream}/{n}') for n in ('space', 'time')},
  }
  channel = {n: layer(f'{stream}/{n}') for n in ('squeeze', 'excite')}
  return {'channel': channel, 'spatial': spatial}


if __name__ == '__main__':
  main()
