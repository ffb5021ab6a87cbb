"""Gradient, gradient x input, SmoothGrad and integrated gradients."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.saliency import batches

_ROWS = 64  # points that f sees at once, by default


def gradient(f: Callable, x, target=None, *, args=(), rows=_ROWS):
  """The gradient of the target's score: a tree like x, float32.

  Source: Simonyan, Vedaldi, Zisserman, ICLR workshop 2014.

  Args:
    f, x, target, args: as the package says.
    rows: the most examples that f sees at once; None: all.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  return batches.in_batches(
    lambda part: _gradient(f, *part, args), (x, target), rows
  )


def gradient_x_input(
  f: Callable, x, target=None, *, baseline=None, args=(), rows=_ROWS
):
  """Gradient times (x - baseline), by default zeros; exact where f is affine.

  Source: Shrikumar et al., 2016. Arguments as `gradient`.
  """
  x = batches.as_float(x)
  slope = gradient(f, x, target, args=args, rows=rows)
  away = jax.tree.map(jnp.subtract, x, batches.baseline(x, baseline))
  return jax.tree.map(jnp.multiply, slope, away)


def integrated_gradients(
  f: Callable,
  x,
  target=None,
  *,
  baseline=None,
  steps: int = 32,
  first: Callable | None = None,
  args=(),
  rows=_ROWS,
):
  """(x - baseline) times the mean gradient on the line between them.

  Their sum is f(x) - f(baseline), up to the error of the quadrature
  (Gauss-Legendre, which no even spacing beats): see `completeness_gap`.
  Source: Sundararajan, Taly, Yan, ICML 2017.

  Args:
    f, x, target, args: as the package says.
    baseline: a tree that broadcasts to x; zeros by default.
    steps: points on the line.
    first: what the network begins with, if it is affine: the network is then
      `f(first(x, *args), *args)`, and `first` is computed once forward and
      once backward instead of `steps` times. With a baseline of zeros it may
      also be any function with first(a x) = a first(x) for a > 0, as are
      convolution without bias, ReLU and max-pooling one upon another.
    rows: the most points that f sees at once.

  Returns:
    A tree like x, float32.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  nodes, weights = np.polynomial.legendre.leggauss(steps)
  nodes = jnp.asarray((1 + nodes) / 2, jnp.float32)
  weights = jnp.asarray(weights / 2, jnp.float32)
  start, own = _start(x, baseline)

  def run(part):
    x, own, target = part
    return _integrate(
      f,
      first,
      x,
      own['baseline'] if own else start,
      target,
      args,
      nodes,
      weights,
    )

  return batches.in_batches(
    run, (x, own, target), rows and max(1, rows // steps)
  )


def smooth_grad(
  f: Callable,
  x,
  target=None,
  *,
  key: jax.Array,
  samples: int = 32,
  noise: float = 0.15,
  first: Callable | None = None,
  args=(),
  rows=_ROWS,
):
  """The mean gradient around x, with Gaussian noise upon it.

  Source: Smilkov et al., 2017. All examples get the same noise, each scaled
  to its own range: a map still is a mean of `samples` independent draws, and
  two maps differ by their examples alone.

  Args:
    f, x, target, args, rows: as `integrated_gradients`.
    key: of the noise.
    samples: how many noisy copies.
    noise: standard deviation, as a share of the example's range of values.
    first: as in `integrated_gradients`, but it must be affine, and keep the
      names of a tree, each leaf for itself.

  Returns:
    A tree like x, float32.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  draws = _noise(x, key, samples)
  moved = _linear_part(first, draws, args) if first else draws
  return batches.in_batches(
    lambda part: _smooth(f, first, *part, args, moved, noise),
    (x, target),
    rows and max(1, rows // samples),
  )


@functools.partial(jax.jit, static_argnums=0)
def _gradient(f, x, target_B, args):
  return jax.grad(lambda x: batches.total(f, x, target_B, args))(x)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _integrate(f, first, x, baseline, target_B, args, nodes_K, weights_K):
  ends = _through(first, args)
  start = ends(baseline)
  end, back = jax.vjp(ends, x)
  points = jax.tree.map(
    lambda a, b: a[None] + _along(nodes_K, b) * (b - a)[None], start, end
  )
  slopes = _slopes(f, points, target_B, args)
  mean = jax.tree.map(lambda s: (_along(weights_K, s[0]) * s).sum(0), slopes)
  (mean,) = back(mean)
  return jax.tree.map(lambda m, a, b: m * (b - a), mean, baseline, x)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _smooth(f, first, x, target_B, args, moved, noise):
  centre, back = jax.vjp(_through(first, args), x)
  scale = jax.tree.map(lambda a: noise * _range(a), x)
  points = jax.tree.map(
    lambda c, n, s: c[None] + n[:, None] * batches.spread_over(s, c)[None],
    centre,
    moved,
    scale,
  )
  slopes = _slopes(f, points, target_B, args)
  (mean,) = back(jax.tree.map(lambda s: s.mean(0), slopes))
  return mean


def _slopes(f, points, target_B, args):
  """Gradients at points (K, B, ...), all in one batch."""
  count = batches.size(points)
  flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), points)
  if target_B is not None:
    target_B = jnp.tile(target_B, count)
  slopes = jax.grad(lambda x: batches.total(f, x, target_B, args))(flat)
  return jax.tree.map(lambda s, a: s.reshape(a.shape), slopes, points)


def _through(first, args):
  """`first` of x alone, float32 whatever it computes in."""
  return (lambda x: batches.as_float(first(x, *args))) if first else lambda x: x


@functools.partial(jax.jit, static_argnums=0)
def _linear_part(first, draws, args):
  """What `first` makes of the noise alone, without its constant."""
  first = _through(first, args)
  nothing = jax.tree.map(lambda a: jnp.zeros_like(a[:1]), draws)
  return jax.tree.map(
    jnp.subtract, first(draws), _repeat(first(nothing), draws)
  )


def _repeat(tree, like):
  count = batches.size(like)
  return jax.tree.map(lambda a: jnp.repeat(a, count, 0), tree)


def _noise(x, key, samples):
  """(samples, ...) standard normal numbers for each leaf of x."""
  leaves, structure = jax.tree.flatten(x)
  keys = jax.random.split(key, len(leaves))
  return structure.unflatten(
    [
      jax.random.normal(k, (samples, *a.shape[1:]))
      for k, a in zip(keys, leaves, strict=True)
    ]
  )


def _range(a):
  axes = tuple(range(1, a.ndim))
  return a.max(axes) - a.min(axes)


def _along(a_K, like):
  """(K,) with a batch axis and those of `like` (B, ...) behind it."""
  return a_K.reshape(-1, *[1] * like.ndim)


def _start(x, baseline):
  """(baseline shared by all examples, or None; of each its own, or None).

  Zeros are one example: what begins the network is then computed of it once.
  """
  if baseline is None:
    return jax.tree.map(lambda a: jnp.zeros_like(a[:1]), x), None
  return None, {'baseline': batches.baseline(x, baseline)}
