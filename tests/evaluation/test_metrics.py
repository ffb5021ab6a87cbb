"""Scores are scikit-learn's, absent classes included."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import strategies as st

from mefnet_jax.evaluation import metrics
from tests.fixtures import sampled


@st.composite
def _predictions(draw):
  """Labels, predictions and a number of classes, some of them unseen."""
  classes = draw(st.integers(2, 5))
  seen = st.integers(0, draw(st.integers(0, classes - 1)))
  pairs = draw(
    st.lists(st.tuples(seen, st.integers(0, classes - 1)), min_size=1)
  )
  label, predicted = np.array(pairs).T
  return label, predicted, classes


@sampled.given(_predictions(), few=30, many=100)
def test_scores_are_those_of_scikit_learn(case):
  label, predicted, classes = case
  found = metrics.scores(label, predicted, classes)
  macro = {
    'labels': range(classes),
    'average': 'macro',
    'zero_division': 0,
  }
  expected = {
    'accuracy': sklearn.metrics.accuracy_score(label, predicted),
    'precision': sklearn.metrics.precision_score(label, predicted, **macro),
    'recall': sklearn.metrics.recall_score(label, predicted, **macro),
    'f1': sklearn.metrics.f1_score(label, predicted, **macro),
    'specificity': np.mean(
      [
        sklearn.metrics.recall_score(
          label != c, predicted != c, pos_label=True, zero_division=0
        )
        for c in range(classes)
      ]
    ),
  }
  expected['sensitivity'] = expected['uar'] = expected['recall']
  expected['war'] = sklearn.metrics.recall_score(
    label, predicted, **macro | {'average': 'weighted'}
  )
  expected['uf1'] = expected['f1']
  assert found == pytest.approx(expected, abs=1e-12)


def test_uf1_and_uar_are_means_over_classes():
  """The third class has no clips: it counts as 0. Leading axes are kept."""
  counts_CC = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
  wanted_uf1 = np.mean([2 * 3 / (4 + 5), 2 * 2 / (4 + 3), 0])
  wanted_uar = np.mean([3 / 4, 2 / 4, 0])
  np.testing.assert_allclose(metrics.uf1(counts_CC), wanted_uf1)
  np.testing.assert_allclose(metrics.uar(counts_CC), wanted_uar)
  assert metrics.uf1(np.stack([counts_CC, counts_CC])).shape == (2,)


@sampled.given(_predictions(), few=20, many=50)
def test_table_and_confusion_are_those_of_scikit_learn(case):
  label, predicted, classes = case
  counts_CC = metrics.confusion(label, predicted, classes)
  labels = list(range(classes))
  np.testing.assert_array_equal(
    counts_CC,
    sklearn.metrics.confusion_matrix(label, predicted, labels=labels),
  )
  table = metrics.per_class(counts_CC)
  expected = sklearn.metrics.precision_recall_fscore_support(
    label, predicted, labels=labels, zero_division=0
  )
  for key, value in zip(
    ('precision', 'recall', 'f1', 'clips'), expected, strict=True
  ):
    np.testing.assert_allclose(table[key], value, atol=1e-12)


def test_many_matrices_at_once_equal_one_by_one():
  counts_DCC = np.random.default_rng(0).integers(0, 5, (7, 3, 3))
  together = metrics.from_confusion(counts_DCC)
  for d, counts_CC in enumerate(counts_DCC):
    alone = metrics.from_confusion(counts_CC)
    assert {key: x[d] for key, x in together.items()} == alone


def test_an_absent_class_counts_as_zero():
  scores = metrics.scores([0, 0, 1, 1], [0, 0, 1, 1], 3)
  assert scores['accuracy'] == 1
  assert scores['uar'] == scores['uf1'] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
  ('label', 'predicted'), [([0, 3], [0, 0]), ([0, 1], [0, -1]), ([0], [0, 1])]
)
def test_classes_out_of_range_are_refused(label, predicted):
  with pytest.raises(ValueError):
    metrics.confusion(label, predicted, 3)
