"""Spotting, then recognition, against values worked out by hand."""

import itertools

import numpy as np
import pytest

from mefnet_jax.evaluation import spotting


def intervals(*rows):
  """Frames of subject, video, onset, offset, label (micro)."""
  return [spotting.Interval(*r[:4], 'micro', *r[4:]) for r in rows]


def scored(truths, events, **options):
  counted = spotting.count(truths, events, frames=True, **options)
  return spotting.scores(counted, draws=50)


def counts(found, kind='kind ignored'):
  return tuple(found['spotting'][kind][key] for key in ('tp', 'fp', 'fn'))


def test_frames_include_both_ends_and_seconds_do_not():
  a, b = intervals(('s', 'v', 1, 10), ('s', 'v', 6, 15))
  assert spotting.overlap(a, b, frames=True) == 5 / 15
  assert spotting.overlap(a, b, frames=False) == 4 / 14
  c = intervals(('s', 'v', 11, 20))[0]
  assert spotting.overlap(a, c, frames=True) == 0


def test_half_an_overlap_is_enough():
  """10 of 20 frames are .5; 9 of 19 are less."""
  truth = intervals(('s', 'v', 1, 20))
  assert counts(scored(truth, intervals(('s', 'v', 1, 10)))) == (1, 0, 0)
  assert counts(scored(truth, intervals(('s', 'v', 1, 9)))) == (0, 1, 1)


def test_tenths_of_seconds_are_not_lost_to_rounding():
  truth = [spotting.Interval('s', 'v', 0.1, 0.3)]
  event = [spotting.Interval('s', 'v', 0.2, 0.3)]
  assert spotting.match(truth, event, frames=False) == [(0, 0)]


# The five faults of the public reference scorer (STRS-Metric), each with its
# case and the right value.


def test_fault_1_uar_is_the_mean_of_recalls_not_of_precisions():
  """Truths a a a b, all spotted, said to be a a b b.

  Recall of a 2/3, of b 1/1: UAR 5/6. Precision of a 2/2, of b 1/2: their mean,
  3/4, is what the reference calls UAR. F1 of a 4/5, of b 2/3: UF1 11/15. The
  harmonic mean of 3/4 and 5/6 is 15/19.
  """
  rows = [('s', 'v', 100 * n, 100 * n + 10) for n in range(4)]
  truths = intervals(*(r + (x,) for r, x in zip(rows, 'aaab', strict=True)))
  events = intervals(*(r + (x,) for r, x in zip(rows, 'aabb', strict=True)))
  found = scored(truths, events)
  recognition = found['recognition']
  assert recognition['uar'] == pytest.approx(5 / 6)
  assert recognition['uf1'] == pytest.approx(11 / 15)
  assert recognition['f1'] == pytest.approx(15 / 19)
  assert recognition['confusion'] == [[2, 1, 0], [0, 1, 0]]
  assert found['strs'] == pytest.approx(15 / 19)


def test_fault_2_events_in_videos_without_truth_are_false():
  """One truth, found; two events in a video without any: precision 1/3."""
  truths = intervals(('s', 'v', 1, 10))
  events = intervals(('s', 'v', 1, 10), ('s', 'w', 1, 9), ('s', 'w', 20, 29))
  found = scored(truths, events)
  assert counts(found) == (1, 2, 0)
  assert found['spotting']['micro']['precision'] == pytest.approx(1 / 3)
  assert found['spotting']['micro']['f1'] == pytest.approx(1 / 2)


def test_fault_3_subjects_without_events_keep_their_misses():
  """Of three truths one is found, two belong to a subject without events."""
  truths = intervals(('s', 'v', 1, 10), ('t', 'w', 1, 9), ('t', 'w', 20, 29))
  found = scored(truths, intervals(('s', 'v', 1, 10)))
  assert counts(found) == (1, 0, 2)
  assert found['spotting']['both']['recall'] == pytest.approx(1 / 3)


