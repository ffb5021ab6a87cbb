"""Resamples crops of a face to an even clock, from any clock of the camera.

Each frame stands for the time that is nearer to it than to its neighbours; a
cell of the clock is the mean of the frames in its time. So 200 frames a second
are averaged, 25 are interpolated, uneven ones are evened out, and an expression
looks the same in all of them. If frames are missing for long, so are cells.
"""

from collections.abc import Iterator

import numpy as np

RATE = 30  # cells a second
CELL = 1 / RATE
_HOLD = 0.06  # largest time that a frame stands for, seconds to each side
_LEAST = 0.5  # share of a cell's time that must be covered by frames


class Clock:
  """Takes frames as they come, and yields cells as they become complete."""

  def __init__(self) -> None:
    self._time: float | None = None
    self._image = np.zeros(0)
    self._left = self._half = 0.0
    self._cell: int | None = None
    self._sum, self._seen = np.zeros(0), 0.0

  def push(self, time: float, image: np.ndarray) -> Iterator[tuple]:
    """Takes a frame, and yields the cells that it completes.

    Args:
      time: seconds, later than before.
      image: uint8, always of the same shape.

    Yields:
      The number of a cell, whose time is number * CELL, and its image, uint8.
    """
    if self._time is None:
      self._left = time
    else:
      border = (self._time + time) / 2
      self._half = min(border - self._time, _HOLD)
      yield from self._add(self._left, self._time + self._half)
      self._left = max(border, time - _HOLD)
    self._time, self._image = time, image

  def finish(self) -> Iterator[tuple]:
    """Yields the last cells as `push` does; the last frame counts in full."""
    if self._time is not None:
      yield from self._add(self._left, self._time + self._half + 1e-9)
      yield from self._complete()

  def _add(self, start, end):
    """Adds the last frame's image to the cells between two times."""
    first, last = (int(np.floor(t * RATE + 0.5)) for t in (start, end))
    for cell in range(first, last + 1):
      low = max(start, (cell - 0.5) * CELL)
      weight = min(end, (cell + 0.5) * CELL) - low
      if weight <= 1e-6:
        continue
      if cell != self._cell:
        yield from self._complete()
        self._cell, self._seen = cell, 0.0
        self._sum = np.zeros(self._image.shape, np.float32)
      self._sum += np.float32(weight) * self._image
      self._seen += weight

  def _complete(self):
    if self._cell is not None and self._seen >= _LEAST * CELL:
      mean = self._sum / np.float32(self._seen)
      yield self._cell, np.rint(mean).astype(np.uint8)
    self._cell = None
