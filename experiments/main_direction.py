"""The best classical detector: motion energy in its main direction, no network.

After Wang et al., "Main directional maximal difference analysis for spotting
facial movements from long-term videos" (2017): of each part of the face the
flow in its commonest direction counts, and the third of the parts that move
most. It gets the same windows and is followed in the same way as a network.
"""

import numpy as np

from mefnet_jax.predict import expressions, motion_course, thresholds

LIMITS = thresholds.Thresholds(candidate=0.02, amplitude=0.02, confidence=0.0)
_DIRECTIONS = 8
_BLOCK = 7  # cells a side of a part of the face; 4 x 4 parts
_MOST = 3  # one in three: of vectors in a part, and of the parts


class MainDirection:
  """A `expressions.Scorer` that names no classes."""

  action_units: tuple[int, ...] = ()
  classes: tuple[str, ...] = ()
  needs_squares = False
  lacks: float | None = None

  def moments(self, maps: np.ndarray) -> expressions.Moments:
    """Energies of windows, in shares of the distance between the eyes."""
    found = np.array([energy(one) for one in maps])
    nothing = np.zeros((len(maps), 0))
    units = {name: nothing for name in ('p', 'level')}
    return expressions.Moments(found, np.zeros_like(found), units)

  def answer(self, expression: expressions.Expression) -> expressions.Answer:
    """Confidence 1: whatever moved enough is reported."""
    del expression
    nothing = np.zeros(0)
    units = {name: nothing for name in ('p', 'level', 'side')}
    return expressions.Answer(1.0, {}, float('nan'), units)


def energy(flow_HW2: np.ndarray) -> float:
  """Motion of a map in the main direction of each part of the face."""
  still = motion_course.still(flow_HW2)
  length = np.hypot(still[..., 0], still[..., 1])
  angle = np.arctan2(still[..., 1], still[..., 0]) / (2 * np.pi) % 1
  bins = (angle * _DIRECTIONS).astype(int) % _DIRECTIONS
  found = []
  for own, way in zip(_parts(length), _parts(bins), strict=True):
    counts = np.bincount(way, minlength=_DIRECTIONS)
    found.append(_top(own[way == counts.argmax()]))
  return _top(np.array(found))


def _parts(values_HW):
  """The map's parts, each with its cells in a row."""
  height, width = (side // _BLOCK for side in values_HW.shape)
  parts = values_HW.reshape(height, _BLOCK, width, _BLOCK).swapaxes(1, 2)
  return parts.reshape(height * width, -1)


def _top(values):
  """The mean of the third that is largest."""
  count = max(1, len(values) // _MOST)
  return float(np.sort(values)[-count:].mean())
