"""Occlusion: how much the score falls when a part of the input is hidden."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from mefnet_jax.saliency import batches


def occlusion(
  f: Callable,
  x: Any,
  masks: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  args: tuple = (),
  rows: int | None = 64,
) -> jax.Array:
  """Returns the fall of the target's score for each hidden part.

  Source: Zeiler and Fergus, ECCV 2014. No gradient is taken, so f may be any
  function.

  Args:
    f, x, target, args, rows: as in `saliency.gradient`.
    masks: a tree like x of (M, ...) that broadcasts to its examples: 1 where
      a part is hidden, 0 elsewhere; see `boxes`. For parts that differ between
      examples, such as facial regions, (B, M, ...) with a rank one above x's.
    baseline: values of hidden parts, broadcast to x; zeros by default.

  Returns:
    (B, M) float32; `spread` turns it into maps.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  baseline = batches.baseline(x, baseline)

  def by_example(m, a):
    return (
      m if m.ndim > a.ndim else np.broadcast_to(m[None], (len(a), *m.shape))
    )

  masks = jax.tree.map(by_example, masks, x)
  count = jax.tree.leaves(masks)[0].shape[1]
  whole_B = batches.in_batches(
    lambda part: _score(f, *part, args), (x, target), rows
  )
  # One row per pair (example, mask); the masks stay on the host.
  pairs = np.stack(np.divmod(np.arange(len(whole_B) * count), count), 1)

  def hidden(pairs):
    b, m = pairs.T
    parts = jax.tree.map(lambda k: jnp.asarray(k[b, m], jnp.float32), masks)
    pick = functools.partial(jax.tree.map, lambda a: a[b])
    classes = None if target is None else target[b]
    return _hidden_score(f, pick(x), pick(baseline), parts, classes, args)

  rest_P = batches.in_batches(hidden, pairs, rows)
  return whole_B[:, None] - rest_P.reshape(-1, count)


def boxes(
  shape: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...]
) -> np.ndarray:
  """Returns masks (M, *shape) of boxes that together cover the shape.

  Args:
    shape: shape of an example, for instance (T, H, W, C).
    size: size of a box along each axis; clipped to the shape.
    stride: between boxes; the last box ends at the end of the axis.
  """
  starts = []
  for length, side, step in zip(shape, size, stride, strict=True):
    # Without a box at the very end the last positions would never be hidden.
    last = max(0, length - side)
    starts.append(sorted({*range(0, last + 1, step), last}))
  masks = []
  for corner in itertools.product(*starts):
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = 1
    masks.append(mask)
  return np.stack(masks)


def spread(falls_BM: npt.ArrayLike, masks: npt.ArrayLike) -> np.ndarray:
  """Returns maps (B, ...): at each position the mean fall of its masks.

  Args:
    falls_BM: of `occlusion`.
    masks: (M, ...), as given to `occlusion`.
  """
  masks = np.asarray(masks, np.float32)
  flat = masks.reshape(len(masks), -1)
  maps = np.asarray(falls_BM, np.float32) @ flat
  maps = maps / np.maximum(flat.sum(0), 1)
  return maps.reshape(-1, *masks.shape[1:])


@functools.partial(jax.jit, static_argnums=0)
def _score(f, x, target_B, args):
  return batches.chosen(batches.scores(f, x, args), target_B)


@functools.partial(jax.jit, static_argnums=0)
def _hidden_score(f, x, baseline, masks, target_B, args):
  x = jax.tree.map(lambda a, b, m: a * (1 - m) + b * m, x, baseline, masks)
  return batches.chosen(batches.scores(f, x, args), target_B)
