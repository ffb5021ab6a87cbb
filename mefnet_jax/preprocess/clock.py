"""The clock of a video: those times in its file that run forward.

In files that were joined from two, or copied from one container to another,
times may stand still or run backwards.
"""

import bisect
import typing

import numpy as np

if typing.TYPE_CHECKING:
  from collections.abc import Sequence

_WRONG = 0.2  # the share of wrong times beyond which none is used


def forward(
  numbers: 'Sequence[int]', times: 'Sequence[float | None]'
) -> tuple[np.ndarray, int] | None:
  """Returns increasing times of n frames, and how many in the file are wrong.

  As many of the file's times as possible are kept that increase. The other
  frames are placed between them by their numbers.

  Args:
    numbers: n increasing frame numbers.
    times: times of these frames in seconds; None where the file has none.

  Returns:
    (n,) seconds and a count; None if more than a fifth of the times are wrong.
  """
  right = _longest(times)
  wrong = len(times) - len(right)
  if len(right) < 2 or wrong > _WRONG * len(times):
    return None
  at = np.asarray(numbers, float)
  known = np.array([times[i] for i in right], float)
  shown = np.interp(at, at[right], known)
  # Before the first and after the last of them frames follow at the mean rate.
  pace = (known[-1] - known[0]) / (at[right[-1]] - at[right[0]])
  shown += pace * np.minimum(at - at[right[0]], 0)
  shown += pace * np.maximum(at - at[right[-1]], 0)
  return shown, wrong


def _longest(times):
  """Indices of the longest series of times that increase."""
  ends: list[float] = []  # the least end of a series of each length
  last: list[int] = []  # its index
  before: list[int] = []
  for i, time in enumerate(times):
    if time is None:
      before.append(-1)
      continue
    length = bisect.bisect_left(ends, time)
    before.append(last[length - 1] if length else -1)
    if ends[length : length + 1] == [time]:
      continue  # of equal times the first is right
    ends[length : length + 1] = [time]
    last[length : length + 1] = [i]
  found, i = [], last[-1] if last else -1
  while i >= 0:
    found.append(i)
    i = before[i]
  return found[::-1]
