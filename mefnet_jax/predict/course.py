"""The course of an expression: how far it has gone at each moment.

From one moment of strong motion, its direction is taken: the map of the flow
there. All other moments are measured along it, from a crop before it began. So
onset, apex and offset follow from one curve, and what moves elsewhere in the
face, as a lid that closes, does not count.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from mefnet_jax.preprocess import motion_map

_QUIET = 3  # cells in a row beyond the end before it is believed
_LEAD = 2  # cells before the window's beginning at which the face is at rest

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Course:
  """Cells of one expression.

  Attributes:
    onset, apex, offset: cells, not whole where the curve passes between them.
    middle: (28, 28, 2) motion of its middle half, from rest.
    motion: the largest, in shares of the distance between the eyes.
    along: share of the middle's motion that lies along the direction.
    is_whole: whether its end has been seen.
  """

  onset: float
  apex: float
  offset: float
  middle: np.ndarray
  motion: float
  along: float
  is_whole: bool


def still(flow_HW2: np.ndarray) -> np.ndarray:
  """A map without what moves all of it alike, an error of registration."""
  return flow_HW2 - np.median(flow_HW2, axis=(0, 1))


def strength(flow_HW2: np.ndarray) -> float:
  """How far a face moves: of its cells, 1 in 20 moves further than this."""
  rest = still(flow_HW2)
  return float(np.quantile(np.hypot(rest[..., 0], rest[..., 1]), 0.95))


def follow(
  crops: Sequence[np.ndarray],
  peak: int,
  window: int,
  *,
  begins: float,
  ends: float,
  longest: int,
  flow: Flow = motion_map.between,
) -> Course | None:
  """Follows an expression whose motion is strongest in crops peak - window
  to peak.

  To follow one that is going back, give the crops in reverse.

  Args:
    crops: of an even clock.
    peak: index of the last crop of the window.
    window: its length in cells.
    begins, ends: shares of the apex's motion at onset and offset.
    longest: cells that are followed.
    flow: from a crop to another.

  Returns:
    Its course in indices of `crops`; None where it begins before them.
  """
  base = peak - window - _LEAD
  if base < 0:
    return None
  toward = still(flow(crops[base], crops[peak]))
  length = float((toward**2).sum())
  if length == 0:
    return None
  maps, curve = {base: np.zeros_like(toward)}, {base: 0.0}

  def measure(at):
    if at not in maps:
      maps[at] = still(flow(crops[base], crops[at]))
      curve[at] = float((maps[at] * toward).sum()) / length
    return curve[at]

  end, is_whole = _forward(measure, peak, len(crops), ends, longest)
  span = range(base, end + 1)
  values = np.array([measure(at) for at in span])
  return _course(span, values, maps, begins, ends, is_whole, toward)


def _forward(measure, peak, count, ends, longest):
  """The last cell that is looked at, and whether the curve has fallen there."""
  most, below = measure(peak), 0
  last = min(count, peak + longest)
  for at in range(peak + 1, last):
    value = measure(at)
    most = max(most, value)
    below = below + 1 if value < ends * most else 0
    if below == _QUIET:
      return at, True
  return last - 1, last == peak + longest


def _course(span, values, maps, begins, ends, is_whole, toward):
  smooth = _smoothed(values)
  top = int(smooth.argmax())
  most = smooth[top]
  before = np.flatnonzero(smooth[:top] < begins * most)
  first = int(before[-1]) if len(before) else 0
  onset = _crossing(smooth, first, begins * most) if len(before) else 0.0
  after = np.flatnonzero(smooth[top:] < ends * most)
  offset = float(len(values) - 1)
  if len(after):
    offset = _crossing(smooth, top + int(after[0]) - 1, ends * most)
  inside = range(round(onset), round(offset) + 1)
  flows = np.stack([maps[span[0] + i] for i in inside])
  middle = motion_map.middle(flows)
  own = float((middle * toward).sum())
  both = np.sqrt((middle**2).sum() * (toward**2).sum())
  return Course(
    onset=span[0] + onset,
    apex=float(span[0] + top),
    offset=span[0] + offset,
    middle=middle.astype(np.float32),
    motion=strength(maps[span[0] + top]),
    along=own / max(float(both), 1e-12),
    is_whole=is_whole,
  )


def _smoothed(values):
  """The mean of each value and its two neighbours."""
  padded = np.pad(values, 1, mode='edge')
  return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def _crossing(values, at, level):
  """Where the line from values[at] to the next one meets a level."""
  a, b = values[at], values[at + 1]
  return at + float(np.clip((level - a) / (b - a), 0, 1)) if a != b else at
