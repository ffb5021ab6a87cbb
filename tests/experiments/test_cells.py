"""Cells of a study on a cluster: the same results, and workers may die."""

import functools
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from experiments import cells
from mefnet_jax.runs import errors
from tests.fixtures import clusters, square

dask = pytest.importorskip('dask.distributed')
pytestmark = clusters.QUIET

ROOT = pathlib.Path(__file__).parents[2]
NAMES = [f'c{i}' for i in range(5)]


@pytest.fixture(scope='module')
def address():
  with clusters.local() as made:
    yield made.scheduler_address


def made(out, **options):
  """Computes the squares of 0 to 4; returns what lies in the folder."""
  cells.run(
    {
      name: functools.partial(square.write, i, out / name)
      for i, name in enumerate(NAMES)
    },
    lambda name: (out / name).exists(),
    **options,
  )
  return {path.name: path.read_bytes() for path in out.glob('c*')}


def test_a_cluster_gives_the_bytes_of_one_machine_though_a_worker_dies(
  address, tmp_path, capsys
):
  """The worker of c3 kills itself once; c3 is computed by another one."""
  here, there = tmp_path / 'here', tmp_path / 'there'
  here.mkdir(), there.mkdir()
  local = made(here)
  (there / 'die-at-3').touch()
  after = []
  assert made(there, cluster=address, after=after.append) == local
  assert not (there / 'die-at-3').exists()  # so a worker did die
  assert sorted(after) == NAMES and len(local) == 5
  assert '[5/5]' in capsys.readouterr().out


def test_a_lost_cell_is_named_and_computed_at_the_next_start(
  address, tmp_path, capsys
):
  (tmp_path / 'fail-at-2').touch()
  with pytest.raises(errors.UserError, match='1 of 5 cells were lost: c2: '):
    made(tmp_path, cluster=address)
  assert 'lost: c2 (no square today)' in capsys.readouterr().out
  assert {path.name for path in tmp_path.glob('c*')} == {*NAMES} - {'c2'}
  (tmp_path / 'fail-at-2').unlink()
  after = []
  assert len(made(tmp_path, cluster=address, after=after.append)) == 5
  assert after == ['c2']


def test_an_array_shares_the_cells_among_its_tasks(tmp_path, monkeypatch):
  def task(number, **more):
    given = {'ID': number, 'COUNT': 2, 'MIN': 1, **more}
    for name, value in given.items():
      monkeypatch.setenv(f'SLURM_ARRAY_TASK_{name}', str(value))
    return made(tmp_path, cluster='slurm')

  with pytest.raises(SystemExit) as left:
    task(2)
  assert left.value.code == 0
  assert sorted(path.name for path in tmp_path.glob('c*')) == ['c1', 'c3']
  assert len(task(1)) == 5
  (tmp_path / 'c1').unlink()
  assert len(task(2, COUNT=1, MIN=2)) == 5  # that task alone, once more


@pytest.mark.parametrize(
  ('given', 'said'),
  [
    ({}, 'are not set'),
    ({'ID': '7', 'COUNT': '3', 'MIN': '1'}, 'without gaps'),
    ({'ID': '2', 'COUNT': '3', 'MIN': '1', 'STEP': '2'}, 'without gaps'),
  ],
)
def test_an_array_that_would_leave_cells_out_is_refused(given, said):
  named = {f'SLURM_ARRAY_TASK_{name}': x for name, x in given.items()}
  with pytest.raises(errors.UserError, match=said):
    cells.share(NAMES, named)


def test_every_cell_has_one_task():
  tasks = [
    cells.share(
      NAMES, {'SLURM_ARRAY_TASK_ID': str(i), 'SLURM_ARRAY_TASK_COUNT': '3'}
    )
    for i in range(3)
  ]
  assert sorted(sum(tasks, [])) == NAMES and len(tasks[0]) == 2


@pytest.mark.slow
def test_a_true_cell_on_a_cluster_is_that_of_one_machine(
  address, tmp_path, tiny_smic
):
  """Byte for byte what follows from the training, though a worker dies."""

  def study(out, *more):
    flags = '--small --epochs=2 --filters=2 --models=mecnn --convolutions=3d'
    flags += ' --spatial=1 --temporal=5 --pixels=16 --folds=2'
    return subprocess.Popen(
      [sys.executable, '-m', 'experiments.kernel_size', *flags.split()]
      + [f'--out={out}', f'--release={tiny_smic}', *more],
      cwd=ROOT,
    )

  assert study(tmp_path / 'here').wait(600) == 0
  running = study(tmp_path / 'there', f'--cluster={address}')
  place = ('cells', 'mecnn-3d-T18-k5x1x1')
  while not tmp_path.joinpath('there', *place, 'config.json').exists():
    time.sleep(0.05)
    assert running.poll() is None
  with dask.Client(address, set_as_default=False) as client:
    busy = [k for k, v in client.processing().items() if v]
    pids = client.run(os.getpid, workers=busy)
  for pid in pids.values():
    os.kill(pid, signal.SIGKILL)
  assert len(pids) == 1 and running.wait(600) == 0
  for name in ('config.json', 'predictions.csv', 'metrics.jsonl', 'folds.csv'):
    one, other = (
      tmp_path.joinpath(side, *place, name).read_bytes()
      for side in ('here', 'there')
    )
    assert one == other, name
