"""The course of an expression: how far it has gone at each moment.

From one moment of strong motion, its direction is taken: the map of the flow
there. All other moments are measured along it, from a crop before it began. So
onset, apex and offset follow from one curve. The rows of the eyes are left out:
lids that close move further than most expressions.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from mefnet_jax.preprocess import motion_map

# Rows of a map over which lids move, and the flow that a blink spreads.
_LIDS = slice(5, 13)
_FALLEN = 0.6  # of the most; above it an expression is held, not over
_FLAT = 0.05  # of the most: a fall by less is none
_QUIET = 3  # cells over which a fall is looked for
_LEAD = 2  # cells before the window's beginning at which the face is at rest

Flow = Callable[[int, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Course:
  """Cells of one expression.

  Attributes:
    onset, apex, offset: cells, not whole where the curve passes between them.
    middle: (28, 28, 2) motion of its middle half, from rest.
    motion: the largest, in shares of the distance between the eyes.
    lids: that of the rows of the eyes.
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
  """A map without what moves all of it alike, an error of registration."""
  return flow_HW2 - np.median(flow_HW2, axis=(0, 1))


def strength(flow_HW2: np.ndarray) -> float:
  """How far a face moves beside its lids: 1 cell in 20 moves further."""
  return _far(_beside_lids(still(flow_HW2)))


def of_lids(flow_HW2: np.ndarray) -> float:
  """How far the rows of the eyes move, as `strength`."""
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
  """Follows an expression whose motion is strongest in crops peak - window
  to peak.

  To follow one that is going back, count the crops in reverse.

  Args:
    flow: from a crop to another, by their indices.
    count: number of crops, of an even clock.
    peak: index of the last crop of the window.
    window: its length in cells.
    begins, ends: shares of the apex's motion at onset and offset.
    longest: cells that are followed.

  Returns:
    Its course, None where it begins before the first crop.
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
    lids=of_lids(maps[base + apex]),
    is_whole=is_whole,
  )


def _extended(values, measure, last, ends):
  """Adds values until the curve has gone back, or `last`; gives its end."""
  end = None
  while end is None and len(values) < last:
    values.append(measure(len(values)))
    end = _end(_smoothed(values), ends)
  return end


def _begin(smooth, begins):
  """Where the curve leaves rest, between two cells."""
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

  It does not fall to 0: faces keep some of an expression, and heads turn. So
  it has ended below a share of its most, or where it stops falling, which is
  seen over a third of the time that it has fallen, or a tenth of a second.
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
