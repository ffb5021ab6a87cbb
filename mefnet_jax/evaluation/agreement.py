"""How far two annotators agree, or an annotator and a model.

Intervals of one video are paired as spotting pairs truths and events (IoU of at
least .5). Over all frames, each having the class of its interval or none, come
Cohen's kappa (scikit-learn) and Krippendorff's alpha for nominal data (nltk).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mefnet_jax.evaluation import spotting

NOTHING = ''  # the class of a frame without an expression


def measure(
  videos: Iterable[
    tuple[Sequence[spotting.Interval], Sequence[spotting.Interval], int]
  ],
  *,
  within: int = 3,
) -> dict[str, Any]:
  """Returns the agreement over all videos.

  Args:
    videos: (intervals of the first, intervals of the second, number of frames)
      of each face of each video; onset and offset are frames from 1, and those
      of one annotator do not overlap.
    within: frames by which two marks may differ.

  Returns:
    first, second: how many intervals each has; paired: how many are of both;
    f1: 2 paired / (first + second). For onset and offset the share of pairs
    within so many frames and the mean difference, second minus first. kappa of
    the classes of the pairs; frames: kappa and alpha over all frames. What is
    not defined, such as kappa where there is one class, is None.
  """
  counts, pairs = np.zeros(3, int), []
  frames: tuple[list[str], list[str]] = ([], [])
  for first, second, length in videos:
    matched = spotting.match(first, second, frames=True)
    counts += (len(first), len(second), len(matched))
    pairs += [(first[i], second[j]) for i, j in matched]
    for side, own in zip(frames, (first, second), strict=True):
      side.extend(_classes(own, length))
  labels = [[one.label for one in side] for side in zip(*pairs, strict=True)]
  total = int(counts[0] + counts[1])
  return {
    'first': int(counts[0]),
    'second': int(counts[1]),
    'paired': int(counts[2]),
    'f1': 2 * int(counts[2]) / total if total else None,
    'within': within,
    **{
      mark: _marks(
        [getattr(b, mark) - getattr(a, mark) for a, b in pairs], within
      )
      for mark in ('onset', 'offset')
    },
    'kappa': _kappa(*labels) if labels else None,
    'frames': {'kappa': _kappa(*frames), 'alpha': _alpha(*frames)},
  }


def _marks(differences, within):
  if not differences:
    return {'share_within': None, 'mean': None}
  d = np.array(differences)
  return {
    'share_within': float((np.abs(d) <= within).mean()),
    'mean': float(d.mean()),
  }


def _classes(intervals, length):
  """The class of each frame."""
  found = [NOTHING] * length
  for one in intervals:
    first, last = int(one.onset) - 1, int(one.offset)
    found[first:last] = [one.label or 'unsure'] * (last - first)
  return found


def _kappa(first, second):
  from sklearn import metrics

  if len({*first, *second}) < 2:
    return None
  return float(metrics.cohen_kappa_score(first, second))


def _alpha(first, second):
  from nltk.metrics import agreement  # takes a second to import

  if len({*first, *second}) < 2:
    return None
  rows = [
    (who, item, label)
    for who, side in (('first', first), ('second', second))
    for item, label in enumerate(side)
  ]
  return float(agreement.AnnotationTask(rows).alpha())
