"""Other people's results are judged by what they say, not by their form."""

import json
import time

import numpy as np
import pytest

from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import metrics, paired_tests
from mefnet_jax.runs import errors, predictions
from tests.fixtures import audited_runs

AVERAGED = 'folds averaged instead of pooled'
ANOTHER = 'reported score not that of the predictions'


@pytest.fixture
def run(tmp_path):
  return audited_runs.clean(tmp_path / 'run')


def found(run, report):
  """The audit of what somebody sends: predictions, folds, a report."""
  (run / 'said.json').write_text(report)
  return audit.find(
    evidence.from_files(
      run / 'predictions.csv', folds=run / 'folds.csv', report=run / 'said.json'
    )
  )


def pooled(run):
  made = predictions.read(run)
  return metrics.scores(made.label, made.predicted, 3)


@pytest.mark.parametrize(
  'name',
  [
    *('UF1', 'uf1', 'F1-macro', 'macro F1 score', 'Test_UF1', 'UF1 (%)'),
    *('F1-score (macro)', 'Unweighted F-score [UF1]', 'ＵＦ１', 'f-measure'),
  ],
)
def test_a_wrong_score_is_found_by_any_of_its_names(run, name):
  true = pooled(run)['uf1']
  assert found(run, json.dumps({'metrics': {name: true}}))['leaks'] == []
  said = found(run, json.dumps({'metrics': {name: true + 0.15}}))
  assert said['kinds'] == [ANOTHER]
  assert name in said['leaks'][0]


def test_an_unknown_score_is_not_checked(run):
  said = found(run, '{"metrics": {"wonder": 0.5, "clips": 30, "loss": 1.05}}')
  assert said['leaks'] == [] and ANOTHER in said['not_checked']
  for name in ('wonder', 'clips', 'loss'):
    assert f'reported {name}' in said['not_checked']


def test_numbers_beside_the_scores_do_not_change_their_unit(run):
  table = pooled(run) | {'loss': 1.05, 'clips': 24}
  said = found(run, json.dumps({'metrics': table}))
  assert said['leaks'] == [] and ANOTHER in said['checked']


def test_per_cent_beside_shares(run):
  true = pooled(run)
  table = {'accuracy': round(100 * true['accuracy'], 1), 'UF1': true['uf1']}
  assert found(run, json.dumps({'metrics': table}))['leaks'] == []


@pytest.mark.parametrize('digits', [1, 2, 3])
def test_scores_rounded_to_what_is_printed(run, digits):
  true = pooled(run)
  text = ', '.join(
    f'"{k}": {true[k]:.{digits}f}' for k in ('uf1', 'uar', 'accuracy')
  )
  assert found(run, f'{{"metrics": {{{text}}}}}')['leaks'] == []
  cut = f'{np.floor(true["uf1"] * 100) / 100:.2f}'
  assert found(run, f'{{"metrics": {{"uf1": {cut}}}}}')['leaks'] == []
  assert found(run, '{"metrics": {"uf1": 0.95}}')['kinds'] == [ANOTHER]


def test_each_score_may_be_rounded_on_its_own(run):
  true = pooled(run)
  text = f'"uf1": {true["uf1"]:.2f}, "uar": {true["uar"]:.5f}'
  assert found(run, f'{{"metrics": {{{text}}}}}')['leaks'] == []


def test_a_score_that_is_said_twice_is_refused(run):
  text = f'"uf1": 0.99, "uf1": {pooled(run)["uf1"]}'
  with pytest.raises(errors.UserError, match="'uf1' is there twice"):
    found(run, f'{{"metrics": {{{text}}}}}')
  right = f'\ufeff{{"metrics": {{"uf1": {pooled(run)["uf1"]}}}}}'
  assert found(run, right)['leaks'] == []


def test_a_recall_that_leaves_an_absent_class_out(run):
  """Labels of two of three classes, as scikit-learn's balanced accuracy."""

  def edit(rows):
    for row in rows:
      if row['label'] == 'surprise':
        row['label'] = 'negative'

  audited_runs.change(run / 'predictions.csv', edit)
  made = predictions.read(run)
  counts_CC = metrics.confusion(made.label, made.predicted, 3)
  recall = metrics.per_class(counts_CC)['recall'][:2].mean()
  assert abs(recall - pooled(run)['uar']) > 0.1
  said = found(run, json.dumps({'metrics': {'balanced accuracy': recall}}))
  assert said['leaks'] == []


def test_means_over_folds_are_still_found_whatever_they_are_called(run):
  made = predictions.read(run)
  fold = np.array(made.fold)
  mean = np.mean(
    [
      metrics.scores(made.label[at], made.predicted[at], 3)['uf1']
      for at in (fold == name for name in np.unique(fold))
    ]
  )
  assert abs(mean - pooled(run)['uf1']) > 0.002
  said = found(run, json.dumps({'metrics': {'F1 (macro)': mean}}))
  assert 'it is the mean of the folds' in said['leaks'][0]


def strip(rows):
  """Without probabilities, as most people send predictions."""
  return [
    {k: v for k, v in row.items() if not k.startswith('prob_')} for row in rows
  ]


