"""Calibration, probes, published scores, cards and faces of the report."""

import types

import hypothesis
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import strategies as st

from mefnet_jax import protocol
from mefnet_jax.audit import probes
from mefnet_jax.evaluation import intervals, metrics, published, summaries
from mefnet_jax.report import cards, figures
from mefnet_jax.report.page import faces
from tests.fixtures import reported, stand_ins


@st.composite
def _probable(draw):
  classes, clips = draw(st.integers(2, 4)), draw(st.integers(1, 40))
  random = np.random.default_rng(draw(st.integers(0, 1000)))
  label = random.integers(0, draw(st.integers(1, classes)), clips)
  return random.dirichlet(np.ones(classes), clips), label, classes


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(_probable())
def test_log_loss_is_that_of_scikit_learn(case):
  shares, label, classes = case
  weight = 1 / np.bincount(label)[label]  # balanced: classes weigh alike
  for balanced, sample_weight in ((False, None), (True, weight)):
    expected = sklearn.metrics.log_loss(
      label, shares, labels=range(classes), sample_weight=sample_weight
    )
    found = metrics.log_loss(shares, label, balanced=balanced)
    assert found == pytest.approx(expected, abs=1e-9)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(_probable())
def test_bins_hold_each_clip_once(case):
  shares, label, _ = case
  found = metrics.calibration(shares, label)
  clips = np.array([x['clips'] for x in found['bins']])
  right = sum(x['clips'] * x['accuracy'] for x in found['bins'])
  assert clips.sum() == len(label)
  assert right == pytest.approx((shares.argmax(1) == label).sum())
  assert 0 <= found['ece'] <= 1
  for x in found['bins']:
    assert x['low'] - 1e-9 <= x['confidence'] <= x['high'] + 1e-9


def test_ece_of_true_and_of_boastful_probabilities():
  random = np.random.default_rng(0)
  top = random.uniform(0.5, 1, 20000)
  shares = np.stack([top, 1 - top], 1)
  true = (random.random(20000) > top).astype(int)
  assert metrics.calibration(shares, true)['ece'] < 0.02
  boast = np.tile([1.0, 0.0], (100, 1))
  wrong = np.arange(100) % 2
  assert metrics.calibration(boast, wrong)['ece'] == pytest.approx(0.5)


def test_worst_clips_are_wrong_and_the_surest_first():
  shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
  wrong = metrics.most_confident_errors(shares, [1, 1, 1, 0])
  assert wrong.tolist() == [0, 3, 2]
  wrong = metrics.most_confident_errors(shares, [1, 1, 1, 0], most=1)
  assert wrong.tolist() == [0]
  assert not metrics.most_confident_errors(shares, [0, 1, 0, 1]).size


def test_spread_is_that_of_numpy():
  found = intervals.spread_over_seeds(
    [{'uar': 0.5}, {'uar': 0.7}, {'uar': 0.9}]
  )['uar']
  assert found == pytest.approx(
    {'mean': 0.7, 'std': 0.2, 'low': 0.5, 'high': 0.9}
  )
  assert intervals.spread_over_seeds([{'uar': 0.5}]) == {}


def _faces(shared, people=6, clips=8, seed=0):
  """Features of clips, of which a share tells who it is."""
  random = np.random.default_rng(seed)
  who = np.repeat(np.arange(people), clips)
  own = random.normal(size=(people, 40))[who]
  return shared * own + random.normal(size=(people * clips, 40)), who


def test_the_probe_knows_people_only_where_they_show():
  known = probes.identify_subjects(*_faces(2.0))
  unknown = probes.identify_subjects(*_faces(0.0))
  assert known['balanced_accuracy'] > 0.95 and known['people'] == 6
  assert unknown['balanced_accuracy'] < 0.4
  assert known['chance'] == pytest.approx(1 / 6)
  assert probes.identify_subjects(np.ones((3, 2)), ['a', 'b', 'c']) is None


def test_a_clip_does_not_help_to_know_itself():
  features, who = _faces(1.0, people=2, clips=5)
  scaled = probes._scaled(features)
  target = np.eye(2)[who]
  once = probes._leave_one_out(scaled, target)
  target[0] = 1 - target[0]
  again = probes._leave_one_out(scaled, target)
  np.testing.assert_allclose(once[0], again[0], atol=1e-9)
  assert not np.allclose(once[1:], again[1:])


