"""Significance tests between two runs, and the power of their data.

All tests pair the runs clip by clip. Suffixes: N clips, S subjects, D draws,
C classes.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from mefnet_jax.evaluation import metrics
from mefnet_jax.runs import errors, names, predictions

_DRAWS = 10000
_POWER = 1.96 + 0.84  # standard errors: 5 % level, 80 % power
_EXACT = 13  # up to this many subjects all 2 ** 13 swaps are enumerated
# The most extreme result and its mirror image are 2 of 2 ** S swaps: 3 % with 6
# subjects, 6 % with 5, which therefore can never reach 5 %.
_FEWEST = 6


def compare(
  one: predictions.Predictions, other: predictions.Predictions, *, seed: int = 0
) -> dict[str, Any]:
  """Compares two runs on the same clips; differences are `other` minus `one`.

  Returns:
    clips, subjects: their numbers; scores: accuracy, uar and uf1 of both runs
    and their difference with a 95 % interval (paired bootstrap over
    subjects); mcnemar: exact McNemar test over clips; permutation: p-values
    of the same three scores, permuted over subjects; smallest: the smallest
    differences of accuracy that this data could show (None if unknown).

  Raises:
    UserError: the runs differ in clips, classes, labels or subjects.
  """
  label, predicted_2N = _paired(one, other)
  counts_2SCC = _counts(label, predicted_2N, one.subject, len(one.classes))
  right = predicted_2N == label
  pooled = metrics.from_confusion(counts_2SCC.sum(1))
  bounds = _intervals(counts_2SCC, seed)
  p = _permutation(counts_2SCC, seed)
  return {
    'clips': len(label),
    'subjects': counts_2SCC.shape[1],
    'scores': {
      key: {
        'one': float(pooled[key][0]),
        'other': float(pooled[key][1]),
        'difference': float(pooled[key][1] - pooled[key][0]),
        'interval': bounds[key],
      }
      for key in ('accuracy', 'uar', 'uf1')
    },
    'mcnemar': mcnemar(right[0], right[1]),
    'permutation': p,
    'smallest': _smallest(counts_2SCC, right),
  }


def mcnemar(one_N: np.ndarray, other_N: np.ndarray) -> dict[str, float]:
  """Exact McNemar test (two-sided binomial) on which clips are right.

  Clips of one person are not independent, so this p is too small; the
  permutation test over subjects does not have that flaw.

  Args:
    one_N, other_N: whether each run is right on each clip.

  Returns:
    only_one, only_other: numbers of clips that only this run has right; p.
  """
  only_one = int((one_N & ~other_N).sum())
  only_other = int((other_N & ~one_N).sum())
  count, few = only_one + only_other, min(only_one, only_other)
  # Each binomial coefficient from the one before it: 10,000 of them anew would
  # take minutes.
  total = term = 1
  for k in range(few):
    term = term * (count - k) // (k + 1)
    total += term
  tail = total / 2**count
  return {
    'only_one': only_one,
    'only_other': only_other,
    'p': float(min(1.0, 2 * tail)),
  }


def holm(p_values: list[float]) -> list[float]:
  """Returns Holm's adjusted p-values, in the order of the input."""
  order = np.argsort(p_values, kind='stable')
  scaled = np.sort(p_values) * np.arange(len(p_values), 0, -1)
  adjusted = np.empty(len(p_values))
  adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
  return adjusted.tolist()


def detectable(accuracy: float, num_clips: int) -> dict[str, float]:
  """Returns the smallest differences of accuracy that N clips could show.

  Args:
    accuracy: that of both runs, 0 to 1.
    num_clips: N.

  Returns:
    floor: below this no exact McNemar test is significant at the 5 % level,
    even if every clip on which the runs differ favours the same one (6 of N).
    power: what is found with 80 % power between two runs of this accuracy,
    assuming that their mistakes and the clips are independent.
  """
  fewest = next(n for n in range(1, 64) if 2 * 0.5**n < 0.05)
  error = math.sqrt(2 * accuracy * (1 - accuracy) / num_clips)
  return {'floor': min(1.0, fewest / num_clips), 'power': _POWER * error}


