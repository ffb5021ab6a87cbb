"""The same network from Flax's own layers: one jitted gradient of a batch."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.saliency import task
from benchmarks.step import plain_flax as step_flax


def main(file):
  given = dict(np.load(file))
  x, target = given['x'], given['target']
  network = step_flax.Network(0.0)
  params = network.init(jax.random.key(0), x[:1], False)['params']
  for name in ('conv', 'dense', 'head'):
    params[name]['kernel'] = jnp.asarray(given[name])
  nodes, weights = np.polynomial.legendre.leggauss(task.STEPS)
  nodes = jnp.asarray((1 + nodes) / 2, jnp.float32)
  weights = jnp.asarray(weights / 2, jnp.float32)

  def slopes(points, target):
    def score(points):
      return network.apply({'params': params}, points, False)[:, target].sum()

    return jax.grad(score)(points)

  @jax.jit
  def integrated(x, target):
    points = nodes[:, None, None, None, None] * x
    return x * jnp.tensordot(weights, slopes(points, target), 1)

  @jax.jit
  def smooth(x, target, key):
    noise = jax.random.normal(key, (task.STEPS, *x.shape))
    points = x + task.NOISE * (x.max() - x.min()) * noise
    return slopes(points, target).mean(0)

  def each(function, keys):
    def run(x, target):
      return np.stack(
        [
          np.asarray(function(a, t, *(jax.random.key(i),) * keys))
          for i, (a, t) in enumerate(zip(x, target, strict=True))
        ]
      )

    return run

  methods = {
    'integrated_gradients': each(integrated, 0),
    'smooth_grad': each(smooth, 1),
  }
  task.compete(methods, f'jax {jax.__version__}, Flax layers', x, target)


if __name__ == '__main__':
  main(sys.argv[1])
