"""This project: all folds in one program, by its own engine."""

import sys

import numpy as np

from benchmarks.cross_validation import ours as folds_ours
from benchmarks.flow import task
from configs import mefnet_flow
from mefnet_jax.models import from_config
from mefnet_jax.runs import xla


def main(file):
  xla.tune_cpu()
  given = task.Task.read(file)
  config = folds_ours.untouched(mefnet_flow.get_config(), given.batch)
  config.model.dropout, config.model.drop_rate = given.dropout, 0.0
  network = from_config.network(config, task.CLASSES)
  clips = {'face': given.maps, 'label': given.label}
  job = folds_ours.Job(network, clips, config)
  folds_ours.compete(job, given.fold, tree())


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