def _paired(one, other):
  """Labels (N,) and predictions (2, N), ordered as the clips of `one`.

  Two spellings of the same class, person or clip are matched (`names`).
  """
  clip_names = predictions.renamed(other.clip, one.clip)
  predictions.check_clips(dataclasses.replace(other, clip=clip_names), one.clip)
  place = {clip: i for i, clip in enumerate(clip_names)}
  order = [place[clip] for clip in one.clip]
  index = {names.label_key(name): i for i, name in enumerate(one.classes)}
  if index.keys() != set(map(names.label_key, other.classes)):
    raise errors.UserError(
      f'{other.path}: classes {", ".join(other.classes)}, but '
      f'{", ".join(one.classes)} in {one.path}: compare runs on equal labels'
    )
  renamed = np.array([index[names.label_key(c)] for c in other.classes])
  mine, theirs = (
    np.array([names.person_key(who) for who in run.subject])
    for run in (one, other)
  )
  for what, ours, others in (
    ('label', one.label, renamed[other.label][order]),
    ('subject', mine, theirs[order]),
  ):
    if (ours != others).any():
      clip = one.clip[int(np.argmax(ours != others))]
      raise errors.UserError(
        f'{other.path}: the {what} of clip {clip} differs from {one.path}'
      )
  predicted = renamed[other.predicted][order]
  return one.label, np.stack([one.predicted, predicted])


def _smallest(counts_2SCC, right_2N):
  """The differences of accuracy that this pair would show with 80 % power.

  Estimated from the scatter of its own differences over clips and over
  subjects. None where it cannot be estimated: the runs are right on the same
  clips, or there are so few subjects that no permutation is below 5 %.
  """
  clips_S = counts_2SCC[0].sum((-2, -1))
  clips, people = clips_S.sum(), len(clips_S)
  differing = (right_2N[0] != right_2N[1]).mean()
  smallest = {
    'floor': detectable(0.5, int(clips))['floor'],
    'clips': float(_POWER * math.sqrt(differing / clips))
    if differing
    else None,
    'subjects': None,
  }
  if differing and people >= _FEWEST:
    right_2S = np.trace(counts_2SCC, axis1=-2, axis2=-1)
    gap_S = right_2S[1] - right_2S[0]
    # Subjects have different numbers of clips, so the difference is a ratio of
    # two sums; this is the usual linearised variance of such a ratio.
    off_S = gap_S - gap_S.sum() / clips * clips_S
    error = math.sqrt((off_S**2).sum() * people / (people - 1)) / clips
    smallest['subjects'] = float(_POWER * error)
  return smallest


def _counts(label, predicted_2N, subject, classes):
  """Confusion matrices (2, S, C, C)."""
  people, who = np.unique(np.asarray(subject), return_inverse=True)
  return np.stack(
    [
      metrics.confusion_by_group(who, label, predicted_N, len(people), classes)
      for predicted_N in predicted_2N
    ]
  )


def _intervals(counts_2SCC, seed):
  """95 % bounds of the differences, bootstrapped over subjects.

  None if there is only one subject.
  """
  people = counts_2SCC.shape[1]
  keys = ('accuracy', 'uar', 'uf1')
  if people < 2:
    return dict.fromkeys(keys)
  # The same subjects are drawn for both runs: the difference of the pair varies
  # less than each of its scores.
  times_DS = np.random.default_rng(seed).multinomial(
    people, np.full(people, 1 / people), size=2000
  )
  one, other = (
    metrics.from_confusion(np.tensordot(times_DS, counts_SCC, axes=1))
    for counts_SCC in counts_2SCC
  )
  return {
    key: np.percentile(other[key] - one[key], (2.5, 97.5)).tolist()
    for key in keys
  }


def _permutation(counts_2SCC, seed):
  """p of |difference| when the two runs are swapped for random subjects.

  All swaps are enumerated for few subjects; for more, a seeded sample is drawn
  that includes the observed data.
  """
  people = counts_2SCC.shape[1]
  if people <= _EXACT:
    swap_DS = (np.arange(2**people)[:, None] >> np.arange(people)) & 1
  else:
    swap_DS = np.random.default_rng(seed).integers(0, 2, (_DRAWS, people))
    swap_DS[0] = 0  # the observed data; without it p could be 0
  total = counts_2SCC.sum((0, 1))
  # A swap only moves a subject's confusion matrix from one run to the other.
  moved = np.tensordot(swap_DS, counts_2SCC[1] - counts_2SCC[0], axes=1)
  one = counts_2SCC[0].sum(0) + moved
  first, second = (
    metrics.from_confusion(one),
    metrics.from_confusion(total - one),
  )
  p_values = {}
  for key in ('accuracy', 'uar', 'uf1'):
    gap = np.abs(second[key] - first[key])
    # Row 0 is the observed data; the tolerance keeps rounding from hiding ties.
    p_values[key] = float((gap >= gap[0] - 1e-12).mean())
  return p_values
