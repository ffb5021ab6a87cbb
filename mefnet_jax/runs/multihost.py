"""Trains one run with several processes, connected by `jax.distributed`.

Each process has its own devices; `parallel.py` spreads members or batches over
all of them. Only the first process writes files. All processes need access to
the same --workdir and cache.
"""

import os
import socket
import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from mefnet_jax.runs import errors, process_watch

_TIMEOUT = 300.0  # seconds to wait for the first process


def start(coordinator: str | None, processes: int, index: int) -> None:
  """Connects this process with the others of a run.

  Args:
    coordinator: host:port of the first process; 'auto' to ask the cluster
      (SLURM, MPI, ...); None for a single process.
    processes: number of processes; not used with 'auto'.
    index: number of this process, from 0; not used with 'auto'.

  Raises:
    UserError: the flags contradict each other, or the first process cannot be
      reached.
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
      _watch_peers('')
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
    _watch_peers(host)
  except (RuntimeError, ValueError) as error:
    reason = str(error).strip().splitlines()[0]
    if coordinator == 'auto':
      reason = (
        'this is not a job of a known cluster: give --coordinator=HOST:PORT '
        f'--processes=N --process=I ({reason})'
      )
    raise errors.UserError(f'--coordinator={coordinator}: {reason}') from error


def _watch_peers(host):
  """Ends this process when another one dies; `host` is that of the first."""
  if jax.process_count() == 1:
    return
  # The port and the four bytes of an IPv4 address: collectives send numbers.
  address = [0] * 5
  if is_first():
    mine = socket.gethostbyname(socket.gethostname())
    address = [
      process_watch.listen(jax.process_count() - 1),
      *socket.inet_aton(mine),
    ]
  numbers = np.asarray(address, np.int32)
  port, *first = multihost_utils.broadcast_one_to_all(numbers).tolist()
  if not is_first():
    process_watch.connect(host or socket.inet_ntoa(bytes(first)), port)


def _devices():
  """The local devices of a process on a cluster, for `jax.distributed`.

  [], all devices, if SLURM starts one process per node; else None, the one
  device with the number of the process.
  """
  tasks = os.environ.get('SLURM_NTASKS')
  return (
    [] if tasks and tasks == os.environ.get('SLURM_STEP_NUM_NODES') else None
  )


def _address(coordinator):
  """(host, port), validated here because jax crashes on invalid addresses."""
  host, _, port = coordinator.rpartition(':')
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise errors.UserError(
      f'--coordinator={coordinator}: give HOST:PORT of the first process, or '
      'auto'
    )
  return host.strip('[]'), int(port)


def _check_free(coordinator, port):
  """Raises UserError if another program listens on the port."""
  try:
    socket.create_server(('', port)).close()
  except OSError as error:
    raise errors.UserError(
      f'--coordinator={coordinator}: port {port} of this machine is not free '
      f'({error.strerror}): choose another one for all processes'
    ) from error


def _wait_for(coordinator, host, port):
  """Returns as soon as the first process accepts connections."""
  deadline = time.monotonic() + _TIMEOUT
  while True:
    try:
      socket.create_connection((host, port), 5).close()
      return
    except OSError as error:
      unknown = isinstance(error, socket.gaierror)
      if unknown or time.monotonic() > deadline:
        raise errors.UserError(
          f'--coordinator={coordinator}: no process answers ({error}): start '
          'the first process, --process=0, on that machine'
        ) from error
    time.sleep(0.2)


def is_first() -> bool:
  """Returns whether this is the process that writes files."""
  return jax.process_index() == 0


def wait(name: str) -> None:
  """Waits until all processes have reached the barrier with that name."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def any_of(flag: bool) -> bool:
  """Returns whether the flag is set in any process; all of them must call."""
  if jax.process_count() == 1:
    return flag
  return bool(multihost_utils.process_allgather(np.asarray(flag)).any())
