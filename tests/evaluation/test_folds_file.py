"""folds.csv: all rows of a small study, and one for the rest of a large one."""

import types

import numpy as np
import pytest

from mefnet_jax.audit import evidence, overlap
from mefnet_jax.evaluation import balance, folds, folds_file
from mefnet_jax.runs import predictions

CONFIG = types.SimpleNamespace(
  protocol=types.SimpleNamespace(name='loso', folds=3), seed=0
)


def written(folder, count, people, name='loso'):
  """The folds of `count` clips of `people` people, written; and the names."""
  folder.mkdir(exist_ok=True)
  subject = [f's{i % people:05d}' for i in range(count)]
  clip = [f'c{i:05d}' for i in range(count)]
  label = np.arange(count) % 3
  protocol = types.SimpleNamespace(name=name, folds=3)
  splits = folds.make(protocol, label, subject, seed=0)
  folds_file.write(folder, splits, clip, subject, CONFIG)
  return splits, clip, subject


def plain(table):
  return {
    name: {role: dict(side) for role, side in fold.items()}
    for name, fold in table.items()
  }


@pytest.mark.parametrize('name', ['loso', 'kfold'])
def test_the_short_form_says_the_same(name, tmp_path, monkeypatch):
  _, clip, _ = written(tmp_path / 'long', 24, 6, name)
  monkeypatch.setattr(folds_file, 'MOST_ROWS', 40)
  splits, _, _ = written(tmp_path / 'short', 24, 6, name)
  long, short = (
    folds_file.read(tmp_path / form / 'folds.csv') for form in ('long', 'short')
  )
  assert plain(long) == plain(short)
  lines = (tmp_path / 'short' / 'folds.csv').read_text().splitlines()
  assert len(lines) == 1 + 24 + len(splits)
  assert sum(line.startswith('*,*,') for line in lines) == len(splits)
  side = short[splits[0].name]['train']
  assert len(side) == len(list(side)) == len(splits[0].train)
  assert clip[splits[0].test[0]] not in side
  assert clip[splits[0].train[0]] in side


def test_the_short_form_is_for_all_others_alone(tmp_path, monkeypatch):
  """A fold that leaves somebody out, or a clip called '*', is told in full."""
  monkeypatch.setattr(folds_file, 'MOST_ROWS', 5)
  splits, clip, subject = written(tmp_path, 12, 4)
  first = splits[0]
  fewer = folds.Fold(first.name, first.train[1:], first.test, first.validation)
  folds_file.write(tmp_path, (fewer, *splits[1:]), clip, subject, CONFIG)
  table = folds_file.read(tmp_path / 'folds.csv')
  assert list(table[first.name]['train']) == [clip[i] for i in fewer.train]
  assert isinstance(table[splits[1].name]['train'], folds_file.Others)
  folds_file.write(tmp_path, splits, ['*', *clip[1:]], subject, CONFIG)
  table = folds_file.read(tmp_path / 'folds.csv')
  assert {type(fold['train']) for fold in table.values()} == {dict}


def test_the_audit_of_a_leave_one_out_over_1000_people(tmp_path):
  """3 million rows as a full table; a clip that leaks is still found."""
  splits, clip, subject = written(tmp_path, 3000, 1000)
  assert (tmp_path / 'folds.csv').stat().st_size < 1e6
  assert (tmp_path / 'folds.json').stat().st_size < 1e6
  names = [splits[k].name for k in np.arange(3000) % 1000]
  predictions.write(
    tmp_path / 'predictions.csv',
    clip=clip,
    subject=subject,
    fold=names,
    label=['a'] * 3000,
    predicted=['b'] * 3000,
    probabilities_NC=np.tile([0.1, 0.9], (3000, 1)),
    classes=('a', 'b'),
  )
  run = evidence.from_files(
    tmp_path / 'predictions.csv', folds=tmp_path / 'folds.csv'
  )
  checks = (
    overlap.subject_on_both_sides,
    overlap.subject_under_two_names,
    overlap.clip_on_both_sides,
    overlap.identical_clips,
  )
  assert [list(check(run)) for check in checks] == [[]] * 4
  run.folds['s00001']['train'] = {'c00001': 's00001', 'c00002': 's00002'}
  assert list(overlap.subject_on_both_sides(run)) == [
    's00001: 1 subject: s00001'
  ]
  assert list(overlap.clip_on_both_sides(run)) == ['s00001: 1 clip: c00001']
  run.folds['s00002']['train'] = {'c00003': 'S0002'}
  said = list(overlap.subject_under_two_names(run))
  assert 's00002: 1 pair: S0002 and s00002' in said


@pytest.mark.parametrize('people', [90, 200])
def test_many_folds_are_as_even_as_by_the_whole_table(people):
  rng = np.random.default_rng(people)
  counts_SC = rng.integers(0, 9, (people, 3)) + np.array([1, 0, 0])
  order = rng.permutation(people)
  (slow, _), (fast, fold_S) = (
    greedy(counts_SC, 70, order)
    for greedy in (balance._greedy, balance._greedy_many)
  )
  assert fast == pytest.approx(slow, rel=1e-3)
  assert set(fold_S) == set(range(70))


def test_as_many_folds_as_people_take_time_as_their_square():
  counts_SC = np.tile([1, 2, 1], (150, 1))
  fold_S = balance.assign_folds(counts_SC, 150, np.random.default_rng(0))
  assert sorted(fold_S) == list(range(150))
