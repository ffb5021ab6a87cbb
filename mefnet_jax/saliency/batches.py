"""Shared by all methods: the explained score, and batches of bounded size.

This room is a library of its own, so it has a loop of its own beside
`models.inference`: over trees of arrays, in several threads.
"""

import functools
from collections.abc import Callable
from concurrent import futures
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from mefnet_jax.runs import environment


def scores(f: Callable, x: Any, args: tuple = ()) -> jax.Array:
  """Returns the scores of a batch, (B, C) or (B,) float32, without layers."""
  output = f(x, *args)
  if isinstance(output, tuple):
    output = output[0]
  return output.astype(jnp.float32)


def targets(x: Any, target: npt.ArrayLike | None) -> np.ndarray | None:
  """Returns the targets as (B,) int32; a single number applies to all examples.

  Raises:
    ValueError: there is not one target per example, or they are not whole
      numbers from 0 on.
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


def chosen(scores_BC: jax.Array, target_B: np.ndarray | None) -> jax.Array:
  """Returns the scores (B,) of the targets.

  A target beyond the scores gives NaN, and therefore maps of NaN rather than
  zeros or the map of another class.

  Raises:
    ValueError: there are several scores per example but no target, or a target
      but a single score.
  """
  if (target_B is None) != (scores_BC.ndim == 1):
    raise ValueError(
      f'f gives scores of shape {scores_BC.shape}: '
      + (
        'choose the one to explain with target'
        if target_B is None
        else 'a target needs scores (B, C)'
      )
    )
  if target_B is None:
    return scores_BC
  known_B = jnp.where(target_B < scores_BC.shape[1], 1.0, jnp.nan)
  # A target that was clipped is NaN by the factor above.
  chosen_B1 = jnp.take_along_axis(scores_BC, target_B[:, None], 1, mode='clip')
  return chosen_B1[:, 0] * known_B


def total(
  f: Callable, x: Any, target_B: np.ndarray | None, args: tuple = ()
) -> jax.Array:
  """Returns the sum of the targets' scores over the batch.

  Examples are independent, so its gradient holds that of each example.
  """
  return chosen(scores(f, x, args), target_B).sum()


def as_float(x: Any) -> Any:
  """Returns the tree in float32."""
  return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), x)


def baseline(x: Any, baseline: Any) -> Any:
  """Returns the baseline broadcast to x; zeros for None."""
  if baseline is None:
    return jax.tree.map(jnp.zeros_like, x)
  return jax.tree.map(
    lambda a, b: jnp.broadcast_to(jnp.asarray(b, jnp.float32), a.shape),
    x,
    baseline,
  )


def size(x: Any) -> int:
  """Returns the number of examples B in a tree."""
  return len(jax.tree.leaves(x)[0])


def in_batches(function: Callable, tree: Any, rows: int | None) -> Any:
  """Applies a function to parts of a batch, and concatenates the results.

  All parts have the same size (the last one is padded with the first example),
  so that the function is compiled once. The loop is in Python, because XLA's
  convolutions are ten times slower inside a compiled loop on CPU. There, each
  core processes parts of its own, because a part is too small to be divided.

  Args:
    function: maps a tree of (b, ...) to a tree of (b, ...).
    tree: of (B, ...).
    rows: maximum number of examples in a part; None processes all at once.
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

  parts = [run(0)]  # compiles the function before the threads start
  with futures.ThreadPoolExecutor(_workers()) as pool:
    parts += pool.map(run, range(step, count, step))
  joined = functools.partial(jax.tree.map, lambda *a: jnp.concatenate(a))
  return jax.tree.map(lambda a: a[:count], joined(*parts))


def _workers():
  """Number of threads: the cores on CPU, one on a GPU."""
  return environment.cores() if jax.default_backend() == 'cpu' else 1


def spread_over(a_B: jax.Array, like: jax.Array) -> jax.Array:
  """Reshapes (B,) to broadcast over `like` (B, ...)."""
  return a_B.reshape(-1, *[1] * (like.ndim - 1))
