"""This project's step, as the engine runs it for one fold.

It begins with the stored uint8 clips, as the engine does: only here are taking
and standardising the batch part of the time.
"""

import functools
import sys

import flax
import jax
import numpy as np
import optax

from benchmarks.step import task
from mefnet_jax import models, ops
from mefnet_jax.models import normalize
from mefnet_jax.runs import xla
from mefnet_jax.training import losses, optimizer, parallel, train_step

INDEX_B = np.arange(task.BATCH, dtype=np.int32)
ONES_B = np.ones(task.BATCH, np.float32)
ORDER = {'index': INDEX_B[None], 'valid': ONES_B[None]}


def main(file):
  xla.tune_cpu()
  given = dict(np.load(file))
  version = f'jax {jax.__version__}, flax {flax.__version__}'
  task.compete(('jit',), lambda way, dropout: trainer(given, dropout), version)


def trainer(given, dropout):
  model = models.build('base', num_classes=task.CLASSES, dropout=dropout)
  tx = optimizer.adam(task.RATE, decay=0.0)
  plan = parallel.plan(1)
  clips = {'face': given['clips'], 'label': given['label']}
  clips = normalize.measured(clips, input_kind='frames')
  state = train_step.create_state(model, tx, clips, jax.random.key(0))
  state = state.replace(params=with_weights(state.params, given))
  state = jax.tree.map(lambda x: np.asarray(x)[None, None], state)
  states = [plan.place(plan.split(state))]
  fold = plan.place(plan.split({'weight': ONES_B[None]}, axis=0))
  clips = plan.share(clips)
  step_fn = parallel.map_training(
    functools.partial(
      train_step.train_step, model=model, tx=tx, input_kind='frames'
    ),
    plan,
  )
  key = jax.random.key(1)
  check = jax.value_and_grad(functools.partial(loss, model))
  check = jax.jit(ops.using(check))

  def step():
    new_key = jax.random.fold_in(key, 0)[None]
    states[0], _ = step_fn(states[0], fold, clips, ORDER, new_key)
    jax.block_until_ready(states[0])

  def now():
    params = jax.tree.map(lambda x: x[0, 0], plan.join(states[0].params))
    return check(params, normalize.batch(clips, INDEX_B, input_kind='frames'))

  return task.Trainer(
    step,
    loss=lambda: float(now()[0]),
    gradient=lambda: float(optax.tree.norm(now()[1])),
  )


def loss(model, params, batch):
  logits_BC, _ = model.apply({'params': params}, batch)
  return losses.cross_entropy(logits_BC, batch['label'], ONES_B) / task.BATCH


def with_weights(params, given):
  """The given weights in this network's tree; biases stay zero."""
  params = jax.tree.map(np.asarray, params)
  params['face']['trunk']['conv']['kernel'] = given['conv']
  params['dense']['Dense_0']['kernel'] = given['dense']
  params['classes']['kernel'] = given['head']
  return params


if __name__ == '__main__':
  main(sys.argv[1])
