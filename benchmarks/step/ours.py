"""This project's step, as the engine runs it for one fold."""

import functools
import sys

import jax
import numpy as np
import optax

from benchmarks.step import task
from mefnet_jax import inputs, models, optimizers, parallel, train


def main(file):
  given = dict(np.load(file))
  model = models.build('base', num_classes=task.CLASSES)
  tx = optimizers.adam(task.RATE, 0.0)
  clips = {'face': given['clips'], 'label': given['label']}
  state = train.create_state(model, tx, clips, jax.random.key(0))
  params = with_weights(state.params, given)
  state = state.replace(params=params)
  facts = proof(model, params, clips)
  plan = parallel.plan(1, 'folds')
  one = jax.tree.map(lambda x: np.asarray(x)[None], state)
  states = [plan.place(plan.split(one))]
  weight_FN = plan.place(plan.split(np.ones((1, task.BATCH), np.float32)))
  clips = plan.share(clips)
  step = parallel.train_step(
    functools.partial(train.train_step, model=model, tx=tx, how='frames'), plan
  )
  index_B = np.arange(task.BATCH, dtype=np.int32)
  valid_B = np.ones(task.BATCH, np.float32)
  key = jax.random.key(1)

  def run():
    states[0], _ = step(states[0], weight_FN, clips, index_B, valid_B, key)
    jax.block_until_ready(states[0])

  task.serve(run, {**facts, 'version': f'jax {jax.__version__}'})


def with_weights(params, given):
  """The given weights in this network's tree; biases stay zero."""
  params = jax.tree.map(np.asarray, params)
  params['face']['trunk']['conv']['kernel'] = given['conv']
  params['dense']['Dense_0']['kernel'] = given['dense']
  params['classes']['kernel'] = given['head']
  return params


def proof(model, params, clips):
  """Loss and gradient norm without dropout, to compare the contestants."""
  batch = inputs.batch(clips, np.arange(task.BATCH), how='frames')

  def loss(params):
    logits, _ = model.apply({'params': params}, batch)
    label = batch['label']
    return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  return {'loss': float(value), 'gradient': float(optax.tree.norm(grads))}


if __name__ == '__main__':
  main(sys.argv[1])
