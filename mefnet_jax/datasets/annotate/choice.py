"""Which events a person should look at next."""

import heapq
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def uncertainty(
  confidence: npt.ArrayLike, probabilities: npt.ArrayLike
) -> np.ndarray:
  """1 - p, where p is the probability that the model's answer is right.

  Args:
    confidence: (N,) probability that it is an expression; nan counts as 1.
    probabilities: (N,) of the most probable class; nan counts as 1.

  Returns:
    (N,) between 0 and 1. Right are the class and that there is one at all; an
    event that is rather none is as uncertain as one that is rather one.
  """
  there = np.nan_to_num(np.asarray(confidence, float), nan=1.0)
  best = np.nan_to_num(np.asarray(probabilities, float), nan=1.0)
  return 1 - np.maximum(there * best, 1 - there)


def choose(
  uncertain: npt.ArrayLike,
  person: Sequence[str],
  count: int,
  seen: Mapping[str, int] | None = None,
) -> list[int]:
  """Indices of the events to look at, in order.

  The next one is of the person with the fewest events seen so far, and of that
  person's the most uncertain; ties go to the more uncertain event, then to the
  first. So nobody is looked at twice while somebody else was not at all.

  Args:
    uncertain: (N,).
    person: (N,) names.
    count: how many; all that there are, if fewer.
    seen: how many labels each person has already.
  """
  uncertain = np.asarray(uncertain, float)
  done = dict.fromkeys(person, 0) | {
    who: n for who, n in (seen or {}).items() if who in set(person)
  }
  # Of each person the events from the least to the most uncertain.
  left: dict[str, list[int]] = {}
  for i in sorted(range(len(person)), key=lambda i: (uncertain[i], -i)):
    left.setdefault(person[i], []).append(i)
  heap, found = [], []

  def offer(who):
    if left[who]:
      best = left[who].pop()
      heapq.heappush(heap, (done[who], -uncertain[best], best, who))

  for who in left:
    offer(who)
  while heap and len(found) < count:
    *_, best, who = heapq.heappop(heap)
    done[who] += 1
    found.append(best)
    offer(who)
  return found
