"""The commands as a user meets them: runs, stops, mistakes."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.fixtures import commands, forked


@pytest.fixture(scope='module')
def env():
  return dict(os.environ)


@pytest.fixture(scope='module')
def finished(whole_run, tmp_path_factory):
  """The folder of a whole run on the tiny release."""
  return shutil.copytree(whole_run / 'w', tmp_path_factory.mktemp('run') / 'w')


def test_a_run_leaves_what_the_design_says(whole_run):
  workdir = whole_run / 'w'
  stdout = (whole_run / 'stdout').read_text()
  report = json.loads((workdir / 'report.json').read_text())
  assert report['release'] == 'synthetic'
  assert report['protocol'] == 'kfold'
  assert report['selection'] == 'last'
  assert report['clips'] == 9
  assert set(report['metrics']) == set(report['intervals'])
  text = (workdir / 'predictions.csv').read_text()
  rows = list(csv.DictReader(text.splitlines()))
  assert len({row['clip'] for row in rows}) == 9
  for name in ('report.html', 'config.json', 'metrics.jsonl', 'findings.csv'):
    assert (workdir / name).stat().st_size > 0
  for name in ('checkpoints', 'tensorboard', 'figures'):
    assert any((workdir / name).iterdir())
  assert 'SYNTHETIC' in stdout
  assert len(re.findall('^kernels: (?:cpu|xla)', stdout, re.MULTILINE)) == 1
  assert 'SYNTHETIC' in (workdir / 'report.html').read_text()
  assert 'majority class' in stdout
  # Nothing but the progress of a preparation that the cache did not spare.
  for line in (whole_run / 'stderr').read_text().splitlines():
    assert line.startswith('Preparing clips ')


@pytest.mark.slow  # a run that is stopped gives them too, below
def test_the_same_seed_gives_the_same_predictions(
  finished, tiny_smic, env, tmp_path
):
  assert commands.run(tmp_path, tiny_smic, env=env).returncode == 0
  assert commands.predictions(tmp_path) == commands.predictions(finished)


@pytest.mark.parametrize(
  'how', [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_a_stopped_run_goes_on_to_the_same_bits(
  finished, tiny_smic, env, tmp_path, how
):
  (tmp_path / 'said').mkdir()
  process = forked.start(
    'mefnet_jax.main',
    commands.words(tmp_path, tiny_smic),
    tmp_path / 'said',
    env=env,
    cwd=commands.ROOT,
  )
  checkpoints = tmp_path / 'checkpoints' / 'seed0'
  while not (checkpoints / '000001').exists() and process.is_alive():
    time.sleep(0.01)
  os.kill(process.pid, how)
  process.join(120)
  assert process.exitcode == (143 if how == signal.SIGTERM else -9)
  assert not (tmp_path / 'predictions.csv').exists()
  done = commands.run(tmp_path, tiny_smic, env=env)
  assert done.returncode == 0, done.stderr
  assert re.search(r'resumes after epoch [1-3]', done.stdout)
  assert commands.predictions(tmp_path) == commands.predictions(finished)
  metrics = (tmp_path / 'metrics.jsonl').read_bytes()
  assert metrics == (finished / 'metrics.jsonl').read_bytes()


def test_a_finished_run_is_not_trained_again(finished, tiny_smic, env):
  before = commands.predictions(finished)
  done = commands.run(finished, tiny_smic, env=env)
  assert done.returncode == 0
  assert 'epoch 1' not in done.stdout
  assert commands.predictions(finished) == before


def mistake(done, *words):
  """One line, exit 1, no traceback."""
  assert done.returncode == 1, done.stdout + done.stderr
  lines = done.stderr.strip().splitlines()
  assert len(lines) == 1, done.stderr
  assert lines[0].startswith('error: ')
  for word in words:
    assert word in lines[0]


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--config.train.epoch=3', ['--config.train.epoch:', "'epochs'"]),
    ('--config.nothing=3', ['--config.nothing', 'no such field']),
    ('--config.model.filters=99999999', ['GB', '--config.model.filters']),
    ('--config.train.epochs=many', ['epochs']),
    ('--config.protocol.folds=9', ['9', '3 subjects']),
    ('--config.input=flow', ['flow', '--config.dataset.flow=dis']),
    ('--no_such_flag', ['no_such_flag']),
    ('stray', ['stray']),
    ('--config.dataset.name=casme', ['casme', 'smic']),
    ('--config.dataset.detector=haar', ['haar', 'dlib']),
    ('--config.dataset.flow=lk', ['lk', 'farneback']),
    ('--config.protocol.name=cross_database', ['two databases']),
  ],
)
def test_a_mistake_in_the_flags_is_one_line(
  tiny_smic, env, tmp_path, flag, words
):
  done = commands.run(tmp_path / 'w', tiny_smic, flag, env=env)
  mistake(done, *words)
  assert not (tmp_path / 'w' / 'predictions.csv').exists()


def test_a_mended_mistake_may_use_the_same_workdir(tiny_smic, env, tmp_path):
  mistake(
    commands.run(tmp_path, tiny_smic, '--config.dataset.name=casme', env=env)
  )
  other = commands.run(
    tmp_path, tiny_smic, '--config.protocol.folds=9', env=env
  )
  mistake(other, '3 subjects')  # and not that the workdir is another's


def test_a_missing_config_is_one_line(tiny_smic, env, tmp_path):
  mistake(
    commands.run_anew(tmp_path, tiny_smic, config='configs/none.py', env=env),
    'configs/none.py',
  )


def test_another_config_in_an_old_workdir_is_refused(finished, tiny_smic, env):
  before = commands.predictions(finished)
  done = commands.run(finished, tiny_smic, '--config.train.epochs=5', env=env)
  mistake(done, 'train.epochs: 4, now 5', '--workdir')
  assert commands.predictions(finished) == before


@pytest.mark.parametrize('kind', ['missing', 'empty', 'other', 'file'])
def test_an_unusable_release_is_one_line(env, tmp_path, kind):
  release = tmp_path / 'release'
  if kind == 'file':
    release.write_text('not a folder')
  elif kind != 'missing':
    release.mkdir()
  if kind == 'other':
    (release / 'holiday').mkdir()
    (release / 'holiday' / 'beach.jpg').write_bytes(b'x')
  mistake(commands.run(tmp_path / 'w', release, env=env), str(release))


def test_two_runs_in_one_workdir_are_refused(tiny_smic, env, tmp_path):
  from mefnet_jax.runs import workdirs

  with workdirs.locked(tmp_path):
    mistake(commands.run(tmp_path, tiny_smic, env=env), 'in use by another run')


def test_help_is_quick_and_names_the_flags():
  before = os.times()
  done = subprocess.run(
    [sys.executable, '-m', 'mefnet_jax.main', '--help'],
    cwd=commands.ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert '--config' in done.stdout
  assert '--workdir' in done.stdout
  after = os.times()
  took = after.children_user - before.children_user
  assert 0 < took + after.children_system - before.children_system < 1
