"""Measures of maps: completeness, deletion, pointing game and energy."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from mefnet_jax.saliency import batches


def completeness_gap(
  f: Callable,
  x: Any,
  maps: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  args: tuple = (),
  rows: int | None = 64,
) -> tuple[jax.Array, jax.Array]:
  """Measures how far the maps are from summing to the score they explain.

  Args:
    f, x, target, args, rows: as in `saliency.gradient`.
    maps: a tree like x.
    baseline: broadcast to x; zeros by default.

  Returns:
    (B,) the sum of the map minus the rise f(x) - f(baseline), and (B,) the
    rise itself.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  tree = (x, batches.baseline(x, baseline), target)
  rise_B = batches.in_batches(lambda p: _rise(f, *p, args), tree, rows)
  # All streams together: the score is of the whole input.
  sums = [a.reshape(len(a), -1).sum(1) for a in jax.tree.leaves(maps)]
  return sum(sums) - rise_B, rise_B


def deletion(
  f: Callable,
  x: Any,
  maps: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  points: int = 20,
  args: tuple = (),
  rows: int | None = 64,
) -> np.ndarray:
  """Returns the score while the highest values of the map are deleted.

  Deleted values of x are replaced by the baseline. With a good map the score
  falls early: the smaller the mean of the curve, the better.
  Source: Petsiuk et al., BMVC 2018.

  Args:
    f, x, target, args, rows: as in `saliency.gradient`.
    maps: a tree like x, larger where x matters more; all leaves are ranked
      together.
    baseline: broadcast to x; zeros by default.
    points: number of steps from nothing to everything deleted.

  Returns:
    (B, points + 1) scores.
  """
  return _curve(f, x, maps, target, baseline, points, args, rows, False)


def insertion(
  f: Callable,
  x: Any,
  maps: Any,
  target: npt.ArrayLike | None = None,
  *,
  baseline: Any = None,
  points: int = 20,
  args: tuple = (),
  rows: int | None = 64,
) -> np.ndarray:
  """Returns the score while the highest values of the map are inserted.

  As `deletion`, but starting from the baseline: the larger the mean of the
  curve, the better.
  """
  return _curve(f, x, maps, target, baseline, points, args, rows, True)


def points_inside(maps: npt.ArrayLike, masks: npt.ArrayLike) -> np.ndarray:
  """Returns whether each map's largest value is in its mask (pointing game).

  Source: Zhang et al., ECCV 2016.

  Args:
    maps, masks: (B, ...); a map without a positive value is never inside.

  Returns:
    (B,) bool.
  """
  maps, masks = (np.asarray(a).reshape(len(a), -1) for a in (maps, masks))
  best = maps.argmax(1)
  at = np.arange(len(maps))
  # argmax of an all-zero map is its first pixel, which points at nothing.
  return (masks[at, best] > 0) & (maps[at, best] > 0)


def energy_inside(maps: npt.ArrayLike, masks: npt.ArrayLike) -> np.ndarray:
  """Returns the share (B,) of the maps' positive values inside the masks.

  For an empty map this is the mask's share of the area.
  """
  maps, masks = (
    np.asarray(a, np.float64).reshape(len(a), -1) for a in (maps, masks)
  )
  maps = np.maximum(maps, 0)
  empty = maps.sum(1, keepdims=True) == 0
  # An empty map points everywhere alike; 0 / 0 would spoil the mean over clips.
  maps = np.where(empty, 1.0, maps)
  return (maps * (masks > 0)).sum(1) / maps.sum(1)


@functools.partial(jax.jit, static_argnums=0)
def _rise(f, x, baseline, target_B, args):
  high_B, low_B = (
    batches.chosen(batches.scores(f, a, args), target_B) for a in (x, baseline)
  )
  return high_B - low_B


def _curve(f, x, maps, target, baseline, points, args, rows, inserted):
  """The scores (B, points + 1) while values are inserted or deleted."""
  x, target = batches.as_float(x), batches.targets(x, target)
  baseline = batches.baseline(x, baseline)
  rank = _ranks(maps)
  curve = []
  # One program for all steps, since the share is an argument and no constant.
  for share in np.linspace(0, 1, points + 1):
    run = functools.partial(_scores, f, args, inserted, share)
    curve.append(batches.in_batches(run, (x, baseline, rank, target), rows))
  return np.stack([np.asarray(s) for s in curve], 1)


def _ranks(maps):
  """For each value, the share of values of its example that rank before it."""
  leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, maps))
  flat = np.concatenate([a.reshape(len(a), -1) for a in leaves], 1)
  # A stable sort makes the curves of maps with ties reproducible.
  order = np.argsort(-flat, axis=1, kind='stable')
  rank = np.empty(flat.shape, np.float32)
  # Ranks as shares, so that clips of any size are cut at the same steps.
  steps = np.arange(flat.shape[1], dtype=np.float32) / flat.shape[1]
  np.put_along_axis(rank, order, np.broadcast_to(steps, flat.shape), 1)
  ends = np.cumsum([a[0].size for a in leaves])[:-1]
  parts = np.split(rank, ends, axis=1)
  return structure.unflatten(
    [p.reshape(a.shape) for p, a in zip(parts, leaves, strict=True)]
  )


def _scores(f, args, inserted, share, part):
  return _changed_scores(f, inserted, *part, jnp.float32(share), args)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _changed_scores(f, inserted, x, baseline, rank, target_B, share, args):
  def mixed(a, b, r):
    first = r < share
    return jnp.where(first, a, b) if inserted else jnp.where(first, b, a)

  x = jax.tree.map(mixed, x, baseline, rank)
  return batches.chosen(batches.scores(f, x, args), target_B)
