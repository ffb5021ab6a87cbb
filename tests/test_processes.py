"""Two processes train one run together, and say what one process says."""

import csv
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests import test_main

SHORT = ['--config.train.epochs=2']


def free_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def together(release, workdir, env, *more):
  """The exit statuses and texts of two processes with one workdir."""
  port = free_port()
  command = test_main.command(workdir, release, *more)
  flags = [f'--coordinator=127.0.0.1:{port}', '--processes=2']
  running = [
    subprocess.Popen(
      [*command, *flags, f'--process={i}'],
      env=env,
      cwd=test_main.ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    for i in range(2)
  ]
  texts = [one.communicate(timeout=400)[0] for one in running]
  return [one.returncode for one in running], texts


def table(workdir):
  with open(workdir / 'predictions.csv', newline='') as stream:
    rows = list(csv.DictReader(stream))
  names = [name for name in rows[0] if name.startswith('prob_')]
  return np.array([[float(row[name]) for name in names] for row in rows])


@pytest.fixture(scope='module')
def env(tmp_path_factory):
  cache = tmp_path_factory.mktemp('cache')
  return {**os.environ, 'MEFNET_CACHE': str(cache), 'JAX_PLATFORMS': 'cpu'}


@pytest.fixture(scope='module')
def alone(tiny_smic, env, tmp_path_factory):
  """The table of one process."""
  workdir = tmp_path_factory.mktemp('one') / 'w'
  done = test_main.run(workdir, tiny_smic, *SHORT, env=env)
  assert done.returncode == 0, done.stderr
  return table(workdir)


@pytest.mark.parametrize('mode', ['folds', 'batch'])
def test_two_processes_are_one(alone, tiny_smic, env, tmp_path, mode):
  flags = [f'--config.train.parallel={mode}', *SHORT]
  statuses, texts = together(tiny_smic, tmp_path, env, *flags)
  assert statuses == [0, 0], '\n'.join(texts)
  assert 'UAR' in texts[0]
  assert 'UAR' not in texts[1]
  np.testing.assert_allclose(table(tmp_path), alone, atol=1e-3)


def test_a_wrong_number_of_a_process_is_one_line(tiny_smic, env, tmp_path):
  done = subprocess.run(
    [
      sys.executable,
      *test_main.command(tmp_path, tiny_smic)[1:],
      '--coordinator=127.0.0.1:1',
      '--processes=2',
      '--process=2',
    ],
    env=env,
    cwd=test_main.ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  test_main.mistake(done, '--process=2')
