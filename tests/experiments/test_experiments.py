"""Experiments train together what one can, resume, and write true tables."""

import csv
import importlib
import json
import pathlib
import threading
import types

import numpy as np
import pytest

from configs import base
from experiments import leakage, running, table1, tables, together, variants
from mefnet_jax import protocol
from mefnet_jax.runs import errors
from tests.fixtures import stand_ins


def _tiny(release):
  def prepare(config, dataset):
    config.dataset.update(
      name=dataset, release=str(release), frames=9, face=16, eyes=12, mouth=12
    )
    config.model.update(filters=4, kernel=(5, 3, 3), hidden=(8,))
    config.train.update(epochs=2, batch_size=8)
    config.protocol.folds = 3
    return config

  return prepare


_NAMES = ('honest', 'clip-wise', 'statistics-honest', 'statistics', 'training')


@pytest.fixture(scope='module', autouse=True)
def untrained():
  """What is tested here is what goes into a training and comes out of it."""
  with pytest.MonkeyPatch.context() as patch:
    stand_ins.quicken(patch)
    yield


@pytest.fixture(scope='module')
def ran(tiny_smic, tmp_path_factory):
  """Five variants of the leakage experiment, run."""
  out = tmp_path_factory.mktemp('leakage')
  made = leakage.variants(['smic'], _tiny(tiny_smic), names=_NAMES)
  return out, made, running.run(made, out)


def test_variants_that_fit_are_trained_together(ran):
  out, made, _ = ran
  (joint,) = (out / 'together').iterdir()
  rows = [
    json.loads(row)
    for row in (joint / 'metrics.jsonl').read_text().splitlines()
  ]
  assert {row['fold'].split('/')[0] for row in rows} == {
    'smic-honest',
    'smic-clip-wise',
    'smic-training',
  }


def test_a_variant_among_others_is_that_variant_alone(ran, tmp_path):
  import rich.console

  out, made, _ = ran
  protocol.run(
    made['smic-clip-wise'],
    tmp_path,
    console=rich.console.Console(quiet=True),
    stop=threading.Event(),
  )
  own = out / 'runs' / 'smic-clip-wise'
  other = out / 'runs' / 'smic-honest'
  for name in ('predictions.csv', 'metrics.jsonl', 'folds.csv'):
    assert (tmp_path / name).read_text() == (own / name).read_text()
    assert (tmp_path / name).read_text() != (other / name).read_text()


@pytest.mark.parametrize(
  ('given', 'words'),
  [
    (
      {'datasets': ['smic', 'casme']},
      '--datasets=smic,casme: choose from smic',
    ),
    ({'datasets': []}, '--datasets=: choose from smic'),
    ({'epochs': -1}, '--epochs=-1'),
    ({'seeds': 0}, '--seeds=0'),
  ],
)
def test_flags_that_name_nothing_are_refused(given, words):
  fine = {'datasets': ['smic'], 'smic': '', 'epochs': 0, 'seeds': 1}
  running._check(types.SimpleNamespace(**fine))
  with pytest.raises(errors.UserError, match=words):
    running._check(types.SimpleNamespace(**fine | given))


def test_runs_of_given_weights_are_not_trained_together():
  """They share clips and network, and each is scored or fitted by itself."""

  def job(name, **fields):
    config = base.get_config()
    with config.unlocked():
      config.update(fields)
    return types.SimpleNamespace(
      arrays={'face': np.zeros(3)},
      config=config,
      model='network',
      splits=('fold1',),
      workdir=pathlib.Path(name),
    )

  networks = {name: (job(name), (0,)) for name in 'ab'}
  given = {name: (job(name, weights='mefnet-zero'), (0,)) for name in 'cd'}
  found = together._groups(networks | given)
  assert sorted(found) == [['a', 'b'], ['c'], ['d']]


