"""This project's part: the network as it is trained, taken apart at its start.

Compiled programs are those of `mefnet_jax.explain`.
"""

import sys

import jax
import numpy as np

from benchmarks.saliency import task
from benchmarks.step import ours as step_ours
from mefnet_jax import models
from mefnet_jax.explain import networks
from mefnet_jax.runs import xla


def main(file):
  xla.tune_cpu()
  given = dict(np.load(file))
  x, target = given['x'], given['target']
  model = models.build('base', num_classes=3)
  params = jax.jit(model.init)(jax.random.key(0), {'face': x[:1]})['params']
  params = step_ours.with_weights(params, given)
  parts = networks.decompose(model, params, {'face': x[:2]})
  given = dict(rows=64)
  key = jax.random.key(0)

  def integrated(x, target):
    maps = networks.integrated_gradients(
      parts, {'face': x}, target, params, steps=task.STEPS, **given
    )
    return np.asarray(maps['face'])

  def smooth(x, target):
    maps = networks.smooth_grad(
      parts, {'face': x}, target, params, samples=task.STEPS, key=key, **given
    )
    return np.asarray(maps['face'])

  methods = {'integrated_gradients': integrated, 'smooth_grad': smooth}
  for method in methods.values():  # compiles the size that is timed
    method(x[:8], target[:8])
  task.compete(methods, f'jax {jax.__version__}', x, target)


if __name__ == '__main__':
  main(sys.argv[1])
