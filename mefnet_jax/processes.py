"""Several processes that train one run together, by `jax.distributed`.

Each process has its devices; `parallel.py` spreads members or batches over all
of them. The first process alone writes; all must see one --workdir and cache.
"""

import jax
import numpy as np
from jax.experimental import multihost_utils

from mefnet_jax import errors


def start(coordinator: str, processes: int, index: int):
  """Joins the processes of a run; 'auto' asks the cluster (SLURM, MPI, ...).

  Args:
    coordinator: host:port of the first process, or 'auto'.
    processes: how many there are; not used with 'auto'.
    index: which this is, from 0; not used with 'auto'.

  Raises:
    UserError: flags that do not fit together, or nobody there.
  """
  try:
    if coordinator == 'auto':
      jax.distributed.initialize()
      return
    if not 0 <= index < processes:
      raise errors.UserError(
        f'--process={index} of --processes={processes}: the first is 0'
      )
    jax.distributed.initialize(coordinator, processes, index)
  except (RuntimeError, ValueError) as error:
    said = str(error).strip().splitlines()[0]
    if coordinator == 'auto':
      said = (
        'no job of a cluster is seen here: give --coordinator=HOST:PORT '
        f'--processes=N --process=I ({said})'
      )
    raise errors.UserError(f'--coordinator={coordinator}: {said}') from error


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
