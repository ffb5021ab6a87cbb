"""Ranking by action units."""

import numpy as np
import pytest
from sklearn import metrics

from mefnet_jax.evaluation import action_units


def test_auc_is_scikit_learns_with_ties_and_without():
  rng = np.random.default_rng(0)
  for score in (rng.normal(size=50), rng.integers(0, 4, 50)):
    shown = rng.random(50) < 0.3
    wanted = metrics.roc_auc_score(shown, score)
    assert action_units.auc(score, shown) == pytest.approx(wanted)


def test_f1_is_scikit_learns():
  rng = np.random.default_rng(0)
  said, shown = rng.random((2, 50)) < 0.4
  wanted = metrics.f1_score(shown, said)
  assert action_units.f1(said, shown) == pytest.approx(wanted)
  assert np.isnan(action_units.f1([False], [False]))


def test_auc_of_one_kind_alone_is_not_a_number():
  assert np.isnan(action_units.auc([1, 2], [True, True]))
