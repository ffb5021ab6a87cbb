"""Evidence that means nothing is refused, and by name."""

import json

import numpy as np
import pytest

from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import metrics
from mefnet_jax.report import compare
from mefnet_jax.runs import errors, predictions
from tests.fixtures import audited_runs


@pytest.fixture
def run(tmp_path):
  return audited_runs.clean(tmp_path / 'run')


def found(folder):
  return audit.find(evidence.from_run(folder))


@pytest.mark.parametrize(
  ('facts', 'words'),
  [
    ({'fitted': {'normalization': {'on': 'everything'}}}, "no 'normalization'"),
    ({'fitted': {'landmarks': 'everything'}}, 'not a JSON object'),
    ({'fitted': {'landmarks': {'on': 'all'}}}, "'all' is none of"),
    ({'fitted': {'landmarks': {'on': {'fold9': []}}}}, "no 'fold9'"),
    ({'fitted': {'landmarks': {'on': {'fold1': 1}}}}, 'not a list of clips'),
    (
      {'fitted': {'class weights': {'values': {'fold1': {'a': 'x'}}}}},
      'number',
    ),
    ({'chosen': {'epoch': 'best'}}, "'best' is none of"),
    ({'chosen': ['epoch']}, 'not a JSON object'),
    ({'chosen': {'epoch': {'fold9': []}}}, "no 'fold9'"),
    ({'chosen': {'epoch': {'fold1': [1]}}}, 'not a list of clips'),
    ({'scoring': 'mean'}, "'mean' is none of"),
    ([], 'not a JSON object'),
  ],
)
def test_facts_that_mean_nothing_are_refused(run, facts, words):
  (run / 'facts.json').write_text(json.dumps(facts))
  with pytest.raises(errors.UserError, match=words):
    found(run)


def test_scores_in_per_cent_are_understood(run):
  made = predictions.read(run)
  true = metrics.scores(made.label, made.predicted, 3)
  report = run / 'report.json'
  report.write_text(
    json.dumps({'metrics': {k: round(100 * x, 1) for k, x in true.items()}})
  )
  assert found(run)['leaks'] == []
  report.write_text(json.dumps({'metrics': {'uar': 'high'}}))
  with pytest.raises(errors.UserError, match='a number each'):
    found(run)


@pytest.mark.parametrize(
  ('field', 'value', 'words'),
  [('mark', 'abc', '96 hex digits'), ('label', 'joy', 'another label than')],
)
def test_clips_that_cannot_be_are_named(run, field, value, words):
  def edit(rows):
    rows[2][field] = value

  audited_runs.change(run / 'clips.csv', edit)
  with pytest.raises(errors.UserError, match=words) as said:
    found(run)
  assert audited_runs.read(run / 'clips.csv')[2]['clip'] in str(said.value)


def test_a_prediction_that_is_not_the_most_probable_is_noted(run):
  assert 'most probable' not in audit.to_text(
    evidence.from_run(run), found(run)
  )

  def edit(rows):
    rows[0]['predicted'] = next(
      c for c in audited_runs.CLASSES if c != rows[0]['predicted']
    )

  audited_runs.change(run / 'predictions.csv', edit)
  seen = evidence.from_run(run)
  said = audit.find(seen)
  clip = seen.predictions.clip[0]
  assert said['leaks'] == []
  assert said['notes'] == [
    f'predicted is not the most probable class of 1 of 24 clips ({clip}): '
    'scores are those of predicted, not of the probabilities'
  ]
  assert said['notes'][0] in audit.to_text(seen, said)
  compared = compare.compare([str(run / 'predictions.csv'), str(run)])
  assert compared['notes'][str(run)] == said['notes'][0]
  assert '1 of 24 clips' in compare.markdown(compared)


def test_a_report_of_the_most_probable_classes_is_said_to_be_one(run):
  true = predictions.read(run)
  best = metrics.scores(true.label, true.predicted, 3)['accuracy']

  def edit(rows):
    for row in rows:
      row['predicted'] = 'negative'

  audited_runs.change(run / 'predictions.csv', edit)
  (run / 'said.json').write_text(json.dumps({'metrics': {'accuracy': best}}))
  seen = evidence.from_files(
    run / 'predictions.csv', folds=run / 'folds.csv', report=run / 'said.json'
  )
  (leak,) = audit.find(seen)['leaks']
  assert 'it is that of the most probable classes' in leak


def test_a_tie_is_no_contradiction(run):
  def edit(rows):
    for row in rows:
      row |= {f'prob_{c}': '.333' for c in audited_runs.CLASSES}

  audited_runs.change(run / 'predictions.csv', edit)
  assert found(run)['notes'] == []


@pytest.mark.parametrize(
  'line', ['3', '{"split": "held-out"}', 'null', '["epoch"]']
)
def test_a_history_that_is_none_is_refused(run, line):
  (run / 'metrics.jsonl').write_text(line + '\n')
  with pytest.raises(errors.UserError, match='metrics.jsonl: row 1'):
    found(run)


def test_without_clips_the_predicted_ones_are_all(run):
  whole = evidence.completed_rows(evidence.from_run(run))
  part = evidence.completed_rows(evidence.from_files(run / 'predictions.csv'))
  assert {row['clip']: row['subject'] for row in part} == {
    row['clip']: row['subject'] for row in whole
  }
  assert all('mark' in row for row in whole)
  assert not any('mark' in row for row in part)
  features = np.random.default_rng(0).normal(size=(len(part), 4))
  said = audit.find(evidence.from_files(run / 'predictions.csv'), features)
  assert {name.partition(',')[0] for name in said['probes']} == {
    'who',
    'label permutation',
  }
