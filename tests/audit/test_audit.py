"""Each planted leak is named; clean runs raise none."""

import json

import numpy as np
import pytest

from mefnet_jax.audit import audit, checks, evidence, overlap
from mefnet_jax.evaluation import metrics
from mefnet_jax.runs import predictions
from tests.fixtures import audited_runs, forked


@pytest.fixture
def run(tmp_path):
  return audited_runs.clean(tmp_path / 'run')


def found(folder, **more):
  return audit.find(evidence.from_run(folder, **more))


@pytest.mark.parametrize('protocol', ['kfold', 'loso', 'cross_database'])
@pytest.mark.parametrize('chooser', ['last', 'validation'])
@pytest.mark.parametrize('seed', range(2))
def test_clean_runs_raise_none(tmp_path, protocol, chooser, seed):
  folder = audited_runs.clean(
    tmp_path, protocol=protocol, chooser=chooser, seed=seed
  )
  said = found(folder)
  assert said['leaks'] == [] and said['kinds'] == []
  assert set(said['not_checked']) == {
    'permuted labels are learnt',
    'reported score not that of the predictions',
  }
  assert len(said['checked']) >= 15


def test_labels_made_from_a_models_answers_are_found(tmp_path):
  """Three of 24 held-out clips, as the data set's table says."""
  seen = ('mefnet-zero',) * 3 + ('',) * 21
  said = found(audited_runs.clean(tmp_path, seen=seen))
  assert said['leaks'] == [
    "test labels corrected from a model's answers: answers of mefnet-zero: "
    '3 clips: s01_00, s01_01, s01_02'
  ]


def _train(row):
  return row['fold'] == 'fold1' and row['role'] == 'train'


def _tested(rows):
  return next(r for r in rows if r['fold'] == 'fold1' and r['role'] == 'test')


def _call_person(folder, name):
  """A clip that fold1 learns is said to show `name(tested person)`."""
  rows = audited_runs.read(folder / 'folds.csv')
  clip = next(row for row in rows if _train(row))['clip']
  called = name(_tested(rows)['subject'])

  def edit(rows):
    for row in rows:
      if row['clip'] == clip:
        row['subject'] = called

  for file in ('folds.csv', 'clips.csv', 'predictions.csv'):
    audited_runs.change(folder / file, edit)


def _move_person(folder):
  """A clip of a tested person is moved to the training side."""
  _call_person(folder, lambda who: who)


def _rename_person(folder):
  _call_person(folder, lambda who: who.upper().replace('S0', 'S_'))


def _train_on_tested(folder):
  def edit(rows):
    return [*rows, _tested(rows) | {'role': 'train'}]

  audited_runs.change(folder / 'folds.csv', edit)


def _validate_on_tested(folder):
  def edit(rows):
    return [*rows, _tested(rows) | {'role': 'validation'}]

  audited_runs.change(folder / 'folds.csv', edit)


def _pair(folder):
  """A clip that fold1 tests and one that it learns."""
  rows = audited_runs.read(folder / 'folds.csv')
  return _tested(rows)['clip'], next(r for r in rows if _train(r))['clip']


def _copy_pixels(folder):
  tested, learnt = _pair(folder)

  def edit(rows):
    row = {row['clip']: row for row in rows}
    row[learnt].update(sha256=row[tested]['sha256'])

  audited_runs.change(folder / 'clips.csv', edit)


def _copy_nearly(folder):
  tested, learnt = _pair(folder)

  def edit(rows):
    row = {row['clip']: row for row in rows}
    mark = int(row[tested]['mark'], 16) ^ 0b111  # three bits of the motion
    row[learnt].update(mark=f'{mark:096x}')

  audited_runs.change(folder / 'clips.csv', edit)


def test_pairs_that_were_not_compared_are_told(tmp_path, monkeypatch):
  folder = audited_runs.clean(tmp_path / 'run')
  _copy_nearly(folder)
  kind = 'near-identical clips on both sides'
  whole = found(folder)
  assert kind in whole['checked'] and kind in whole['kinds']
  monkeypatch.setattr(overlap, '_MOST_PAIRS', 0)
  cut = found(folder)
  assert kind not in cut['checked'] and kind not in cut['kinds']
  assert 'only the first 0 pairs' in cut['not_checked'][kind]


def _fitted(thing, on):
  def plant(folder):
    tested, _ = _pair(folder)
    where = {'fold1': [tested]} if on == 'clips' else on

    def edit(facts):
      facts['fitted'][thing]['on'] = where

    audited_runs.change(folder / 'facts.json', edit)

  return plant


