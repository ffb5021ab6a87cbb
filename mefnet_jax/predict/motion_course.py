"""The course of an expression: how far the face has moved at each moment.

The motion map of one moment of strong motion gives the direction. The motion of
every other moment, from a crop before the expression began, is projected on it.
Onset, apex and offset are read from that one curve. The rows of the eyes are
left out: lids that close move further than most expressions.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from mefnet_jax.preprocess import motion_map

# Rows of a map over which lids move, and the flow that a blink spreads.
_LIDS = slice(5, 13)
_FALLEN = 0.6  # share of the maximum; above it an expression is still held
_FLAT = 0.05  # share of the maximum; a smaller fall counts as none
_QUIET = 3  # cells over which a fall is looked for
_LEAD = 2  # the face is at rest so many cells before the window

Flow = Callable[[int, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Course:
  """The course of one expression, in cells (1/30 s) of its face.

  Attributes:
    onset, apex, offset: cells; fractions where the curve passes between two.
    middle: (28, 28, 2) motion from rest, median over the middle half; like all
      maps here in shares of the distance between the eyes.
    motion: `strength` at the apex.
    lids: `lid_strength` at the apex.
    is_whole: whether its end has been seen.
  """

  onset: float
  apex: float
  offset: float
  middle: np.ndarray
  motion: float
  lids: float
  is_whole: bool


def still(flow_HW2: np.ndarray) -> np.ndarray:
  """A map (H, W, 2) without the motion common to all cells, which is an error
  of registration."""
  return flow_HW2 - np.median(flow_HW2, axis=(0, 1))


def strength(flow_HW2: np.ndarray) -> float:
  """95th percentile of the motion outside the eye rows, in shares of the eye
  distance."""
  return _far(_beside_lids(still(flow_HW2)))


def lid_strength(flow_HW2: np.ndarray) -> float:
  """95th percentile of the motion in the eye rows, in shares of the eye
  distance."""
  return _far(still(flow_HW2)[_LIDS])


def follow(
  flow: Flow,
  count: int,
  peak: int,
  window: int,
  *,
  begins: float,
  ends: float,
  longest: int,
) -> Course | None:
  """Follows the expression whose motion is strongest in one window of crops.

  To follow one that is going back, count the crops in reverse.

  Args:
    flow: the motion map (28, 28, 2) from one crop to another, by their indices.
    count: number of crops, one for each cell.
    peak: index of the last crop of the window.
    window: length of the window in cells.
    begins, ends: shares of the apex's motion at onset and offset.
    longest: maximum number of cells that are followed.

  Returns:
    The course; None if it begins before the first crop or nothing moves.
  """
  base = peak - window - _LEAD
  if base < 0:
    return None
  first = still(flow(base, peak))
  toward = _beside_lids(first)
  length = float((toward**2).sum())
  if length == 0:
    return None
  maps, curve = {base: np.zeros_like(first)}, {base: 0.0}

  def measure(at):
    if at not in maps:
      maps[at] = still(flow(base, at))
      curve[at] = float((_beside_lids(maps[at]) * toward).sum()) / length
    return curve[at]

  values = [measure(at) for at in range(base, peak + 1)]
  last = min(count, peak + longest)
  end = _extended(values, lambda i: measure(base + i), last - base, ends)
  is_whole = end is not None or last < count
  offset = len(values) - 1 if end is None else end
  onset = _begin(_smoothed(values), begins)
  apex = int(_smoothed(values).argmax())
  inside = range(round(onset), offset + 1)
  middle = motion_map.middle(np.stack([maps[base + i] for i in inside]))
  return Course(
    onset=base + onset,
    apex=float(base + apex),
    offset=float(base + offset),
    middle=middle.astype(np.float32),
    motion=strength(maps[base + apex]),
    lids=lid_strength(maps[base + apex]),
    is_whole=is_whole,
  )


def _extended(values, measure, last, ends):
  """Appends values until the curve has gone back, or to `last`; returns its
  end."""
  end = None
  while end is None and len(values) < last:
    values.append(measure(len(values)))
    end = _end(_smoothed(values), ends)
  return end


def _begin(smooth, begins):
  """The place, between two cells, at which the curve leaves rest."""
  top = int(smooth.argmax())
  level = begins * smooth[top]
  before = np.flatnonzero(smooth[:top] < level)
  if not len(before):
    return 0.0
  at = int(before[-1])
  a, b = smooth[at], smooth[at + 1]
  return at + float(np.clip((level - a) / (b - a), 0, 1))


def _end(smooth, ends):
  """The cell at which the curve has gone back; None if it has not yet.

  It seldom falls to 0: faces keep some of an expression, and heads turn. So an
  expression ends below a share of its maximum, or where the curve stops
  falling. That is judged over a third of the time since the apex, at least a
  tenth of a second.
  """
  top = int(smooth.argmax())
  most = smooth[top]
  low = np.flatnonzero(smooth[top:] < _FALLEN * most)
  if not len(low):
    return None
  for at in range(top + int(low[0]), len(smooth)):
    ahead = at + max(_QUIET, (at - top) // 3)
    if smooth[at] < ends * most:
      return at
    if ahead >= len(smooth):
      return None
    if smooth[at] - smooth[ahead] < _FLAT * most:
      return at
  return None


def _beside_lids(flow):
  return np.delete(flow, _LIDS, axis=0)


def _far(flow):
  return float(np.quantile(np.hypot(flow[..., 0], flow[..., 1]), 0.95))


def _smoothed(values):
  """The mean of each value and its two neighbours."""
  padded = np.pad(np.asarray(values), 1, mode='edge')
  return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
