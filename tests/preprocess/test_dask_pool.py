"""Preparing on a Dask cluster: the same bits, and workers may die."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from mefnet_jax.preprocess import clips, pool
from mefnet_jax.runs import errors
from tests.fixtures import clusters

dask = pytest.importorskip('dask.distributed')
pytestmark = clusters.QUIET

SMALL = clips.Options(frames=6, face=16, eyes=8, mouth=8, flow='dis')


@pytest.fixture(scope='module')
def cluster():
  with clusters.local() as made:
    yield made


def same(one, other):
  for a, b in zip(one, other, strict=True):
    assert (a.clip, a.findings) == (b.clip, b.findings)
    for name in a.streams:
      np.testing.assert_array_equal(a.streams[name], b.streams[name])


def test_a_cluster_makes_the_same_clips_though_a_worker_dies(cluster, rendered):
  some = rendered[:2]
  here = pool.prepare(some, SMALL, workers=1)
  address = cluster.scheduler_address

  def kill():
    time.sleep(0.5)
    with dask.Client(address, set_as_default=False) as client:
      pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)

  killer = threading.Thread(target=kill)
  killer.start()
  there = pool.prepare(some * 3, SMALL, cluster=address)
  killer.join()
  for start in (0, 2, 4):
    same(here, there[start : start + 2])


def test_a_cluster_that_is_not_there_is_one_line(rendered, monkeypatch):
  from mefnet_jax.preprocess import dask_pool

  monkeypatch.setattr(dask_pool, '_SECONDS', 0.5)
  for address in ('tcp://127.0.0.1:1', 'nonsense', 'no/such/file.json'):
    with pytest.raises(errors.UserError, match='no scheduler with workers'):
      pool.prepare(rendered[:1], SMALL, cluster=address)