def _weights_of_all(folder):
  """Class weights that are 1 for all: those of all clips, not of training."""

  def edit(facts):
    values = facts['fitted']['class weights']['values']
    for fold in values:
      values[fold] = dict.fromkeys(values[fold], 1.0) | {'negative': 1.3}

  audited_runs.change(folder / 'facts.json', edit)


def _chosen(what):
  def plant(folder):
    def edit(facts):
      facts['chosen'][what] = 'held-out'

    audited_runs.change(folder / 'facts.json', edit)

  return plant


def _best_epoch(folder):
  """Nobody says so, but each fold is scored at the best of its epochs."""
  made = predictions.read(folder)
  right = made.label == made.predicted
  rows = []
  for name in sorted(set(made.fold)):
    score = right[np.array(made.fold) == name].mean()
    for epoch, accuracy in enumerate((score - 0.1, score, score - 0.2), 1):
      rows.append(
        {
          'epoch': epoch,
          'seed': 0,
          'fold': name,
          'split': 'held-out',
          'accuracy': accuracy,
        }
      )
  lines = '\n'.join(map(json.dumps, rows))
  (folder / 'metrics.jsonl').write_text(lines + '\n')


def _average_folds(folder):
  """The reported scores are the means of the folds' own."""
  made = predictions.read(folder)
  fold = np.array(made.fold)
  single = [
    metrics.scores(made.label[fold == n], made.predicted[fold == n], 3)
    for n in np.unique(fold)
  ]
  mean = {key: np.mean([x[key] for x in single]) for key in single[0]}
  (folder / 'report.json').write_text(json.dumps({'metrics': mean}))


def _sort_by_label(folder):
  audited_runs.change(
    folder / 'clips.csv', lambda rows: sorted(rows, key=lambda r: r['label'])
  )


def _score_elsewhere(folder):
  def edit(rows):
    rows[0]['fold'] = 'fold9'

  audited_runs.change(folder / 'predictions.csv', edit)


PLANTED = {
  'subject on both sides': _move_person,
  'one subject under two names': _rename_person,
  'same clip on both sides': _train_on_tested,
  'test clips used for validation': _validate_on_tested,
  'scored clip not held out': _score_elsewhere,
  'identical clips on both sides': _copy_pixels,
  'near-identical clips on both sides': _copy_nearly,
  'normalisation fitted on held-out clips': _fitted(
    'normalisation', 'everything'
  ),
  'landmarks fitted on held-out clips': _fitted('landmarks', 'clips'),
  'augmentation fitted on held-out clips': _fitted('augmentation', 'held-out'),
  'class weights fitted on held-out clips': _weights_of_all,
  'epoch chosen on held-out clips': _chosen('epoch'),
  'hyper-parameters chosen on held-out clips': _chosen('hyper-parameters'),
  'folds averaged instead of pooled': _average_folds,
  'labels follow the order of files': _sort_by_label,
}


@pytest.mark.parametrize('kind', PLANTED)
def test_a_planted_leak_is_named_and_no_other(run, kind):
  PLANTED[kind](run)
  said = found(run)
  also = {
    'same clip on both sides': {
      'subject on both sides',
      'class weights fitted on held-out clips',  # they are those of one more
    }
  }
  assert kind in said['kinds']
  assert set(said['kinds']) <= {kind} | also.get(kind, set())
  assert all(leak.split(': ')[0] in checks.KINDS for leak in said['leaks'])


def test_a_choice_says_by_which_clips_it_was_made(run):
  """Those of a fold's training are fine; one that it tests is a leak."""
  folds = evidence.from_run(run).folds

  def choose_by(role):
    def edit(facts):
      by = {name: sorted(fold[role])[:2] for name, fold in folds.items()}
      facts['chosen']['hyper-parameters'] = by

    audited_runs.change(run / 'facts.json', edit)
    return found(run)

  kind = 'hyper-parameters chosen on held-out clips'
  assert not choose_by('train')['leaks']
  told = choose_by('test')
  assert told['kinds'] == [kind] and len(told['leaks']) == len(folds)


def test_a_person_is_followed_through_all_files(run):
  """Somebody gives each clip a person of its own in folds.csv."""
  _move_person(run)

  def edit(rows):
    for row in rows:
      row['subject'] = f'of {row["clip"]}'

  audited_runs.change(run / 'folds.csv', edit)
  said = found(run)
  assert set(said['kinds']) == {
    'subject on both sides',
    'one subject under two names',
  }
  assert any('the files name two people' in leak for leak in said['leaks'])


