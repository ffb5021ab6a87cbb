"""Scores of spotting and of spotting, then recognising (MEGC 2020 to 2025).

A truth is spotted by an event of the same video where their intersection over
union is at least .5. Each truth is matched at most once and each event at most
once. Of all such matchings the one with most pairs is taken, and of those the
one with the largest sum of overlaps (scipy's linear_sum_assignment), so that
the order of the rows does not matter.

Counts are pooled over all videos, with those that have no truth (their events
are all false) and those that have no event (their truths are all missed).
Shape suffixes: S subjects, C classes. Confusion matrices have one more row and
column, for events without a class and with a class that no truth has.
"""

import collections
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mefnet_jax.evaluation import intervals, metrics
from mefnet_jax.runs import errors

LEAST_OVERLAP = 0.5
LONGEST_MICRO = 0.5  # seconds, of the MEGC rules
KINDS = ('micro', 'macro')
# Tables of counts: each kind alone, their sum, and kinds ignored.
COUNTED = (*KINDS, 'both', 'kind ignored')
_MOST_CELLS = 2**25  # of all confusion matrices, 256 MB


def kind(duration: float) -> str:
  """'micro' up to half a second, with the noise of a clock; else 'macro'."""
  return 'micro' if duration <= LONGEST_MICRO + 1e-6 else 'macro'


class Interval(NamedTuple):
  """A truth or an event.

  Attributes:
    subject, video: names, equal in both tables.
    onset, offset: frames, the offset being the last one, or seconds.
    kind: 'micro', 'macro', or '' if it is not known.
    label: the class; '' if there is none.
  """

  subject: str
  video: str
  onset: float
  offset: float
  kind: str = ''
  label: str = ''


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
  """Counts for each subject.

  Attributes:
    subjects: (S,) names.
    classes: (C,) names, of the truths.
    spotted: (S, 4, 3) matched pairs, truths and events, by `COUNTED`.
    confusion: (S, C + 1, C + 1) of the pairs, kinds ignored.
    kinds_known: whether every truth and every event has a kind.
  """

  subjects: tuple[str, ...]
  classes: tuple[str, ...]
  spotted: np.ndarray
  confusion: np.ndarray
  kinds_known: bool


def overlap(first: Interval, second: Interval, *, frames: bool) -> float:
  """Returns the intersection over union of two intervals, 0 to 1.

  Args:
    first, second: with onset and offset, in frames or in seconds.
    frames: whether they count frames; the offset is then the last frame.
  """
  more = 1 if frames else 0
  inner = min(first.offset, second.offset) - max(first.onset, second.onset)
  outer = max(first.offset, second.offset) - min(first.onset, second.onset)
  if inner + more <= 0:
    return 0.0
  return (inner + more) / (outer + more)


def match(
  truths: Sequence[Interval], events: Sequence[Interval], *, frames: bool
) -> list[tuple[int, int]]:
  """Returns the matched pairs (truth, event) of one video, as indices.

  Args:
    truths, events: those of one video.
    frames: whether they count frames, not seconds.
  """
  # Not at the top: every report imports this module, and scipy takes a second.
  from scipy import optimize, sparse

  one, other, worth = _allowed(truths, events, frames)
  if not len(one):
    return []
  shape = (len(truths), len(events))
  # Truths and events that no chain of allowed pairs joins are matched apart: a
  # table of 1,000 truths and 100,000 events would take minutes.
  graph = sparse.coo_array(
    (np.ones(len(one), bool), (one, other + shape[0])), (sum(shape),) * 2
  )
  part = sparse.csgraph.connected_components(graph, directed=False)[1][one]
  order = np.argsort(part, kind='stable')
  pairs = []
  for at in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
    rows, i = np.unique(one[at], return_inverse=True)
    columns, j = np.unique(other[at], return_inverse=True)
    worth_TE = np.zeros((len(rows), len(columns)))
    # A pair more outweighs any sum of overlaps.
    worth_TE[i, j] = min(worth_TE.shape) + 1 + worth[at]
    best = optimize.linear_sum_assignment(worth_TE, maximize=True)
    pairs += [
      (int(rows[a]), int(columns[b]))
      for a, b in zip(*best, strict=True)
      if worth_TE[a, b]
    ]
  return sorted(pairs)


def _allowed(truths, events, frames):
  """Indices of truths and events that may be a pair, and their overlaps."""
  order = sorted(range(len(events)), key=lambda j: events[j].onset)
  onset = np.array([events[j].onset for j in order])
  found: list[tuple[int, int, float]] = []
  for i, truth in enumerate(truths):
    # Half an overlap: their union is at most twice as long as the truth.
    most = truth.offset - truth.onset + 2
    low, high = np.searchsorted(
      onset, (truth.onset - most, truth.onset + most), side='left'
    )
    for j in order[low : int(high) + 1]:
      x = overlap(truth, events[j], frames=frames)
      # 1e-9: .5 of seconds that are no binary fractions.
      if x >= LEAST_OVERLAP - 1e-9:
        found.append((i, j, x))
  one, other = (np.array([pair[k] for pair in found], int) for k in (0, 1))
  return one, other, np.array([pair[2] for pair in found])


