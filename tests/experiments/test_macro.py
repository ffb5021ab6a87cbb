"""Macro-expressions train and are not scored; the audit can still see who."""

import pytest

from experiments import macro
from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import folds_file
from mefnet_jax.runs import predictions
from tests.fixtures import audited_runs


@pytest.fixture
def run(tmp_path):
  audited_runs.clean(tmp_path / 'run')
  return tmp_path / 'run'


def test_only_the_chosen_clips_are_scored(run, tmp_path):
  """Those of one person: their fold is left, and trains as before."""
  made = predictions.read(run)
  clips = {
    clip
    for clip, who in zip(made.clip, made.subject, strict=True)
    if who == 's01'
  }
  report = macro.scored_on(run, clips, tmp_path / 'some')
  some = predictions.read(tmp_path / 'some')
  assert set(some.clip) == clips and set(some.subject) == {'s01'}
  (fold,) = set(some.fold)
  before, after = (
    folds_file.read(folder / 'folds.csv') for folder in (run, tmp_path / 'some')
  )
  assert set(after[fold]['test']) == clips
  assert sum(bool(one['test']) for one in after.values()) == 1
  assert all(after[name]['train'] == before[name]['train'] for name in before)
  right = (some.label == some.predicted).mean()
  assert report['metrics']['accuracy'] == pytest.approx(right)


def test_a_person_on_both_sides_is_still_found(run, tmp_path):
  clips = set(predictions.read(run).clip)
  assert macro.scored_on(run, clips, tmp_path / 'a')['audit']['leaks'] == []
  path = tmp_path / 'a' / 'folds.csv'

  def edit(rows):
    tested = next(row for row in rows if row['role'] == 'test')
    rows.append(tested | {'role': 'train'})

  audited_runs.change(path, edit)
  assert audit.find(evidence.from_run(tmp_path / 'a'))['leaks']


def test_the_two_differ_in_their_expressions_alone():
  made = macro.make(lambda config, dataset: config)
  micro, both = (made[kind].to_dict() for kind in macro.KINDS)
  assert micro['dataset'].pop('expressions') == 'micro'
  assert both['dataset'].pop('expressions') == 'both'
  assert micro == both and micro['dataset']['maps']