@pytest.mark.parametrize(
  ('labels', 'answers'),
  [
    (['1', '2', '3'], ['1.0', '2.0', '3.0']),
    (['neg', 'pos', 'sur'], ['NEG', 'Pos ', 'sur']),
  ],
)
def test_labels_and_predictions_in_two_spellings(run, labels, answers):
  true = pooled(run)

  def edit(rows):
    for row in rows:
      row['label'] = labels[audited_runs.CLASSES.index(row['label'])]
      at = audited_runs.CLASSES.index(row['predicted'])
      row['predicted'] = answers[at]
    return strip(rows)

  whole = predictions.read(run)
  audited_runs.change(run / 'predictions.csv', edit)
  made = predictions.read(run)
  assert len(made.classes) == 3
  assert metrics.scores(made.label, made.predicted, 3) == true
  assert (made.label == whole.label).all()


def test_labels_and_predictions_that_share_no_class_are_refused(run):
  def edit(rows):
    for row in rows:
      row['predicted'] = f'class {row["predicted"]}'
    return strip(rows)

  audited_runs.change(run / 'predictions.csv', edit)
  with pytest.raises(errors.UserError, match='share no class'):
    predictions.read(run)


def test_runs_are_compared_across_spellings(run, tmp_path):
  other = audited_runs.clean(tmp_path / 'other')

  def edit(rows):
    for row in rows:
      for key in ('label', 'predicted', 'clip', 'subject'):
        row[key] = f' {row[key]}'.upper()
    return strip(rows)

  audited_runs.change(other / 'predictions.csv', edit)
  made = paired_tests.compare(predictions.read(run), predictions.read(other))
  assert all(x['difference'] == 0 for x in made['scores'].values())


@pytest.mark.parametrize('other', ['{:03d}', 'fold_{:03d}'])
def test_folds_whose_names_a_spreadsheet_changed_are_a_mistake(run, other):
  def number(rows, form):
    for row in rows:
      row['fold'] = form.format(int(row['fold'].removeprefix('fold')))

  audited_runs.change(run / 'predictions.csv', lambda rows: number(rows, '{}'))
  audited_runs.change(run / 'folds.csv', lambda rows: number(rows, other))
  with pytest.raises(errors.UserError, match='other names than') as said:
    found(run, '{"metrics": {"uf1": 0.5}}')
  assert other.format(1) in str(said.value) and ' 1' in str(said.value)


def test_subjects_without_their_zeros_are_the_same_people(run):
  def edit(rows):
    for row in rows:
      row['subject'] = str(int(row['subject'].removeprefix('s')))

  audited_runs.change(run / 'predictions.csv', edit)

  def pad(rows):
    for row in rows:
      row['subject'] = row['subject'].removeprefix('s').zfill(3)

  audited_runs.change(run / 'folds.csv', pad)
  said = audit.find(
    evidence.from_files(run / 'predictions.csv', folds=run / 'folds.csv')
  )
  assert said['leaks'] == []


def test_class_weights_of_another_scale_are_no_leak(run):
  def edit(facts):
    values = facts['fitted']['class weights']['values']
    for fold in values:
      values[fold] = {c.upper(): w / 3 for c, w in values[fold].items()}

  audited_runs.change(run / 'facts.json', edit)
  said = audit.find(evidence.from_run(run))
  assert said['leaks'] == []
  assert 'class weights fitted on held-out clips' in said['checked']


@pytest.mark.parametrize('name', ['predictions.csv', 'folds.csv'])
def test_rows_sorted_by_class_are_no_leak(run, name):
  label = {
    row['clip']: row['label']
    for row in audited_runs.read(run / 'predictions.csv')
  }
  audited_runs.change(
    run / name, lambda rows: sorted(rows, key=lambda row: label[row['clip']])
  )
  said = audit.find(
    evidence.from_files(run / 'predictions.csv', folds=run / 'folds.csv')
  )
  assert said['leaks'] == []
  assert 'labels follow the order of files' in said['not_checked']


@pytest.mark.parametrize(
  ('count', 'pairs'),
  [  # a twentieth is tested; half of the others are identical to each
    (10_000, 500 * 4_500),
    pytest.param(40_000, 2_000 * 18_000, marks=pytest.mark.slow),
  ],
)
def test_thousands_of_clips_are_audited_in_seconds(tmp_path, count, pairs):
  people = 20
  rows = [
    (f'c{i}', f's{i % people}', f'f{i % people}', f'{i % 3}', f'{i % 5 % 3}')
    for i in range(count)
  ]
  head = 'clip,subject,fold,label,predicted'
  text = '\n'.join([head, *map(','.join, rows)])
  (tmp_path / 'predictions.csv').write_text(text)
  lines = [f'c{i},{"0" * 63}{i % 2}' for i in range(count)]
  (tmp_path / 'clips.csv').write_text('\n'.join(['clip,sha256', *lines]))
  started = time.monotonic()
  said = audit.find(
    evidence.from_files(
      tmp_path / 'predictions.csv', clips=tmp_path / 'clips.csv'
    )
  )
  assert time.monotonic() - started < 30
  assert 'identical clips on both sides' in said['kinds']
  assert f'{pairs} pairs' in said['leaks'][0]


def test_values_are_no_classes(tmp_path):
  rows = [f'c{i},s{i % 9},f,{i},{i}' for i in range(10_000)]
  path = tmp_path / 'predictions.csv'
  head = 'clip,subject,fold,label,predicted'
  path.write_text('\n'.join([head, *rows]))
  with pytest.raises(errors.UserError, match='10000 different labels'):
    predictions.read(path)
