"""Train on some databases, test on others; folds written for others."""

import json
import types

import numpy as np
import pytest

from configs import base
from mefnet_jax.evaluation import folds, folds_file
from mefnet_jax.runs import errors

DATABASE = np.repeat(['casme2', 'samm', 'smic'], (6, 5, 4))
SUBJECT = np.array([f'{d}{i % 3}' for i, d in enumerate(DATABASE)])
LABEL = np.arange(15) % 3


def protocol(train_on='', test_on=''):
  return types.SimpleNamespace(
    name='cross_database', train_on=train_on, test_on=test_on
  )


def make(*args, subject=SUBJECT):
  return folds.make(protocol(*args), LABEL, subject, DATABASE, seed=0)


def test_each_database_is_tested_once_by_the_others():
  made = make()
  assert [fold.name for fold in made] == ['casme2', 'samm', 'smic']
  for fold in made:
    assert set(DATABASE[fold.test]) == {fold.name}
    assert len(fold.train) + len(fold.test) == 15
    assert not set(fold.train_subjects) & set(fold.test_subjects)


def test_a_to_b_leaves_the_third_out():
  (fold,) = make('samm', 'smic')
  assert set(DATABASE[fold.train]) == {'samm'}
  assert set(DATABASE[fold.test]) == {'smic'}
  (fold,) = make('', 'samm+smic')
  assert fold.name == 'samm+smic'
  assert set(DATABASE[fold.train]) == {'casme2'}
  assert folds.split_strings(fold)[0] == 'casme20+casme21+casme22'


def test_what_trains_is_not_tested_where_only_that_is_named():
  made = make('samm')
  assert [fold.name for fold in made] == ['casme2', 'smic']
  assert all(set(DATABASE[fold.train]) == {'samm'} for fold in made)


@pytest.mark.parametrize(
  ('args', 'why'),
  [
    (('casme2+samm+smic', ''), 'may not be on both sides'),
    (('samm', 'samm'), 'may not be on both sides'),
    (('', 'casme2+samm+smic'), 'may not be on both sides'),
    (('mmew', 'samm'), 'the databases are casme2, samm, smic'),
  ],
)
def test_a_mistake_is_one_line(args, why):
  with pytest.raises(errors.UserError, match=why):
    make(*args)


def test_one_database_is_not_enough_and_people_stay_on_one_side():
  with pytest.raises(errors.UserError, match='two databases'):
    folds.make(protocol(), LABEL, SUBJECT, [''] * 15, seed=0)
  with pytest.raises(errors.UserError, match='in both databases'):
    make(subject=np.array(['p1', 'p2', 'p3'] * 5))


def test_folds_are_written_with_ids_and_splits(tmp_path):
  config = base.get_config()
  config.protocol.folds = 3
  clip = [f'clip{i}' for i in range(15)]
  made = folds.make(config.protocol, LABEL, SUBJECT, DATABASE, seed=0)
  for name in ('a', 'b'):
    (tmp_path / name).mkdir()
    folds_file.write(tmp_path / name, made, clip, SUBJECT, config)
  for file in ('folds.csv', 'folds.json'):
    a, b = (tmp_path / name / file for name in 'ab')
    assert a.read_bytes() == b.read_bytes()
  content = json.loads((tmp_path / 'a' / 'folds.json').read_text())
  assert content['version'] == folds.VERSION
  assert (content['protocol'], content['seed']) == ('kfold', 0)
  for fold, written in zip(made, content['folds'], strict=True):
    assert written['name'] == fold.name
    assert sorted(written['train'] + written['test']) == sorted(clip)
    assert written['test_split'] == '+'.join(fold.test_subjects)
    assert written['train_split'] == '+'.join(fold.train_subjects)
  config.protocol.name = 'holdout'
  leaky = folds.make(config.protocol, LABEL, SUBJECT, DATABASE, seed=0)
  folds_file.write(tmp_path, leaky, clip, SUBJECT, config)
  (one,) = json.loads((tmp_path / 'folds.json').read_text())['folds']
  assert one['train_split'] is None
