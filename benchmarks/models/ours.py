"""This project's networks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.models import task
from mefnet_jax import models, ops
from mefnet_jax.runs import xla
from mefnet_jax.training import losses, optimizer, parallel
from mefnet_jax.training import train_step as train


def main():
  xla.tune_cpu()
  task.compete(build, f'jax {jax.__version__}')


def build(given, dropout):
  clips = {**given.clips(), 'label': given.label()}
  tx = optimizer.adam(task.RATE, decay=0.0)
  plan = parallel.plan(1)  # as the engine lays a single training

  def train_step(state, fold, clips, order, key, *, axis_name=None):
    index_B = order['index']
    batch = {name: x[index_B] for name, x in clips.items()}
    batch['key'] = jax.vmap(lambda i: jax.random.fold_in(key, i))(index_B)
    grads = jax.grad(loss)(state.params, batch, network(given, dropout), True)
    if axis_name:
      grads = jax.lax.psum(grads, axis_name)
    params, opt_state = optimizer.apply(
      tx, grads, state.opt_state, state.params
    )
    return train.TrainState(state.step + 1, params, opt_state), ()

  def eval_step(params, fold, clips, index_B):
    batch = {name: x[index_B] for name, x in clips.items()}
    return network(given, 0.0).apply({'params': params}, batch)[0]

  def loss(params, batch, model, train):
    logits, _ = model.apply({'params': params}, batch, train=train)
    weight_B = jnp.ones(len(logits))
    return losses.cross_entropy(logits, batch['label'], weight_B) / given.batch

  params = tree(given)
  state = train.TrainState(np.zeros((), np.int32), params, tx.init(params))
  state = jax.tree.map(lambda x: np.asarray(x)[None, None], state)
  states = [plan.place(plan.split(state))]
  clips = plan.share(clips)
  fold = plan.place(plan.split(np.zeros((1, 1)), axis=0))
  index_B = np.arange(given.batch, dtype=np.int32)
  step = parallel.map_training(train_step, plan)
  judge = parallel.map_evaluation(eval_step, plan)
  check = jax.jit(
    ops.using(
      lambda p, b: jax.value_and_grad(loss)(p, b, network(given, 0.0), False)
    )
  )

  def one_step():
    order = {'index': index_B[None]}
    states[0], _ = step(states[0], fold, clips, order, jax.random.key(1)[None])
    jax.block_until_ready(states[0])

  def infer():
    index_FB = plan.split(index_B[None], axis=0)
    logits = np.asarray(judge(states[0].params, fold, clips, index_FB))
    return logits.reshape(given.batch, -1)

  def proof():
    own = jax.tree.map(lambda x: x[0, 0], plan.join(states[0].params))
    value, grads = check(own, jax.device_get(clips))
    return float(value), float(optax.tree.norm(grads))

  return task.Contestant(one_step, infer, proof)


def network(given, dropout):
  own = {'drop_rate': 0.0} if given.attends else {}
  if given.network == 'residual':
    own = {'depth': task.DEPTH, 'width': task.WIDTH}
    own |= {'channel_attention': False, 'spatial_attention': False}
  return models.build(
    given.network,
    num_classes=task.CLASSES,
    dropout=dropout,
    kernel=given.kernel,
    conv=given.conv,
    normalisation=given.normalisation,
    **own,
  )


def tree(given):
  """The given weights in this project's tree; biases and mixing are zero."""
  weights = given.weights()

  def layer(name):
    kernel = weights.pop(name)
    return {'kernel': kernel, 'bias': np.zeros(kernel.shape[-1], np.float32)}

  def conv(name):
    if given.conv == '3d':
      return layer(name)
    return {half: layer(f'{name}_{half}') for half in ('space', 'time')}

  def norm(name, filters):
    if given.normalisation == 'none':
      return {}
    ones, zeros = np.ones(filters, np.float32), np.zeros(filters, np.float32)
    return {name: {'norm': {'scale': ones, 'bias': zeros}}}

  def unit(name, channels, filters):
    parts = {'gather': layer(f'{name}/gather')}
    if channels != filters:
      parts['shortcut'] = layer(f'{name}/shortcut')
    for half in ('first', 'second'):
      parts[half] = conv(f'{name}/{half}')
      parts |= norm(f'{half}_normalisation', filters)
    return parts

  params = {'classes': layer('classes')}
  for stream in task.STREAMS[given.network]:
    trunk = {'conv': conv(f'{stream}/conv')}
    trunk |= norm('normalisation', task.FILTERS)
    params[stream] = {'trunk': trunk}
    if given.attends:
      trunk['attention'] = attention(stream, layer)
    units = {
      name: unit(f'{stream}/{name}', channels, filters)
      for name, channels, filters, _ in given.units()
    }
    if units:
      trunk['residual'] = units
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