def test_what_is_there_is_not_run_again(ran, monkeypatch):
  out, made, reports = ran

  def never(*_, **__):
    raise AssertionError('trained again')

  monkeypatch.setattr(protocol, 'run', never)
  assert running.run(made, out) == reports


def test_leaky_variants_are_called_so_and_honest_ones_not(ran):
  rows = leakage.rows(ran[2])
  said = {row['mistake']: row['leaky'] for row in rows}
  for name in _NAMES:
    honest = name.endswith('honest')
    assert said[leakage.MISTAKES[name][0]] == ('no' if honest else 'LEAKY')
  by_name = dict(zip(_NAMES, rows, strict=True))
  for key in ('accuracy', 'uar'):
    lift = by_name['training'][key] - by_name['honest'][key]
    assert by_name['training'][f'{key}_lift'] == pytest.approx(lift, abs=2e-4)


def test_tables_and_figures_are_written(ran, tmp_path):
  rows = leakage.rows(ran[2])
  tables.write(tmp_path, 'x', rows, title='A title', first=['mistake'])
  assert {path.suffix for path in tmp_path.iterdir()} == {
    *('.csv', '.md', '.png', '.svg')
  }
  with (tmp_path / 'x.csv').open(newline='') as file:
    read = list(csv.DictReader(file))
  assert [row['uar'] for row in read] == [str(row['uar']) for row in rows]
  text = (tmp_path / 'x.md').read_text()
  assert text.startswith('**SYNTHETIC: A title**') and text.count('LEAKY') == 3
  assert 'SYNTHETIC: A title' in (tmp_path / 'x.svg').read_text()
  assert (tmp_path / 'x.png').read_bytes().endswith(b'IEND\xaeB`\x82')


def test_table1_has_every_cell_and_claims_of_their_own():
  made = table1.variants(['smic', 'cas_me2'], lambda config, _: config)
  assert len(made) == 2 * 4 * 4
  assert len({(c.model.name, c.protocol.name) for c in made.values()}) == 12
  report = {
    'dataset': 'smic',
    'model': 'base',
    'protocol': 'loso',
    'release': 'synthetic',
    'metrics': dict.fromkeys(('accuracy', 'uf1', 'uar'), 0.5),
    'intervals': dict.fromkeys(('accuracy', 'uf1', 'uar')),
    'spread': {},
    'clips': 9,
    'subjects': 3,
    'parameters': 1,
    'baseline': {'majority_accuracy': 0.4, 'chance_uar': 1 / 3},
    'audit': {'leaks': []},
  }
  (row,) = table1.rows({'smic-base-loso': report})
  assert row['claim_accuracy'] == 0.899 and row['accuracy'] == 0.5
  assert np.isnan(row['uar_low'])
  text = tables.markdown([row], 'T', ['network'])
  assert "paper's claim: accuracy" in text and 'claim 0.899' in text


@pytest.mark.parametrize('name', ['fusion', 'attention', 'modalities'])
def test_every_variant_is_a_config_of_its_own(name):
  module = importlib.import_module(f'experiments.{name}')
  needed = {key for _, x in module.VARIANTS.values() for key in x}
  flat = base.get_config().to_dict()
  lacking = [
    key
    for key in needed
    if key.partition('.')[2] not in flat[key.partition('.')[0]]
  ]
  if lacking:
    pytest.skip(f'this version has no {lacking}')
  made = module.make(['smic'], lambda config, _: config)
  assert len(made) == len(module.VARIANTS)
  assert len({str(config) for config in made.values()}) == len(made)


def test_variants_are_run_and_told_apart(tiny_smic, tmp_path):
  table = {
    'conv': ('before the pooling', {}),
    'pool': ('after it', {'model.attention_place': 'pool'}),
  }
  made = variants.make(base.get_config, table, ['smic'], _tiny(tiny_smic))
  rows = variants.rows(running.run(made, tmp_path), table)
  assert [row['variant'] for row in rows] == ['before the pooling', 'after it']
