"""Gradient, gradient x input, SmoothGrad and integrated gradients."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from mefnet_jax.saliency import batches

_ROWS = 64  # default for the maximum batch size of f


def gradient(
  f: Callable,
  x: Any,
  target: npt.ArrayLike | None = None,
  *,
  args: tuple = (),
  rows: int | None = _ROWS,
) -> Any:
  """Returns the gradient of the target's score, a float32 tree like x.

  Source: Simonyan, Vedaldi, Zisserman, ICLR workshop 2014.

  Args:
    f, x, target, args: see the docstring of the package.
    rows: maximum number of examples in a batch; None for no maximum.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  return batches.in_batches(
    lambda part: _gradient(f, *part, args), (x, target), rows
  )


def gradient_x_input(
  f: Callable,
  x: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  args: tuple = (),
  rows: int | None = _ROWS,
) -> Any:
  """Returns gradient * (x - baseline), which is exact if f is affine.

  Source: Shrikumar et al., 2016.

  Args:
    f, x, target, args, rows: as in `gradient`.
    baseline: a tree that broadcasts to x; zeros by default.
  """
  x = batches.as_float(x)
  slope = gradient(f, x, target, args=args, rows=rows)
  away = jax.tree.map(jnp.subtract, x, batches.baseline(x, baseline))
  return jax.tree.map(jnp.multiply, slope, away)


def integrated_gradients(
  f: Callable,
  x: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  steps: int = 32,
  first: Callable | None = None,
  args: tuple = (),
  rows: int | None = _ROWS,
) -> Any:
  """Returns (x - baseline) times the mean gradient on the line between them.

  The maps sum to f(x) - f(baseline), up to the error of the Gauss-Legendre
  quadrature; see `completeness_gap`.
  Source: Sundararajan, Taly, Yan, ICML 2017.

  Args:
    f, x, target, args: see the docstring of the package.
    baseline: a tree that broadcasts to x; zeros by default.
    steps: number of points on the line.
    first: the affine beginning of the network, if there is one. The network is
      then `f(first(x, *args), *args)`, and `first` is evaluated once forward
      and once backward instead of `steps` times. With a baseline of zeros it
      may be any function with first(a x) = a first(x) for a > 0, such as
      convolution without bias, ReLU and max-pooling in sequence.
    rows: maximum number of points in a batch.

  Returns:
    A tree like x, float32.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  # Gauss-Legendre nodes are for [-1, 1]; the line is [0, 1].
  nodes, weights = np.polynomial.legendre.leggauss(steps)
  nodes = jnp.asarray((1 + nodes) / 2, jnp.float32)
  weights = jnp.asarray(weights / 2, jnp.float32)
  start, each = _start(x, baseline)

  def run(part):
    x, each, target = part
    return _integrate(
      f,
      first,
      x,
      each['baseline'] if each else start,
      target,
      args,
      nodes,
      weights,
    )

  return batches.in_batches(
    # Each example is `steps` rows for f.
    run,
    (x, each, target),
    rows and max(1, rows // steps),
  )


def smooth_grad(
  f: Callable,
  x: Any,
  target: npt.ArrayLike | None = None,
  *,
  key: jax.Array,
  samples: int = 32,
  noise: float = 0.15,
  first: Callable | None = None,
  args: tuple = (),
  rows: int | None = _ROWS,
) -> Any:
  """Returns the mean gradient over copies of x with Gaussian noise.

  Source: Smilkov et al., 2017. All examples get the same noise, scaled to
  their range: each map is a mean over `samples` independent draws, and two
  maps differ only because of their examples.

  Args:
    f, x, target, args, rows: as in `integrated_gradients`.
    key: random key of the noise.
    samples: number of noisy copies.
    noise: standard deviation, as a share of the example's range of values.
    first: as in `integrated_gradients`, but it must be affine, and map each
      leaf of the tree separately.

  Returns:
    A tree like x, float32.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  # The noise is the same for all examples, so `first` transforms it only once.
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
  """Integrated gradients of one part of the batch, with K points."""
  # The line runs through the output of `first`, which is affine: its gradient
  # there is pulled back to x once, instead of at every point.
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
  """SmoothGrad of one part of the batch; `moved` is the noise after `first`."""
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
  """Gradients at points (K, B, ...), computed in one batch."""
  count = batches.size(points)
  flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), points)
  if target_B is not None:
    target_B = jnp.tile(target_B, count)
  slopes = jax.grad(lambda x: batches.total(f, x, target_B, args))(flat)
  return jax.tree.map(lambda s, a: s.reshape(a.shape), slopes, points)


def _through(first, args):
  """`first` as a function of x alone that returns float32."""
  return (lambda x: batches.as_float(first(x, *args))) if first else lambda x: x


@functools.partial(jax.jit, static_argnums=0)
def _linear_part(first, draws, args):
  """The linear part of `first`, without its constant, applied to the noise."""
  first = _through(first, args)
  nothing = jax.tree.map(lambda a: jnp.zeros_like(a[:1]), draws)
  return jax.tree.map(
    jnp.subtract, first(draws), _repeat(first(nothing), draws)
  )


def _repeat(tree, like):
  """Repeats leaves (1, ...) for each example of `like`."""
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
  """The range of values (B,) of each example."""
  axes = tuple(range(1, a.ndim))
  return a.max(axes) - a.min(axes)


def _along(a_K, like):
  """Reshapes (K,) to broadcast over K copies of `like` (B, ...)."""
  return a_K.reshape(-1, *[1] * like.ndim)


def _start(x, baseline):
  """(baseline shared by all examples or None, baseline per example or None).

  Zeros are shared, so that the beginning of the network is evaluated once.
  """
  if baseline is None:
    return jax.tree.map(lambda a: jnp.zeros_like(a[:1]), x), None
  return None, {'baseline': batches.baseline(x, baseline)}
