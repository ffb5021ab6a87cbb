"""Comparisons find what is there, and nothing where nothing is."""

import json

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mefnet_jax.evaluation import paired_tests
from mefnet_jax.report import compare
from mefnet_jax.runs import errors, predictions
from tests.fixtures import audited_runs, forked


def _made(right_2N, subject, seed=0):
  """Two runs with the given right clips, of three classes."""
  random = np.random.default_rng(seed)
  label = random.integers(0, 3, len(subject))
  return [
    predictions.Predictions(
      path='x.csv',
      classes=('a', 'b', 'c'),
      clip=tuple(map(str, range(len(subject)))),
      subject=tuple(subject),
      fold=tuple(subject),
      label=label,
      predicted=np.where(right, label, (label + 1) % 3),
      probabilities=None,
    )
    for right in right_2N
  ]


def _people(count, clips):
  return np.repeat([f's{i:02d}' for i in range(count)], clips).tolist()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_mcnemar_is_the_binomial_test(pairs):
  one, other = np.array(pairs).T
  found = paired_tests.mcnemar(one, other)
  few, many = found['only_one'], found['only_other']
  expected = (
    scipy.stats.binomtest(few, few + many).pvalue if few + many else 1.0
  )
  assert found['p'] == pytest.approx(expected)


def test_equal_runs_cannot_be_told_apart():
  right = np.random.default_rng(0).random(120) < 0.7
  found = paired_tests.compare(*_made((right, right), _people(12, 10)))
  assert found['mcnemar']['p'] == 1
  assert set(found['permutation'].values()) == {1.0}
  assert all(x['difference'] == 0 for x in found['scores'].values())


def test_what_nothing_could_show_is_not_promised():
  random = np.random.default_rng(0)
  right = random.random((2, 50)) < [[0.4], [0.9]]
  few = paired_tests.compare(*_made(right, _people(5, 10)))
  assert few['smallest']['subjects'] is None and few['smallest']['clips'] > 0
  assert few['permutation']['uar'] > 0.05
  same = paired_tests.compare(*_made(right[[0, 0]], _people(10, 5)))
  assert same['smallest']['clips'] is same['smallest']['subjects'] is None


@pytest.mark.parametrize('people', [8, 20])
def test_a_large_difference_is_found(people):
  random = np.random.default_rng(0)
  right = random.random((2, people * 10)) < [[0.4], [0.9]]
  found = paired_tests.compare(*_made(right, _people(people, 10)))
  assert found['scores']['uar']['difference'] > 0.3
  assert found['scores']['uar']['interval'][0] > 0
  assert found['permutation']['uar'] < 0.05 and found['mcnemar']['p'] < 0.05
  assert found['smallest']['floor'] == pytest.approx(6 / (people * 10))
  assert found['smallest']['subjects'] < 0.5


def test_one_lucky_person_does_not_convince_the_permutation():
  right = np.zeros((2, 100), bool)
  right[1, :40] = True  # all of the difference is one person's
  subject = ['s0'] * 40 + _people(6, 10)
  found = paired_tests.compare(*_made(right, subject))
  assert found['mcnemar']['p'] < 1e-6
  assert found['permutation']['uar'] == 1


def test_permutation_p_is_uniform_where_nothing_is_there():
  random = np.random.default_rng(1)
  p = []
  for seed in range(80):
    right = random.random((2, 80)) < 0.6
    pair = _made(right, _people(8, 10), seed)
    p.append(paired_tests.compare(*pair)['permutation']['accuracy'])
  assert (np.array(p) < 0.05).mean() <= 0.125
  assert 0.35 < np.mean(p) < 0.75


def test_order_of_rows_and_of_classes_does_not_matter():
  random = np.random.default_rng(0)
  one, other = _made(random.random((2, 60)) < 0.6, _people(6, 10))
  turned = predictions.Predictions(
    path='y.csv',
    classes=('c', 'b', 'a'),
    clip=other.clip[::-1],
    subject=other.subject[::-1],
    fold=other.fold[::-1],
    label=2 - other.label[::-1],
    predicted=2 - other.predicted[::-1],
    probabilities=None,
  )
  assert paired_tests.compare(one, turned) == paired_tests.compare(one, other)


def test_other_clips_labels_or_classes_are_refused():
  one, other = _made(np.ones((2, 20), bool), _people(2, 10))
  for field, value, words in (
    ('clip', ('new', *other.clip[1:]), 'missing clip: 0'),
    ('classes', ('a', 'b', 'd'), 'classes a, b, d'),
    ('label', (other.label + 1) % 3, 'the label of clip 0 differs'),
    ('subject', ('x', *other.subject[1:]), 'the subject of clip 0 differs'),
  ):
    fields = {k: getattr(other, k) for k in other.__dataclass_fields__}
    wrong = predictions.Predictions(**fields | {field: value})
    with pytest.raises(errors.UserError, match=words):
      paired_tests.compare(one, wrong)


def test_holm_is_step_down():
  assert paired_tests.holm([0.01, 0.04, 0.03]) == pytest.approx(
    [0.03, 0.06, 0.06]
  )
  assert paired_tests.holm([0.9, 0.8]) == [1.0, 1.0]
  assert paired_tests.holm([0.02]) == [0.02]


def test_detectable_shrinks_with_clips():
  few, many = (paired_tests.detectable(0.7, n) for n in (50, 500))
  assert many['power'] < few['power'] and few['floor'] == 0.12


def _command(*words):
  return forked.run('mefnet_jax.report', words)


def test_the_command_compares_three_runs(tmp_path):
  runs = [audited_runs.clean(tmp_path / name) for name in 'abc']

  def wrong(rows):
    for row in rows:
      row['predicted'] = 'negative'

  audited_runs.change(runs[2] / 'predictions.csv', wrong)
  done = _command('compare', *runs, f'--out={tmp_path / "out.json"}')
  assert done.returncode == 0, done.stderr
  found = json.loads((tmp_path / 'out.json').read_text())
  assert len(found['pairs']) == 3
  first, second, _ = found['pairs']
  assert first['holm']['uar'] == 1 and 'cannot be told apart' in done.stdout
  assert second['scores']['uar']['other'] == pytest.approx(1 / 3)
  for key in ('accuracy', 'uar', 'uf1'):
    assert second['holm'][key] >= second['permutation'][key]
  expected = 'McNemar', 'over 3 comparison', 'Smallest difference', 'same clips'
  for words in expected:
    assert words in done.stdout


def test_reservations_of_the_runs_are_repeated(tmp_path):
  runs = [str(audited_runs.clean(tmp_path / name)) for name in 'ab']
  report = {'metrics': {'uar': 0.5}, 'notices': {'SYNTHETIC': 'rendered'}}
  (tmp_path / 'a' / 'report.json').write_text(json.dumps(report))
  found = compare.compare(runs, ['first', 'second'])
  assert found['runs'] == ['first', 'second']
  said = compare.markdown(found)
  assert (
    said.startswith('**SYNTHETIC**: first.\n') and str(tmp_path) not in said
  )


@pytest.mark.parametrize('words', [(), ('compare', 'a'), ('show', 'a')])
def test_a_wrong_command_is_one_line(words):
  done = _command(*words)
  assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
