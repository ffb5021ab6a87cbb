"""Is one run better than another, and could this data have shown it?

All tests pair the runs clip by clip. Suffixes: N clips, S subjects, D draws.
"""

import math
from typing import Any

import numpy as np

from mefnet_jax.evaluation import metrics
from mefnet_jax.runs import errors, predictions

_DRAWS = 10000
_POWER = 1.96 + 0.84  # standard errors: 5 % level, 80 % power
_EXACT = 13  # subjects; 2 ** 13 swaps are all tried
_FEWEST = 6  # subjects: 2 of 2 ** 6 swaps are less than 5 %, 2 of 2 ** 5 not


def compare(
  one: predictions.Predictions, other: predictions.Predictions, *, seed: int = 0
) -> dict[str, Any]:
  """Two runs on the same clips, `other` minus `one`.

  Returns:
    clips, subjects; scores of both and their difference with a 95 %
    interval (bootstrap by subject, pairs kept) for accuracy, uar, uf1;
    mcnemar (exact) of the clips; permutation of the same three, by subject;
    smallest, the differences of accuracy that this data could show (None:
    nothing could be told).

  Raises:
    UserError: the clips, the classes or the labels are not the same ones.
  """
  label, said = _paired(one, other)
  counts_2SCC = _counts(label, said, one.subject, len(one.classes))
  right = said == label
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


def mcnemar(one_N, other_N) -> dict[str, float]:
  """Exact McNemar test (two-sided binomial) of which clips are right.

  Returns:
    only_one, only_other: clips that one run alone has right; p. Clips of a
    person are alike, so p is too small; the permutation of subjects is not.
  """
  only_one = int((one_N & ~other_N).sum())
  only_other = int((other_N & ~one_N).sum())
  count, few = only_one + only_other, min(only_one, only_other)
  tail = sum(math.comb(count, k) for k in range(few + 1)) / 2**count
  return {
    'only_one': only_one,
    'only_other': only_other,
    'p': float(min(1.0, 2 * tail)),
  }


def holm(p_values: list[float]) -> list[float]:
  """Holm's adjusted p-values, in the order given."""
  order = np.argsort(p_values, kind='stable')
  scaled = np.sort(p_values) * np.arange(len(p_values), 0, -1)
  adjusted = np.empty(len(p_values))
  adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
  return adjusted.tolist()


def detectable(accuracy: float, clips: int) -> dict[str, float]:
  """What difference of accuracy to another run so many clips could show.

  Returns:
    floor: the fewest clips that make an exact McNemar test significant, if
    all of them speak for one run (6 of N at the 5 % level).
    power: found with 80 % power between runs of about this accuracy whose
    mistakes are independent, were the clips so too.
  """
  fewest = next(n for n in range(1, 64) if 2 * 0.5**n < 0.05)
  error = math.sqrt(2 * accuracy * (1 - accuracy) / clips)
  return {'floor': min(1.0, fewest / clips), 'power': _POWER * error}


def _paired(one, other):
  """Labels (N,) and answers (2, N) of the clips of `one`, in its classes."""
  predictions.check(other, one.clip)
  if set(one.classes) != set(other.classes):
    raise errors.UserError(
      f'{other.path}: classes {", ".join(other.classes)}, but '
      f'{", ".join(one.classes)} in {one.path}: compare runs on equal labels'
    )
  place = {clip: i for i, clip in enumerate(other.clip)}
  order = [place[clip] for clip in one.clip]
  renamed = np.array([one.classes.index(c) for c in other.classes])
  for key, mine, theirs in (
    ('label', one.label, renamed[other.label][order]),
    ('subject', np.array(one.subject), np.array(other.subject)[order]),
  ):
    if (mine != theirs).any():
      clip = one.clip[int(np.argmax(mine != theirs))]
      raise errors.UserError(
        f'{other.path}: another {key} of clip {clip} than in {one.path}'
      )
  said = renamed[other.predicted][order]
  return one.label, np.stack([one.predicted, said])


def _smallest(counts_2SCC, right_2N):
  """Differences of accuracy found with 80 % power, from this pair's own
  scatter: over clips, and over subjects. None where nothing could be found:
  runs that are right on the same clips, or fewer subjects than six, whose
  permutation is never below 5 %."""
  clips_S = counts_2SCC[0].sum((-2, -1))
  clips, people = clips_S.sum(), len(clips_S)
  apart = (right_2N[0] != right_2N[1]).mean()
  found = {
    'floor': detectable(0.5, int(clips))['floor'],
    'clips': float(_POWER * math.sqrt(apart / clips)) if apart else None,
    'subjects': None,
  }
  if apart and people >= _FEWEST:
    right_2S = np.trace(counts_2SCC, axis1=-2, axis2=-1)
    gap_S = right_2S[1] - right_2S[0]
    off_S = gap_S - gap_S.sum() / clips * clips_S
    error = math.sqrt((off_S**2).sum() * people / (people - 1)) / clips
    found['subjects'] = float(_POWER * error)
  return found


def _counts(label, said_2N, subject, classes):
  """Confusion matrices (2, S, C, C)."""
  names, who = np.unique(np.asarray(subject), return_inverse=True)
  return np.stack(
    [
      [
        metrics.confusion(label[who == s], said[who == s], classes)
        for s in range(len(names))
      ]
      for said in said_2N
    ]
  )


def _intervals(counts_2SCC, seed):
  """95 % bounds of the differences, drawing subjects; None for one."""
  people = counts_2SCC.shape[1]
  keys = ('accuracy', 'uar', 'uf1')
  if people < 2:
    return dict.fromkeys(keys)
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
  """p of |difference| when each subject's two runs may be swapped.

  All swaps for few subjects, else a seeded sample that counts the data too.
  """
  people = counts_2SCC.shape[1]
  if people <= _EXACT:
    swap_DS = (np.arange(2**people)[:, None] >> np.arange(people)) & 1
  else:
    swap_DS = np.random.default_rng(seed).integers(0, 2, (_DRAWS, people))
    swap_DS[0] = 0
  total = counts_2SCC.sum((0, 1))
  moved = np.tensordot(swap_DS, counts_2SCC[1] - counts_2SCC[0], axes=1)
  one = counts_2SCC[0].sum(0) + moved
  first, second = (
    metrics.from_confusion(one),
    metrics.from_confusion(total - one),
  )
  found = {}
  for key in ('accuracy', 'uar', 'uf1'):
    gap = np.abs(second[key] - first[key])
    found[key] = float((gap >= gap[0] - 1e-12).mean())
  return found