def test_fault_4_an_event_matches_one_truth_only():
  """Frames 1..20 overlap 1..10 and 11..20 by exactly half each."""
  truths = intervals(('s', 'v', 1, 10), ('s', 'v', 11, 20))
  assert counts(scored(truths, intervals(('s', 'v', 1, 20)))) == (1, 0, 1)


def test_fault_5_it_runs_on_plain_rows():
  """The reference calls DataFrame.append, which pandas 2 has removed."""
  found = scored(intervals(), intervals(('s', 'v', 1, 10)))
  assert counts(found) == (0, 1, 0)


def test_the_most_pairs_are_found_in_any_order():
  """Taking the first truth that fits would leave the other event alone.

  Event 1..12 fits truth 1..20 (12/20) and truth 1..10 (10/12); event 8..22 fits
  1..20 alone (13/22): two pairs.
  """
  truths = intervals(('s', 'v', 1, 20), ('s', 'v', 1, 10))
  events = intervals(('s', 'v', 1, 12), ('s', 'v', 8, 22))
  for some in itertools.permutations(events):
    assert counts(scored(truths, list(some))) == (2, 0, 0)


def test_no_matching_is_larger():
  """Against all matchings, in 60 random videos."""
  random = np.random.default_rng(0)

  def some(n):
    first = random.integers(0, 20, n)
    ends = zip(first, first + random.integers(3, 15, n), strict=True)
    return intervals(*(('s', 'v', int(a), int(b)) for a, b in ends))

  for _ in range(60):
    truths, events = some(random.integers(0, 5)), some(random.integers(0, 5))
    best = 0
    for order in itertools.permutations(
      [*range(len(events)), *[None] * 4], len(truths)
    ):
      fits = sum(
        j is not None and spotting.overlap(t, events[j], frames=True) >= 0.5
        for t, j in zip(truths, order, strict=True)
      )
      best = max(best, fits)
    assert len(spotting.match(truths, events, frames=True)) == best


def test_kinds_are_matched_among_themselves_and_added():
  """A macro event on a micro truth is right only where kinds are ignored."""
  truths = [spotting.Interval('s', 'v', 1, 10, 'micro')]
  events = [spotting.Interval('s', 'v', 1, 10, 'macro')]
  found = scored(truths, events)
  assert counts(found, 'micro') == (0, 0, 1)
  assert counts(found, 'macro') == (0, 1, 0)
  assert counts(found, 'both') == (0, 1, 1)
  assert counts(found) == (1, 0, 0)


def test_without_kinds_only_their_union_is_scored():
  truths = [spotting.Interval('s', 'v', 1, 10, '')]
  found = scored(truths, truths)
  assert list(found['spotting']) == ['kind ignored']
  assert not any(
    key.startswith(('micro', 'both')) for key in found['intervals']
  )


def test_an_event_without_a_class_is_spotted_and_not_recognised():
  rows = [('s', 'v', 1, 10), ('s', 'v', 50, 60)]
  truths = intervals(*(r + ('a',) for r in rows))
  events = intervals(rows[0] + ('a',), rows[1] + ('',))
  found = scored(truths, events)
  assert found['spotting']['micro']['f1'] == 1
  assert found['recognition']['uar'] == 0.5


def test_truths_without_classes_have_no_recognition():
  found = scored(intervals(('s', 'v', 1, 10)), intervals(('s', 'v', 1, 10)))
  assert found['strs'] is None and found['recognition']['uar'] is None
  assert found['intervals']['strs'] is None


def test_intervals_are_drawn_over_subjects():
  """Two subjects, one all right and one all wrong: F1 of 0, 1/2 and 1."""
  truths = intervals(('s', 'v', 1, 10), ('t', 'w', 1, 10))
  events = intervals(('s', 'v', 1, 10), ('t', 'w', 50, 60))
  counted = spotting.count(truths, events, frames=True)
  assert spotting.scores(counted)['intervals']['both f1'] == [0, 1]
  alone = spotting.count(truths[:1], events[:1], frames=True)
  assert spotting.scores(alone)['intervals']['both f1'] is None
