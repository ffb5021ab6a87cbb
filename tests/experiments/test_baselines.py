"""Baselines see the training clips of a fold alone."""

import types

import numpy as np
import pytest

from experiments import baselines
from mefnet_jax.evaluation import folds


@pytest.fixture
def job():
  """24 clips of 6 people; a fold a person."""
  subject = [f's{i // 4}' for i in range(24)]
  label = np.arange(24) % 3
  protocol = types.SimpleNamespace(name='loso')
  return types.SimpleNamespace(
    splits=folds.make(protocol, label, subject, [''] * 24, seed=0),
    source=types.SimpleNamespace(classes=('a', 'b', 'c')),
  )


def test_the_majority_is_the_training_clips(job):
  label = np.where(np.arange(24) < 4, 2, 0)  # the first person's clips differ
  order, found = baselines.evaluate(
    baselines.majority, np.zeros((24, 2)), label, job
  )
  of_first = found[np.isin(order, range(4))]
  assert of_first.tolist() == [[1, 0, 0]] * 4
  assert found[~np.isin(order, range(4))].tolist() == [[0.8, 0, 0.2]] * 20


def test_what_is_plain_to_see_is_learnt(job):
  label = np.arange(24) % 3
  pixels = np.eye(3)[label] + np.random.default_rng(0).normal(0, 0.1, (24, 3))
  order, found = baselines.evaluate(baselines.svm, pixels, label, job)
  assert (found.argmax(1) == label[order]).all()


def test_a_held_out_clip_changes_nobody_else(job):
  """Neither by its label nor by its pixels, which are standardised."""
  random = np.random.default_rng(0)
  pixels, label = random.normal(size=(24, 5)), np.arange(24) % 3
  seen = []

  def spy(train_NP, label_N, test_MP, classes):
    seen.append((train_NP.copy(), label_N.copy()))
    return np.zeros((len(test_MP), classes))

  baselines.evaluate(spy, pixels, label, job)
  pixels[:4], label[:4] = 1e6, 0  # the person whom the first fold holds out
  baselines.evaluate(spy, pixels, label, job)
  for one, other in zip(seen[0], seen[6], strict=True):
    np.testing.assert_array_equal(one, other)