def test_names_without_latin_letters_are_people_too(run):
  new = {'s01': '\u5f20', 's02': '\u674e', 's03': '\u738b', 's04': '1_1'}
  new |= {'s05': '11', 's06': '?'}

  def edit(rows):
    for row in rows:
      row['subject'] = new[row['subject']]

  for file in ('folds.csv', 'clips.csv', 'predictions.csv'):
    audited_runs.change(run / file, edit)
  assert found(run)['leaks'] == []


def test_a_scored_training_clip_is_a_leak_and_no_mistake_of_the_file(run):
  def edit(rows):
    tested = _tested(rows)
    tested['role'] = 'train'

  audited_runs.change(run / 'folds.csv', edit)
  assert 'scored clip not held out' in found(run)['kinds']


def test_only_what_is_told_counts_as_checked(run):
  audited_runs.change(run / 'facts.json', lambda _: {'scoring': 'pooled'})
  lacking = found(run)['not_checked']
  assert 'normalisation fitted on held-out clips' in lacking
  assert 'epoch chosen on held-out clips' in lacking
  assert 'folds averaged instead of pooled' not in lacking


def test_the_best_epoch_is_seen_in_the_curves(run):
  _best_epoch(run)
  said = found(run)
  assert said['kinds'] == ['epoch chosen on held-out clips']
  assert 'not the last of' in said['leaks'][0]


def test_the_last_epoch_raises_none(run):
  _best_epoch(run)
  path = run / 'metrics.jsonl'
  rows = path.read_text().splitlines()
  path.write_text('\n'.join(r for r in rows if '"epoch": 3' not in r) + '\n')
  assert found(run)['leaks'] == []


def test_learnt_permutations_are_named(run, tmp_path):
  control = tmp_path / 'control'
  control.mkdir()
  report = {
    'metrics': {'uar': 0.6},
    'intervals': {'uar': [0.5, 0.7]},
    'baseline': {'chance_uar': 1 / 3},
  }
  (control / 'report.json').write_text(json.dumps(report))
  said = found(run, permuted=control)
  assert said['kinds'] == ['permuted labels are learnt']
  report['intervals']['uar'] = [0.3, 0.7]
  (control / 'report.json').write_text(json.dumps(report))
  assert found(run, permuted=control)['leaks'] == []


def test_clip_wise_splits_put_people_on_both_sides(tmp_path):
  folder = audited_runs.clean(tmp_path, protocol='kfold_clips')
  assert 'subject on both sides' in found(folder)['kinds']


def test_predictions_alone_are_audited_under_an_assumption(run):
  made = run / 'predictions.csv'
  assert audit.find(evidence.from_files(made))['leaks'] == []

  def edit(rows):
    for row in rows[1::2]:
      row['subject'] = rows[0]['subject']

  audited_runs.change(made, edit)
  seen = evidence.from_files(made)
  said = audit.find(seen)
  assert said['kinds'] == ['subject on both sides']
  assert 'normalisation fitted on held-out clips' in said['not_checked']
  assert 'no folds given' in audit.to_text(seen, said)


def _command(*words):
  return forked.run('mefnet_jax.audit', words)


def test_the_command_says_what_it_found(run, tmp_path):
  done = _command(run)
  assert done.returncode == 0 and 'no leak found' in done.stdout
  _move_person(run)
  files = [f'--{x}={run / x}.csv' for x in ('folds', 'clips')]
  done = _command(
    '--predictions',
    run / 'predictions.csv',
    *files,
    f'--out={tmp_path / "a.json"}',
  )
  assert done.returncode == 2, done.stderr
  assert 'LEAK  subject on both sides: fold1' in done.stdout
  assert json.loads((tmp_path / 'a.json').read_text())['kinds']


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    ((), 'name one workdir'),
    (('nowhere',), 'nowhere'),
    (('nowhere', '--report', 'r.json'), '--report cannot go with'),
    (('--predictions=nowhere.csv',), 'nowhere.csv'),
  ],
)
def test_a_wrong_command_is_one_line(words, said):
  done = _command(*words)
  assert done.returncode == 1
  assert len(done.stderr.splitlines()) == 1 and said in done.stderr


def test_features_of_a_clip_that_is_there_twice_are_refused(run):
  rows = audited_runs.read(run / 'clips.csv')
  lines = [f'{row["clip"]},{i},1' for i, row in enumerate(rows)]
  (run / 'f.csv').write_text('\n'.join(['clip,a,b', *lines, lines[0]]))
  done = _command(str(run), f'--features={run / "f.csv"}')
  assert done.returncode == 1
  assert f'row {len(rows) + 2}: {rows[0]["clip"]} occurs again' in done.stderr
