"""Several processes that train one run together, by `jax.distributed`.

Each process has its devices; `parallel.py` spreads members or batches over all
of them. The first process alone writes; all must see one --workdir and cache.
"""

import os
import socket
import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from mefnet_jax.runs import errors

_PATIENCE = 300.0  # seconds for the first process to appear


def start(coordinator: str | None, processes: int, index: int):
  """Joins the processes of a run; 'auto' asks the cluster (SLURM, MPI, ...).

  Args:
    coordinator: host:port of the first process, or 'auto'; none for one
      process by itself.
    processes: how many there are; not used with 'auto'.
    index: which this is, from 0; not used with 'auto'.

  Raises:
    UserError: flags that do not fit together, or nobody there.
  """
  if not coordinator:
    if (processes, index) != (1, 0):
      raise errors.UserError(
        f'--processes={processes} --process={index}: give the address of the '
        'first, --coordinator=HOST:PORT'
      )
    return
  try:
    if coordinator == 'auto':
      jax.distributed.initialize(local_device_ids=_devices())
      return
    if not 0 <= index < processes:
      raise errors.UserError(
        f'--process={index} of --processes={processes}: the first is 0'
      )
    host, port = _address(coordinator)
    if index == 0:
      _check_free(coordinator, port)
    else:
      _wait_for(coordinator, host, port)
    jax.distributed.initialize(coordinator, processes, index)
  except (RuntimeError, ValueError) as error:
    said = str(error).strip().splitlines()[0]
    if coordinator == 'auto':
      said = (
        'no job of a cluster is seen here: give --coordinator=HOST:PORT '
        f'--processes=N --process=I ({said})'
      )
    raise errors.UserError(f'--coordinator={coordinator}: {said}') from error


def _devices():
  """Those that a process of a cluster takes: by default the one of its number.

  All of a node's ([], as jax has it) where SLURM starts one process a node.
  """
  tasks = os.environ.get('SLURM_NTASKS')
  return (
    [] if tasks and tasks == os.environ.get('SLURM_STEP_NUM_NODES') else None
  )


def _address(coordinator):
  """(host, port); what jax answers with a crash is refused here and below."""
  host, _, port = coordinator.rpartition(':')
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise errors.UserError(
      f'--coordinator={coordinator}: HOST:PORT of the first process, or auto'
    )
  return host.strip('[]'), int(port)


def _check_free(coordinator, port):
  try:
    socket.create_server(('', port)).close()
  except OSError as error:
    raise errors.UserError(
      f'--coordinator={coordinator}: port {port} of this machine cannot be had '
      f'({error.strerror}): choose another, in all processes'
    ) from error


def _wait_for(coordinator, host, port):
  """Returns as soon as the first process listens."""
  deadline = time.monotonic() + _PATIENCE
  while True:
    try:
      socket.create_connection((host, port), 5).close()
      return
    except OSError as error:
      unknown = isinstance(error, socket.gaierror)
      if unknown or time.monotonic() > deadline:
        raise errors.UserError(
          f'--coordinator={coordinator}: nobody answers there ({error}): start '
          'the first process, --process=0, on that machine'
        ) from error
    time.sleep(0.2)


def is_first() -> bool:
  """Whether this process writes."""
  return jax.process_index() == 0


def wait(name: str):
  """Waits until all processes are here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def any_of(flag: bool) -> bool:
  """Whether the flag is set in any process."""
  if jax.process_count() == 1:
    return flag
  return bool(multihost_utils.process_allgather(np.asarray(flag)).any())