def test_permuted_labels_score_chance_and_true_ones_do_not():
  features, label = _faces(1.5, people=3, clips=20)
  test_FN = np.arange(60)[None] % 4 == np.arange(4)[:, None]
  found = probes.permute_labels(features, label, ~test_FN, test_FN)
  assert found['uar'] > 0.8 and found['p'] < 0.05
  assert abs(found['permuted_mean'] - 1 / 3) < 0.05
  # A fold that learns the very clips it tests: permuted labels are learnt.
  leaky = probes.permute_labels(features, label, test_FN | True, test_FN)
  assert leaky['permuted_low'] > 1 / 3


def _summary(**changes):
  return summaries.summary(reported.result(**changes))


def test_published_scores_stand_beside_like_runs_only():
  real = {'synthetic': False, 'literature': 'megc2019', 'protocol': 'loso'}
  assert not published.comparable(_summary())['rows']
  honest = published.comparable(_summary(**real))
  leaky = published.comparable(_summary(**real, selection='oracle'))
  assert {row['leaky'] for row in honest['rows']} == {'no'}
  assert {row['leaky'] for row in leaky['rows']} == {'yes'}
  for found in (honest, leaky):
    assert len(found['rows']) + sum(found['why'].values()) == len(
      published.literature()
    )
    assert all(row['data'] == 'megc2019' for row in found['rows'])
  assert not published.comparable(_summary(synthetic=False))['rows']


def test_published_scores_are_data_with_a_source():
  for row in published.literature():
    assert row['source'] and row['protocol'] and row['why']
    assert row['leaky'] in ('yes', 'no', 'unknown')
    given = [row[key] for key in ('accuracy', 'uf1', 'uar') if row[key]]
    assert given and all(0 < float(x) <= 1 for x in given)


def test_cards_hold_the_run_and_its_reservations():
  summary = _summary(leaky='same people')
  made = cards.write_cards(summary)
  assert set(made) == {'model_card.md', 'data_sheet.md'}
  for text in made.values():
    assert '**SYNTHETIC**' in text and '**LEAKY**: same people' in text
  uar = f'{summary["metrics"]["uar"]:.3f}'
  assert f'| uar (recall, sensitivity) | {uar} |' in made['model_card.md']
  assert '1,234 parameters' in made['model_card.md']
  assert '| negative | 8 |' in made['data_sheet.md']
  real = cards.write_cards(_summary(synthetic=False))['data_sheet.md']
  assert 'personal data' in real and 'SYNTHETIC' not in real
  maps = cards.write_cards(_summary(synthetic=False, maps=True))
  assert 'No face is in them' in maps['data_sheet.md']


def _clips(synthetic):
  made = reported.result()
  random = np.random.default_rng(0)
  face = random.integers(0, 256, (len(made.clip), 5, 16, 16, 1), np.uint8)
  return types.SimpleNamespace(
    clip=made.clip, streams={'face': face}, synthetic=synthetic
  )


@pytest.mark.parametrize('synthetic', [True, False])
def test_only_synthetic_faces_are_shown(tmp_path, synthetic, monkeypatch):
  monkeypatch.setattr(figures, 'draw', stand_ins.undrawn)
  result = reported.result(synthetic=synthetic)
  protocol.report(tmp_path, result, clips=_clips(synthetic))
  page = (tmp_path / 'report.html').read_text()
  assert ('data:image/png' in page) == synthetic
  assert ('--show-faces' in page) == (not synthetic)
  for mistake in summaries.summary(result)['mistakes']:
    assert mistake['clip'] in page


def test_a_strip_is_onset_middle_and_motion():
  import base64

  import cv2

  clips = _clips(True)
  name = clips.clip[3]
  uri = faces.strips(clips, [name, 'stranger'])
  assert set(uri) == {name}
  png = base64.b64decode(uri[name].partition(',')[2])
  image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
  assert image.shape == (64, 192)
  onset = clips.streams['face'][3, 0, ..., 0]
  np.testing.assert_array_equal(image[2:64:4, 2:64:4], onset)


def test_audit_and_calibration_are_on_the_page(tmp_path):
  audit = {
    'leaks': ['subject on both sides: fold1: 1 subject: s1'],
    'kinds': ['subject on both sides'],
    'checked': ['subject on both sides'],
    'not_checked': {'permuted labels are learnt': 'permuted'},
    'probes': {},
  }
  result = reported.result(audit=audit)
  protocol.report(tmp_path, result)
  page = (tmp_path / 'report.html').read_text()
  for words in (
    'fold1: 1 subject: s1',
    'not checked (missing: permuted)',
    'Reliability plot: ',
    'Balanced log-loss',
  ):
    assert words in page
  summary = summaries.summary(result)
  assert 'but LEAKY' in summary['verdict']
