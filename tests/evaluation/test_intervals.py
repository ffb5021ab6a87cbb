"""Intervals that know people, and what a score must beat."""

import numpy as np
import pytest

from mefnet_jax.evaluation import intervals, metrics


def _people(count=12, clips=10, right=0.7, seed=0):
  rng = np.random.default_rng(seed)
  subject = np.repeat([f's{i:02d}' for i in range(count)], clips)
  label = rng.integers(0, 3, count * clips)
  wrong = rng.random(label.size) > right
  return label, (label + wrong * rng.integers(1, 3, label.size)) % 3, subject


def test_intervals_hold_the_scores_and_repeat():
  case = _people()
  bounds = intervals.bootstrap(*case, 3)
  assert bounds == intervals.bootstrap(*case, 3)
  scores = metrics.scores(*case[:2], 3)
  assert bounds.keys() == scores.keys()
  for key, (low, high) in bounds.items():
    assert 0 <= low < scores[key] < high <= 1


def test_people_are_drawn_not_clips():
  label, predicted, subject = _people()
  again = np.repeat(np.arange(len(label)), 5)
  many = intervals.bootstrap(label[again], predicted[again], subject[again], 3)
  # The same clips five times over tell no more about other people.
  assert many == intervals.bootstrap(label, predicted, subject, 3)


def test_a_draw_is_a_choice_of_people_with_all_of_their_clips():
  label, predicted, subject = _people(count=2)
  found = intervals.bootstrap(label, predicted, subject, 3)['accuracy']
  right = label == predicted
  each = sorted(right[subject == name].mean() for name in ('s00', 's01'))
  # Of two people, each draw is one twice, or both.
  assert found == pytest.approx(each)


def test_intervals_of_guesses_hold_chance():
  label, predicted, subject = _people(right=1 / 3, seed=1)
  low, high = intervals.bootstrap(label, predicted, subject, 3)['uar']
  assert low < 1 / 3 < high


def test_intervals_hold_the_truth_nearly_as_often_as_they_say():
  rng = np.random.default_rng(0)
  clips = (6, 6, 39, 19, 2, 4, 13, 4, 7, 9, 10, 10, 4, 7, 2, 22)  # of SMIC
  subject = np.repeat(np.arange(len(clips)), clips)
  held = 0
  for _ in range(200):
    skill = rng.beta(0.7 * 10, 0.3 * 10, len(clips))
    label = rng.integers(0, 3, subject.size)
    wrong = rng.random(subject.size) > skill[subject]
    predicted = (label + wrong * rng.integers(1, 3, subject.size)) % 3
    bounds = intervals.bootstrap(label, predicted, subject, 3, draws=500)
    held += bounds['uar'][0] <= 0.7 <= bounds['uar'][1]
  # A bootstrap of 16 people is a little too narrow; see docs/protocols.md.
  assert 0.85 <= held / 200 <= 0.98


def test_one_subject_has_no_interval():
  label, predicted, _ = _people(count=1)
  bounds = intervals.bootstrap(label, predicted, ['s01'] * len(label), 3)
  assert bounds.keys() == metrics.scores(label, predicted, 3).keys()
  assert set(bounds.values()) == {None}


def test_baseline_is_the_commonest_class_and_chance():
  label = np.array([0, 0, 0, 1, 2])
  found = intervals.baseline(label, 3)
  assert found == pytest.approx({'majority_accuracy': 0.6, 'chance_uar': 1 / 3})
  majority = intervals.majority_scores(label, 3)
  assert majority['accuracy'] == 0.6
  assert majority['uar'] == pytest.approx(1 / 3)
