"""Which events a person should look at next."""

import heapq
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def uncertainty(
  confidence: npt.ArrayLike, probabilities: npt.ArrayLike
) -> np.ndarray:
  """Returns 1 - p, p being the probability that the model's answer is right.

  Args:
    confidence: (N,) probability that it is an expression; nan counts as 1.
    probabilities: (N,) of the most probable class; nan counts as 1.

  Returns:
    (N,) between 0 and 1; p is the larger of two probabilities: that there is an
    expression of the most probable class, and that there is none at all.
  """
  present = np.nan_to_num(np.asarray(confidence, float), nan=1.0)
  best = np.nan_to_num(np.asarray(probabilities, float), nan=1.0)
  return 1 - np.maximum(present * best, 1 - present)


def choose(
  uncertain: npt.ArrayLike,
  person: Sequence[str],
  count: int,
  seen: Mapping[str, int] | None = None,
) -> list[int]:
  """Indices of the events to look at, in order.

  The next one is of the person with the fewest events seen so far, and of that
  person's the most uncertain; ties go to the more uncertain event, then to the
  first. So no person comes twice before each has come once.

  Args:
    uncertain: (N,).
    person: (N,) names.
    count: number of events to choose; fewer if there are not so many.
    seen: number of labels that each person has already.
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
