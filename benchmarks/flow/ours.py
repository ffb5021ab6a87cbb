"""This project: all folds in one program, by its own engine."""

import sys

import jax
import numpy as np

from benchmarks.cross_validation import ours as folds_ours
from benchmarks.cross_validation import task as folds_task
from benchmarks.flow import task
from configs import mefnet_flow
from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config
from mefnet_jax.runs import xla
from mefnet_jax.training import compiled_steps, train_loop


def main(file):
  xla.tune_cpu()
  given = task.Task.read(file)
  config = mefnet_flow.get_config()
  config.train.batch_size = given.batch
  config.train.learning_rate, config.train.decay = folds_task.RATE, 0.0
  config.train.class_weights = False
  config.model.dropout, config.model.drop_rate = given.dropout, 0.0
  network = from_config.network(config, task.CLASSES)
  clips = {'face': given.maps, 'label': given.label}
  job = folds_ours.Job(network, clips, config)
  everybody = np.arange(len(given.label), dtype=np.int32)
  splits = tuple(
    folds.Fold(
      f'{k}',
      train=everybody[given.fold != k],
      test=everybody[given.fold == k],
      validation=everybody[:0],
    )
    for k in range(given.folds)
  )
  made = compiled_steps.CompiledSteps(job, splits)
  params = jax.tree.map(lambda x: x[None], tree())

  def cross_validate(epochs):
    state = made.initial((0,)).replace(params=made.plan.spread(params))
    for epoch in range(1, epochs + 1):
      state, _ = train_loop.train_epoch(made, state, (0,), epoch)
    answers = np.zeros((len(given.label), task.CLASSES))
    held_out = made.probabilities(state.params, 'test')[0]
    for fold, found in zip(splits, held_out, strict=True):
      answers[fold.test] = found
    return answers

  folds_task.compete(cross_validate, f'jax {jax.__version__}')


def tree() -> dict:
  """The given weights as this project's tree; biases and mixing are zero."""
  weights = task.weights()

  def layer(name, *front):
    kernel = weights[name]
    kernel = kernel.reshape(*front, *kernel.shape)
    return {'kernel': kernel, 'bias': np.zeros(kernel.shape[-1], np.float32)}

  spatial = {
    'mixing': np.zeros((), np.float32),
    'convolution': {'space': layer('space', 1)},
  }
  channel = {name: layer(name) for name in ('squeeze', 'excite')}
  attention = {'channel': channel, 'spatial': spatial}
  trunk = {'conv': layer('conv', 1), 'attention': attention}
  return {
    'face': {'trunk': trunk},
    'dense': {'Dense_0': layer('dense')},
    'classes': layer('classes'),
  }


if __name__ == '__main__':
  main(sys.argv[1])
