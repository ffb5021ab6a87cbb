"""What a run leaves behind says what was measured, and how far to trust it."""

import csv
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest

from mefnet_jax import protocol
from mefnet_jax.evaluation import metrics, summaries
from mefnet_jax.report import figures, write
from mefnet_jax.runs import environment, errors
from tests.fixtures import forked, reported, stand_ins

_DESIGNED = (
  'dataset release protocol selection model parameters clips subjects folds '
  'metrics intervals baseline confusion per_subject audit seconds versions'
)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  protocol.report(folder, reported.result())
  return folder


def test_files_are_there_and_nothing_half_written(workdir):
  names = {path.name for path in workdir.iterdir()}
  assert names == {
    'predictions.csv',
    'report.json',
    'report.html',
    'figures',
    'model_card.md',
    'data_sheet.md',
  }
  drawn = {path.name for path in (workdir / 'figures').iterdir()}
  page = (workdir / 'report.html').read_text()
  for name in names - {'report.html'}:
    assert f'<a href="{name}">' in page
  assert drawn == {
    f'{name}.{suffix}'
    for name in ('scores', 'confusion', 'subjects', 'curves', 'calibration')
    for suffix in ('png', 'svg')
  }


def test_predictions_give_the_reported_scores(workdir):
  with open(workdir / 'predictions.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  header = 'clip subject fold label predicted'.split()
  assert list(rows[0]) == header + [f'prob_{name}' for name in reported.CLASSES]
  assert len(rows) == 24
  label, predicted = (
    [reported.CLASSES.index(row[key]) for row in rows]
    for key in ('label', 'predicted')
  )
  summary = json.loads((workdir / 'report.json').read_text())
  assert metrics.scores(label, predicted, 3) == summary['metrics']
  for row, said in zip(rows, predicted, strict=True):
    shares = [float(row[f'prob_{name}']) for name in reported.CLASSES]
    assert np.argmax(shares) == said and sum(shares) == pytest.approx(1)


def test_report_json_keeps_the_designed_names(workdir):
  summary = json.loads((workdir / 'report.json').read_text())
  assert set(_DESIGNED.split()) <= summary.keys()
  assert summary.keys() == {*summaries.KEYS, 'compiled_for'}
  assert summary['release'] == 'synthetic'
  scores = 'accuracy precision recall sensitivity specificity f1 uf1 war uar'
  assert set(summary['metrics']) == set(scores.split())
  assert summary['intervals'].keys() == summary['metrics'].keys()
  assert all(len(bounds) == 2 for bounds in summary['intervals'].values())
  assert set(summary['baseline']) == {'majority_accuracy', 'chance_uar'}
  assert summary['audit'] == {'leaks': []}
  assert np.sum(summary['confusion']) == summary['clips'] == 24
  assert sum(person['clips'] for person in summary['per_subject']) == 24
  assert [summary[key] for key in ('subjects', 'folds')] == [6, 3]
  assert [seed['seed'] for seed in summary['per_seed']] == [0, 1]


def test_the_same_result_gives_the_same_bytes(workdir, tmp_path):
  protocol.report(tmp_path, reported.result())
  for path in workdir.rglob('*.*'):
    other = tmp_path / path.relative_to(workdir)
    assert other.read_bytes() == path.read_bytes(), path


def test_a_failed_write_leaves_the_old_file(workdir, monkeypatch):
  before = (workdir / 'predictions.csv').read_bytes()

  def full(path, content):
    path.touch()
    raise OSError('disk full')

  monkeypatch.setattr('pathlib.Path.write_bytes', full)
  with pytest.raises(OSError, match='disk full'):
    protocol.report(workdir, reported.result(clip=('other',) * 24))
  monkeypatch.undo()
  assert (workdir / 'predictions.csv').read_bytes() == before
  assert not list(workdir.glob('.*'))


def test_reservations_are_in_figures_and_log(tmp_path, caplog):
  result = reported.result(leaky='same people', history=[])
  protocol.report(tmp_path, result)
  assert 'SYNTHETIC: ' in caplog.text and 'LEAKY: same people' in caplog.text
  figures = sorted((tmp_path / 'figures').iterdir())
  assert len(figures) == 8
  for path in figures:
    if path.suffix == '.svg':
      root = xml.etree.ElementTree.parse(path).getroot()
      text = ' '.join(t.strip() for t in root.itertext())
      assert 'SYNTHETIC · LEAKY' in text and 'same people' in text
    else:
      content = path.read_bytes()
      assert b'SYNTHETIC; LEAKY' in content and content.endswith(b'\xaeB`\x82')


def test_terminal_shows_scores_beside_the_baseline():
  shown = reported.terminal(reported.result())
  for content in ('uar', '95 % interval', 'majority class', '0.333', '24'):
    assert content in shown


def test_the_card_says_what_reproduces_it(tmp_path, monkeypatch):
  monkeypatch.setattr(figures, 'draw', stand_ins.undrawn)
  result = reported.result(
    code={'commit': '0a1b2c', 'changed': True},
    vector_bits=512,
    compiled_for='haswell',
    licence='my own',
  )
  protocol.report(tmp_path, result)
  card = (tmp_path / 'model_card.md').read_text()
  assert 'commit 0a1b2c, with changes that are not committed' in card
  assert 'vectors of 512 bits' in card and 'Apache-2.0' in card
  assert 'compiled for haswell' in card
  assert 'Licence of the training data: my own' in card
  assert 'jax 0.10.2' in card
  summary = json.loads((tmp_path / 'report.json').read_text())
  assert summary['code'] == {'commit': '0a1b2c', 'changed': True}


def test_the_commit_is_that_of_this_repository():
  found = environment.code()
  if found:  # not where the package is installed
    assert re.fullmatch('[0-9a-f]{40}', found['commit'])
    assert isinstance(found['changed'], bool)
  assert environment.vector_bits() in (0, 128, 256, 512)


def test_what_kernels_are_compiled_for_is_recorded(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '')
  plain = environment.compiled_for()
  monkeypatch.setenv('NUMBA_CPU_NAME', 'haswell')
  monkeypatch.setenv('XLA_FLAGS', ' --a=1  --b=2')
  changed = 'NUMBA_CPU_NAME=haswell XLA_FLAGS=--a=1 --b=2'
  assert environment.compiled_for().replace(changed, '') == plain + ' '
  summary = summaries.summary(reported.result(compiled_for='haswell'))
  assert summary['compiled_for'] == 'haswell'


def test_each_number_has_one_row_with_all_its_names():
  summary = summaries.summary(reported.result())
  rows = write.table(summary).columns[0]._cells
  assert rows == [
    'uar (recall, sensitivity)',
    'uf1 (f1)',
    'accuracy (war)',
    'precision',
    'specificity',
  ]
  for key, others in metrics.NAMES.items():
    assert {summary['metrics'][x] for x in others} <= {summary['metrics'][key]}
  named = {x for key, others in metrics.NAMES.items() for x in (key, *others)}
  assert named == set(summary['metrics'])


def test_one_subject_and_one_epoch_are_reported(tmp_path):
  result = reported.result(subject=('s1',) * 24, history=reported.history()[:1])
  summary = protocol.report(tmp_path, result)
  assert summary['intervals']['uar'] is None
  assert json.loads((tmp_path / 'report.json').read_text())['verdict']
  assert 'one subject' in reported.terminal(result)


def test_importing_is_cheap():
  code = (
    'import sys; from mefnet_jax.report import figures, write; '
    'from mefnet_jax.evaluation import folds; '
    "assert not {'jax', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_a_report_that_is_none_is_one_line(workdir, tmp_path):
  summary = json.loads((workdir / 'report.json').read_text())
  path = tmp_path / 'report.json'
  for content, words in (
    ({'release': 'real'}, 'no "metrics"'),
    ({k: x for k, x in summary.items() if k != 'model'}, 'no model'),
    ([], 'not a JSON object'),
  ):
    path.write_text(json.dumps(content))
    with pytest.raises(errors.UserError, match=words):
      write.page(tmp_path)
  assert not (tmp_path / 'report.html').exists()


def test_show_faces_is_a_flag_of_the_page(tmp_path):
  words = ['page', tmp_path / 'none', '--show-faces']
  done = forked.run('mefnet_jax.report', words)
  assert done.returncode == 1
  assert 'none' in done.stderr and 'Unknown' not in done.stderr
