"""Sets of classes, and the temperature of probabilities."""

import numpy as np
import pytest

from mefnet_jax.evaluation import conformal, metrics, temperature


def drawn(people, clips, seed):
  """Probabilities of clips of people who are read more or less well."""
  rng = np.random.default_rng(seed)
  who = np.repeat(np.arange(people), clips)
  label = rng.integers(0, 3, people * clips)
  clear = rng.normal(1.0, 1.0, people)[who]
  logits = rng.normal(size=(len(who), 3))
  logits[np.arange(len(who)), label] += clear
  return logits, label, who


def softmax(logits):
  return temperature.probabilities(logits[None], 1.0)


def test_sets_hold_the_truth_of_new_people_as_often_as_wanted():
  """Over many draws of 40 people, and of 40 others who differ among them."""
  covered = []
  for seed in range(60):
    logits, label, who = drawn(40, 6, seed)
    most = conformal.threshold(softmax(logits), label, who, coverage=0.9)
    other, truth, others = drawn(40, 6, 1000 + seed)
    held = conformal.sets(softmax(other), most)
    covered.append(conformal.quality(held, truth, others)['coverage'])
  assert 0.89 < np.mean(covered) < 0.93


def test_a_person_counts_once_however_many_clips_they_give():
  p = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8]])
  label = np.zeros(4, int)
  # Two people and a new one: .1 is missed by a third, .8 by two thirds.
  who = ['a', 'b', 'b', 'b']
  assert conformal.threshold(p, label, who, coverage=1 / 3) == pytest.approx(
    0.1
  )
  assert conformal.threshold(p, label, who, coverage=0.5) == pytest.approx(0.8)


def test_too_few_people_make_sets_of_everything():
  p, label = np.array([[0.9, 0.1], [0.8, 0.2]]), np.zeros(2, int)
  most = conformal.threshold(p, label, ['a', 'b'], coverage=0.9)
  assert most == 1 and conformal.sets(p, most).all()


def test_a_run_calibrates_its_model_by_nine_people_or_more():
  logits, label, who = drawn(9, 4, 0)
  p = softmax(logits)
  found = conformal.calibration(p, label, who)
  assert found == {
    'temperature': 1.0,
    'threshold': conformal.threshold(p, label, who, coverage=0.9),
    'wanted': 0.9,
    'people': 9,
  }
  assert conformal.stored_threshold({'calibration': found}) < 1
  few = who < 8
  assert conformal.calibration(p[few], label[few], who[few]) == {}


def test_the_likeliest_class_is_always_in_the_set():
  p = np.array([[0.4, 0.35, 0.25], [0.98, 0.01, 0.01]])
  assert conformal.sets(p, 0.1).tolist() == [[True, False, False]] * 2
  found = conformal.quality(conformal.sets(p, 0.65), np.array([1, 0]), 'ab')
  assert found == {
    'coverage': 1.0,
    'worst_tenth': 1.0,
    'size': 1.5,
    'unsure': 0.5,
  }


@pytest.mark.parametrize('factor', [0.5, 1.0, 4.0])
def test_the_temperature_undoes_what_made_the_model_too_sure(factor):
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(20000, 3)) * 2
  p = softmax(logits)
  label = (p.cumsum(1) > rng.random((20000, 1))).argmax(1)
  found = temperature.fit(factor * logits[None], label)
  assert found == pytest.approx(factor, rel=0.05)
  mended = temperature.probabilities(factor * logits[None], found)
  assert metrics.calibration(mended, label)['ece'] < 0.02
