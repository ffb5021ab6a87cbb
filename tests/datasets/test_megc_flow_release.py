"""The MEGC2019 composite: both layouts, both networks, scores by database."""

import json
import shutil

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs import mefnet_flow
from mefnet_jax.audit import audit, evidence
from mefnet_jax.datasets import check, registry
from mefnet_jax.datasets.megc_flow import builder
from mefnet_jax.evaluation import by_database, metrics
from mefnet_jax.report import figures
from mefnet_jax.runs import errors, findings
from mefnet_jax.synthetic import release as synthetic
from tests.fixtures import model_files, protocol_runs, stand_ins


@pytest.fixture(scope='module')
def maps(tmp_path_factory):
  """Both layouts of the same six people with up to four maps each."""
  folder = tmp_path_factory.mktemp('megc')
  few = dict(clips=4, subjects=6, processes=1)
  return {
    form: synthetic.write('megc_flow', folder / form, form=form, **few)
    for form in ('whole', 'loso')
  }


def test_both_layouts_give_the_same_clips(maps):
  whole, loso = (registry.read('megc_flow', maps[f]) for f in maps)
  assert not findings.lost((*whole.findings, *loso.findings))
  assert [r.clip for r in whole.rows] == [r.clip for r in loso.rows]
  for one, other in zip(whole.rows, loso.rows, strict=True):
    assert (one.label, one.subject, one.database) == (
      *(other.label, other.subject, other.database),
    )
    assert one.place.read_bytes() == other.place.read_bytes()
  assert {r.database for r in whole.rows} == {'smic', 'casme2', 'samm'}
  assert whole.synthetic and loso.synthetic


def test_the_stand_in_has_the_published_counts():
  from mefnet_jax.synthetic import megc_flow as layout

  shots = layout.plan(0).shots
  assert len(shots) == 442
  assert len({s.person for s in shots}) == 68
  kinds = [sum(s.emotion == kind for s in shots) for kind in layout.CLASSES]
  assert kinds == [250, 109, 83]
  own = {d: [s for s in shots if s.database == d] for d in layout._NAMES}
  people = {d: len({s.person for s in shots}) for d, shots in own.items()}
  assert people == {'smic': 16, 'casme2': 24, 'samm': 28}
  assert {' .png', '.png'} == {s.pattern for s in shots}


@pytest.mark.parametrize('form', ['whole', 'loso'])
def test_defects_of_the_maps_are_reported(maps, tmp_path, form):
  root = shutil.copytree(maps[form], tmp_path / 'copy')
  clips = registry.read('megc_flow', root).rows
  clips[0].place.unlink()
  if form == 'whole':
    stray = clips[1].place.with_name('sub99_stray .png')
  else:
    stray = clips[1].place.with_name(f'sub98_{clips[1].place.name}')
  shutil.copy(clips[1].place, stray)
  release = registry.read('megc_flow', root)
  told = [f for f in release.findings if f.kind == findings.LEFT_OUT]
  assert len(release.rows) == len(clips) - 1
  if form == 'whole':
    assert {f.clip for f in told} == {clips[0].clip, ''}
  else:
    assert ['named after sub98' in f.what for f in told] == [True]


def test_a_folder_without_maps_says_what_was_expected(tmp_path):
  (tmp_path / 'x').mkdir()
  with pytest.raises(errors.UserError, match='u_test/0/006_1_2'):
    registry.read('megc_flow', tmp_path)
  table = tmp_path / 'x' / 'combined_3_class2_for_optical_flow.csv'
  table.write_text('sub,label\n006,1\n')
  with pytest.raises(errors.UserError, match='no column filename_o'):
    registry.read('megc_flow', tmp_path)


def test_the_builder_holds_the_maps_as_they_are(maps, tmp_path):
  made = builder.MegcFlow(data_dir=tmp_path, config='composite')
  manual = tfds.download.DownloadConfig(manual_dir=maps['loso'])
  made.download_and_prepare(download_config=manual)
  row = registry.read('megc_flow', maps['loso']).rows[-1]
  source = made.as_data_source(row.subject)
  example = next(e for e in source if e['clip'].decode() == row.clip)
  image = cv2.imread(str(row.place))[..., ::-1]
  np.testing.assert_array_equal(example['face'][0], image)
  np.testing.assert_array_equal(example['eyes'][0], image[:14])
  np.testing.assert_array_equal(example['mouth'][0], image[14:])
  assert example['database'].decode() == row.database


# Of what is around the network: it compiles sooner.
PLAIN = {'channel_attention': False, 'spatial_attention': False}


@pytest.mark.parametrize(
  ('variant', 'options'),
  [
    ('mecnn', PLAIN),
    *(pytest.param(v, {}, marks=pytest.mark.slow) for v in ('mecnn', 'mfcnn')),
  ],
)
def test_the_config_runs_from_folder_to_report(
  maps, tmp_path, monkeypatch, variant, options
):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setattr(figures, 'draw', stand_ins.undrawn)
  config = mefnet_flow.get_config(variant)
  kernel, pool = config.model.kernel, config.model.pool
  config.model.update(filters=4, **options)
  summary, said = protocol_runs.carried_out(
    config, maps['whole'], tmp_path / 'w', kernel=kernel, pool=pool
  )
  assert summary['folds'] == summary['subjects'] == 6
  names = [row['database'] for row in summary['databases']]
  assert names == ['composite', 'casme2', 'samm', 'smic']
  assert summary['databases'][0]['metrics'] == summary['metrics']
  assert 'CASME II' in said and 'SYNTHETIC' in said
  assert 'CASME II' in (tmp_path / 'w' / 'report.html').read_text()
  written = json.loads((tmp_path / 'w' / 'folds.json').read_text())
  assert [f['test_split'] for f in written['folds']] == [
    f['name'] for f in written['folds']
  ]
  found = audit.find(evidence.from_run(tmp_path / 'w'))
  assert found['leaks'] == []
  model_files.check(tmp_path / 'w')
  assert 'near-identical clips on both sides' in found['not_checked']


def test_each_database_is_scored_by_its_own_clips():
  rng = np.random.default_rng(0)
  label, predicted = rng.integers(0, 3, (2, 60))
  database = rng.choice(['samm', 'smic'], 60)
  rows = by_database.scores(label, predicted, database, 3)
  assert [r['clips'] for r in rows] == [
    60,
    *((database == name).sum() for name in ('samm', 'smic')),
  ]
  own = database == 'smic'
  assert rows[2]['metrics'] == metrics.scores(label[own], predicted[own], 3)
  assert by_database.scores(label, predicted, [''] * 60, 3) == []


def test_check_counts_the_databases(maps, capsys):
  assert (
    check.main(['--dataset=megc_flow', f'--release={maps["whole"]}', '--json'])
    == 0
  )
  report = json.loads(capsys.readouterr().out)
  assert report['found']['clips'] == sum(
    report['found'][name] for name in ('smic', 'casme2', 'samm')
  )