def count(
  truths: Sequence[Interval],
  events: Sequence[Interval],
  *,
  frames: bool,
  classes: Sequence[str] = (),
) -> Counts:
  """Matches all videos and counts by subject.

  Args:
    truths, events: those of all videos.
    frames: whether they count frames, not seconds.
    classes: to be recognised; by default all labels of the truths.

  Raises:
    errors.UserError: so many labels that they cannot be classes.
  """
  classes = tuple(classes or sorted({t.label for t in truths} - {''}))
  subjects = tuple(sorted({one.subject for one in (*truths, *events)}))
  if len(subjects) * (len(classes) + 1) ** 2 > _MOST_CELLS:
    raise errors.UserError(
      f'{len(classes)} different labels for {len(subjects)} subjects: a label '
      'names a class, of which there are few'
    )
  place = {name: s for s, name in enumerate(subjects)}
  spotted = np.zeros((len(subjects), len(COUNTED), 3), int)
  confusion = np.zeros((len(subjects), len(classes) + 1, len(classes) + 1), int)
  videos: dict[tuple[str, str], tuple[list, list]] = collections.defaultdict(
    lambda: ([], [])
  )
  for side, some in enumerate((truths, events)):
    for one in some:
      videos[one.subject, one.video][side].append(one)
  for (subject, _), (its_truths, its_events) in videos.items():
    s = place[subject]
    for k, kind in enumerate(KINDS):
      alike = [
        [x for x in side if x.kind == kind] for side in (its_truths, its_events)
      ]
      pairs = match(alike[0], alike[1], frames=frames)
      spotted[s, k] += (len(pairs), *map(len, alike))
    pairs = match(its_truths, its_events, frames=frames)
    spotted[s, 3] += (len(pairs), len(its_truths), len(its_events))
    for i, j in pairs:
      a, b = (_index(classes, x.label) for x in (its_truths[i], its_events[j]))
      # A truth without a class cannot be recognised, rightly or wrongly.
      if a < len(classes):
        confusion[s, a, b] += 1
  # Not kinds ignored: a micro-event on a macro-truth counts for neither kind.
  spotted[:, 2] = spotted[:, 0] + spotted[:, 1]
  known = all(one.kind in KINDS for one in (*truths, *events))
  return Counts(subjects, classes, spotted, confusion, known)


def _index(classes, label):
  return classes.index(label) if label in classes else len(classes)


def scores(counted: Counts, *, draws: int = 2000, seed: int = 0) -> dict:
  """Scores with 95 % intervals, bootstrapped over subjects.

  Args:
    counted: as `count` returns it.
    draws: bootstrap samples.
    seed: for drawing the samples.

  Returns:
    spotting: for each of `COUNTED` truths, events, tp, fp, fn, precision,
    recall and f1 (of the kinds only if they are known). recognition, of the
    spotted: uar, uf1 and f1, which is the harmonic mean of macro precision and
    macro recall, as the MEGC has it. strs: f1 of spotting, kind ignored, times
    f1 of recognition. intervals: [low, high] of each, None for fewer than two
    subjects.
  """
  parts = {'spotted': counted.spotted, 'confusion': counted.confusion}
  found = _scores(**{name: part.sum(0) for name, part in parts.items()})
  bounds = intervals.over_subjects(parts, _scores, draws=draws, seed=seed)
  pairs, truths, events = counted.spotted.sum(0).T.tolist()
  spotting: dict[str, Any] = {}
  for k, name in enumerate(COUNTED):
    if not counted.kinds_known and name != COUNTED[3]:
      continue
    tp, fn, fp = pairs[k], truths[k] - pairs[k], events[k] - pairs[k]
    spotting[name] = {'truths': truths[k], 'events': events[k]}
    spotting[name] |= {'tp': tp, 'fp': fp, 'fn': fn}
    for score in ('precision', 'recall', 'f1'):
      spotting[name][score] = float(found[f'{name} {score}'])
  keys = [key for key in found if key.partition(' ')[0] not in (*KINDS, 'both')]
  keys = list(found) if counted.kinds_known else keys
  recognised = counted.confusion.sum(0)
  return {
    'subjects': len(counted.subjects),
    'spotting': spotting,
    'recognition': {
      'classes': list(counted.classes),
      'spotted': int(recognised.sum()),
      'confusion': recognised[:-1].tolist(),
      **{key: _plain(found[key]) for key in ('uar', 'uf1', 'f1')},
    },
    'strs': _plain(found['strs']),
    'intervals': {key: bounds[key] for key in keys},
  }


def _scores(
  spotted: np.ndarray, confusion: np.ndarray
) -> dict[str, np.ndarray]:
  """Scores of counts (..., 4, 3) and (..., C + 1, C + 1), each (...)."""
  found = {}
  for k, name in enumerate(COUNTED):
    tp, truths, events = np.moveaxis(spotted[..., k, :].astype(float), -1, 0)
    found[f'{name} precision'] = _share(tp, events)
    found[f'{name} recall'] = _share(tp, truths)
    found[f'{name} f1'] = _share(2 * tp, truths + events)
  if confusion.shape[-1] == 1:  # the truths have no classes
    nothing = np.full(spotted.shape[:-2], np.nan)
    return found | dict.fromkeys(('uar', 'uf1', 'f1', 'strs'), nothing)
  table = metrics.per_class(confusion)
  precision, recall, f1 = (
    table[key][..., :-1].mean(-1) for key in ('precision', 'recall', 'f1')
  )
  harmonic = _share(2 * precision * recall, precision + recall)
  strs = found[f'{COUNTED[3]} f1'] * harmonic
  return found | {'uar': recall, 'uf1': f1, 'f1': harmonic, 'strs': strs}


def _share(part, whole):
  return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _plain(x):
  return None if math.isnan(x) else float(x)
