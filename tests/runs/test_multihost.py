"""Two processes train one run together, and say what one process says."""

import csv
import os
import socket
import time

import jax
import numpy as np
import pytest

from mefnet_jax.runs import errors, multihost, process_watch
from tests.fixtures import commands, forked, stand_ins


def free_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def by_flags(port, i):
  address = f'--coordinator=127.0.0.1:{port}'
  return [address, '--processes=2', f'--process={i}'], {}


def by_slurm(port, i):
  """The variables that srun sets, and no flag but one."""
  names = ('JOB_ID', 'STEP_NODELIST', 'NTASKS', 'PROCID', 'LOCALID')
  values = ('7', 'localhost', '2', str(i), str(i))
  variables = {f'SLURM_{n}': v for n, v in zip(names, values, strict=True)}
  variables |= {'SLURM_STEP_NUM_NODES': '1', 'JAX_COORDINATOR_PORT': str(port)}
  return ['--coordinator=auto'], variables


def two(words, folder, env, how):
  """Two processes, and the folders of what they say."""
  port, running = free_port(), []
  said = [folder / f'said{i}' for i in range(2)]
  for i, place in enumerate(said):
    place.mkdir()
    flags, variables = how(port, i)
    running.append(
      forked.start(
        'mefnet_jax.main',
        [*words, *flags],
        place,
        env=env | variables,
        cwd=commands.ROOT,
        before=stand_ins.draw_nothing,
      )
    )
  return running, said


def together(release, folder, env, how, *more):
  """The exit statuses and texts of two processes with one workdir."""
  words = commands.words(folder / 'w', release, *more)
  running, said = two(words, folder, env, how)
  for one in running:
    one.join(400)
  texts = [
    ''.join((place / name).read_text() for name in ('stdout', 'stderr'))
    for place in said
  ]
  return [one.exitcode for one in running], texts


def table(workdir):
  with open(workdir / 'predictions.csv', newline='') as stream:
    rows = list(csv.DictReader(stream))
  names = [name for name in rows[0] if name.startswith('prob_')]
  return np.array([[float(row[name]) for name in names] for row in rows])


@pytest.fixture(scope='module')
def env():
  return {**os.environ, 'JAX_PLATFORMS': 'cpu'}


@pytest.fixture(scope='module')
def alone(tiny_smic, env, whole_run, tmp_path_factory):
  """The table of one process."""
  if jax.default_backend() == 'cpu':  # then that run had no other device
    return table(whole_run / 'w')
  workdir = tmp_path_factory.mktemp('one') / 'w'
  done = commands.run(workdir, tiny_smic, env=env)
  assert done.returncode == 0, done.stderr
  return table(workdir)


@pytest.mark.parametrize(
  ('mode', 'start'),
  [
    ('folds', by_flags),
    pytest.param('batch', by_slurm, marks=pytest.mark.slow),
  ],
)
def test_two_processes_are_one(alone, tiny_smic, env, tmp_path, mode, start):
  flag = f'--config.train.parallel={mode}'
  statuses, texts = together(tiny_smic, tmp_path, env, start, flag)
  assert statuses == [0, 0], '\n'.join(texts)
  assert 'UAR' in texts[0]
  assert 'UAR' not in texts[1]
  np.testing.assert_allclose(table(tmp_path / 'w'), alone, atol=1e-3)


@pytest.mark.parametrize(
  ('coordinator', 'count', 'index', 'said'),
  [
    ('127.0.0.1:1', 2, 2, '--process=2 of --processes=2'),
    ('127.0.0.1:1', 2, -1, '--process=-1'),
    ('', 2, 0, '--processes=2.*--coordinator=HOST:PORT'),
    ('', 1, 1, '--process=1.*--coordinator=HOST:PORT'),
    ('127.0.0.1', 2, 0, 'HOST:PORT'),
    ('127.0.0.1:', 2, 0, 'HOST:PORT'),
    (':7000', 2, 1, 'HOST:PORT'),
    ('127.0.0.1:99999', 2, 1, 'HOST:PORT'),
    ('auto', 2, 0, 'this is not a job of a known cluster'),
  ],
)
def test_flags_that_do_not_fit_are_one_line(coordinator, count, index, said):
  with pytest.raises(errors.UserError, match=said):
    multihost.start(coordinator, count, index)


def test_a_taken_port_is_one_line():
  """Not the crash that jax leaves with."""
  with socket.create_server(('', 0)) as taken:
    port = taken.getsockname()[1]
    with pytest.raises(errors.UserError, match=f'port {port}.*choose another'):
      multihost.start(f'127.0.0.1:{port}', 2, 0)


def test_a_first_process_that_is_not_there_is_one_line(monkeypatch):
  monkeypatch.setattr(multihost, '_TIMEOUT', 0.3)
  for address in (f'127.0.0.1:{free_port()}', 'no.such.host.invalid:7000'):
    with pytest.raises(
      errors.UserError, match=f'{address}: no process answers'
    ):
      multihost.start(address, 2, 1)


@pytest.mark.parametrize(('nodes', 'devices'), [('2', []), ('1', None)])
def test_one_process_a_node_takes_all_its_devices(monkeypatch, nodes, devices):
  """Several on a node take one each, as jax does by itself."""
  monkeypatch.setenv('SLURM_NTASKS', '2')
  monkeypatch.setenv('SLURM_STEP_NUM_NODES', nodes)
  given = []
  monkeypatch.setattr(
    multihost.jax.distributed, 'initialize', lambda **how: given.append(how)
  )
  multihost.start('auto', 1, 0)
  assert given == [{'local_device_ids': devices}]


def test_the_death_of_a_process_ends_the_other_in_one_line(
  tiny_smic, env, tmp_path
):
  """Soon, with a known status, and without the log of another language."""
  flags = ['--config.train.epochs=500', '--config.train.parallel=folds']
  words = commands.words(tmp_path / 'w', tiny_smic, *flags)
  running, said = two(words, tmp_path, env, by_flags)
  folder = tmp_path / 'w' / 'checkpoints' / 'seed0'
  deadline = time.monotonic() + 240
  while not any(folder.glob('0*')) and time.monotonic() < deadline:
    assert all(one.is_alive() for one in running)
    time.sleep(0.1)
  running[1].kill()
  killed = time.monotonic()
  running[0].join(60)
  assert time.monotonic() - killed < 20
  assert running[0].exitcode == process_watch.LOST
  lines = (said[0] / 'stderr').read_text().splitlines()
  assert len(lines) == 1, '\n'.join(lines)
  assert lines[0].startswith('error: ') and 'to resume' in lines[0]
  running[1].join()
