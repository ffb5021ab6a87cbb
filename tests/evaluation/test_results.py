"""What follows from predictions: verdict, curves, charts."""

import re
import xml.etree.ElementTree

import numpy as np
import pytest

from mefnet_jax.evaluation import results
from mefnet_jax.report.page import charts
from mefnet_jax.runs import errors
from tests.fixtures import reported


@pytest.mark.parametrize(
  ('bounds', 'finding'),
  [
    ([0.34, 0.6], ': above chance'),
    ([0.33, 0.6], ': not distinguishable from chance'),
    ([0.1, 0.32], ': below chance'),
    (None, ': one subject, so no interval'),
  ],
)
def test_verdict_follows_the_interval(bounds, finding):
  verdict = results.verdict(reported.result(synthetic=False), 0.5, bounds)
  assert verdict.startswith('UAR 0.500') and finding in verdict
  assert verdict.count('.') - len(re.findall(r'\d\.\d', verdict)) == 1


def test_curve_is_mean_and_range_of_the_finite():
  history = reported.history()
  history[0] |= {'loss': float('nan')}
  rows = results.curve(history, 'train', 'loss')
  np.testing.assert_allclose(rows[0], (1, 2.5, 2, 3))
  np.testing.assert_allclose(rows[1], (2, 1.5, 0.5, 2.5))
  assert results.curve(history, 'validation', 'loss').shape == (0, 4)


@pytest.mark.parametrize('highest', [1e-9, 0.07, 1.0, 1.1, 5.1, 1e6, 0.0])
def test_charts_stay_inside_their_box(highest):
  history = [
    {'epoch': e, 'fold': 'a', 'split': 'train', 'loss': highest / e}
    for e in (1, 2, 9)
  ]
  svg = charts.curves(history, 'loss')
  xml.etree.ElementTree.fromstring(svg)
  points = re.findall(r'points="([^"]*)"', svg)
  x, y = (
    np.array([point.split(',') for group in points for point in group.split()])
    .astype(float)
    .T
  )
  assert x.min() >= 0 and x.max() <= 420 and y.min() >= 0 and y.max() <= 250
  assert charts.curves(history, 'accuracy') == ''


def test_diverged_training_is_one_line():
  probabilities = np.full((24, 3), np.nan)
  with pytest.raises(errors.UserError, match='learning_rate'):
    reported.result(probabilities=probabilities)
