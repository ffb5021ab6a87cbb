"""Merges expressions that follow close on one another into events."""

from collections.abc import Iterable

import numpy as np

from mefnet_jax.predict import expressions

# An expression within SOON seconds may belong to the one before: as its second
# half if the cosine of their maps is above _ALIKE, as its end if below -_ALIKE.
SOON, _ALIKE = 0.7, 0.3


def merged(
  group: Iterable[expressions.Found],
) -> list[expressions.Found]:
  """Returns the events among expressions that follow close on one another.

  An expression that moves against the one before it is the end of that one; one
  that moves the same way is its second half. Of others that overlap, the
  likeliest one stays.
  """
  kept: list[expressions.Found] = []
  for one in sorted(group, key=lambda f: f.onset):
    others = [f for f in kept if f.offset > one.onset]
    if any(_cosine(one.middle, f.middle) < -_ALIKE for f in others):
      continue
    if all(_likelihood(f) < _likelihood(one) for f in others):
      kept = [f for f in kept if f.offset <= one.onset] + [one]
  events: list[expressions.Found] = []
  for one in kept:
    before = events[-1] if events else None
    if before is None or one.onset - before.offset > SOON:
      events.append(one)
      continue
    alike = _cosine(one.middle, before.middle)
    if alike > _ALIKE:
      events[-1] = _joined(before, one)
    elif alike > -_ALIKE:
      events.append(one)
  return events


def _likelihood(found):
  return found.answer.confidence * found.score


def _cosine(first, second):
  sizes = np.linalg.norm(first) * np.linalg.norm(second)
  return float((first * second).sum() / max(sizes, 1e-12))


def _joined(first, second):
  """Two halves of one expression."""
  best = max(first, second, key=lambda f: f.motion)
  return best._replace(
    onset=first.onset,
    offset=second.offset,
    turning=max(first.turning, second.turning),
  )
