"""What all methods share: the score to explain, and batches of bounded size."""

import functools
from collections.abc import Callable
from concurrent import futures

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.runs import environment


def scores(f: Callable, x, args: tuple = ()) -> jax.Array:
  """What f says of a batch: (B, C) or (B,) float32, named layers left aside."""
  said = f(x, *args)
  return (said[0] if isinstance(said, tuple) else said).astype(jnp.float32)


def targets(x, target) -> np.ndarray | None:
  """The targets as (B,) whole numbers; one number stands for all examples.

  Raises:
    ValueError: not one a clip, or no whole numbers from 0 on.
  """
  if target is None:
    return None
  target_B = np.asarray(target)
  if target_B.ndim == 0:
    target_B = np.repeat(target_B, size(x))
  whole = np.issubdtype(target_B.dtype, np.integer)
  if not whole or target_B.shape != (size(x),) or (target_B < 0).any():
    raise ValueError(
      f'target of shape {target_B.shape} and {target_B.dtype}: a class (0, 1, '
      f'...) for each of the {size(x)} examples, or one for all'
    )
  return target_B.astype(np.int32)


def chosen(scores_BC: jax.Array, target_B) -> jax.Array:
  """(B,) scores of the targets.

  Raises:
    ValueError: several scores an example and no target, or the reverse.

  A target that f has no score for gives NaN, and maps of NaN: not zeros, and
  not another class's.
  """
  if (target_B is None) != (scores_BC.ndim == 1):
    raise ValueError(
      f'f gives scores of shape {scores_BC.shape}: '
      + (
        'say with target which to explain'
        if target_B is None
        else 'a target needs scores (B, C)'
      )
    )
  if target_B is None:
    return scores_BC
  known_B = jnp.where(target_B < scores_BC.shape[1], 1.0, jnp.nan)
  chosen_B1 = jnp.take_along_axis(scores_BC, target_B[:, None], 1, mode='clip')
  return chosen_B1[:, 0] * known_B


def total(f: Callable, x, target_B, args: tuple = ()) -> jax.Array:
  """The sum of the targets' scores: its gradient is each example's own."""
  return chosen(scores(f, x, args), target_B).sum()


def as_float(x):
  """The tree in float32."""
  return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), x)


def baseline(x, baseline):
  """The baseline in the shape of x; None is zeros."""
  if baseline is None:
    return jax.tree.map(jnp.zeros_like, x)
  return jax.tree.map(
    lambda a, b: jnp.broadcast_to(jnp.asarray(b, jnp.float32), a.shape),
    x,
    baseline,
  )


def size(x) -> int:
  """The number of examples B of a tree."""
  return len(jax.tree.leaves(x)[0])


def in_batches(function: Callable, tree, rows: int | None):
  """`function(part)` of so many examples at a time, set together again.

  All parts are of one size (the last is filled up with the first example),
  so the function is compiled once. Not a loop inside the program: on CPU
  XLA's convolutions in a loop are ten times slower. On CPU each core takes
  parts of its own: most of the work is too small to be divided further.

  Args:
    function: from a tree of (b, ...) to a tree of (b, ...).
    tree: of (B, ...).
    rows: the most examples at a time; None takes all at once.
  """
  count = size(tree)
  if rows is None or count <= rows:
    return function(tree)
  calls = -(-count // max(1, rows))
  step = -(-count // calls)

  def run(start):
    index = np.arange(start, start + step)
    index = np.where(index < count, index, 0)
    return function(jax.tree.map(lambda a: a[index], tree))

  parts = [run(0)]  # compiled by now
  with futures.ThreadPoolExecutor(_workers()) as pool:
    parts += pool.map(run, range(step, count, step))
  joined = functools.partial(jax.tree.map, lambda *a: jnp.concatenate(a))
  return jax.tree.map(lambda a: a[:count], joined(*parts))


def _workers():
  """Cores on CPU that this process may use; a GPU takes one call at a time."""
  return environment.cores() if jax.default_backend() == 'cpu' else 1


def spread_over(a_B, like):
  """(B,) with as many axes of size one as `like` (B, ...) has."""
  return a_B.reshape(-1, *[1] * (like.ndim - 1))
