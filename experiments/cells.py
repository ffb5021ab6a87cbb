"""Computes the cells of a study: here, in a SLURM array, or on a Dask cluster.

A cell has a name, and a function that computes it and leaves the result in a
folder of its own. All machines must see that folder under the same name. A
finished cell is not computed again, so a study that was stopped goes on when
the same command is given again, with or without a cluster.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence

from mefnet_jax.preprocess import dask_pool
from mefnet_jax.runs import errors

SLURM = 'slurm'
HELP = (
  "where the cells are computed: 'slurm' in a task of an array, or the address "
  "of a Dask scheduler; '': this machine"
)


def run(
  cells: Mapping[str, Callable[..., object]],
  is_done: Callable[[str], bool],
  *,
  cluster: str = '',
  stop: threading.Event | None = None,
  after: Callable[[str], None] = lambda name: None,
  here: Callable[[Sequence[str]], None] | None = None,
) -> None:
  """Computes the cells that are not finished.

  Args:
    cells: what computes a cell, by its name; of a finished one it only checks
      that it was made with the same settings. On a Dask cluster it is sent to
      a worker: make it of a function of an importable module and `partial`.
    is_done: whether the cell of that name is finished.
    cluster: '', 'slurm', or the address of a Dask scheduler.
    stop: given to a cell as `stop=`, unless it is computed on a worker.
    after: called with the name of each cell that has been computed.
    here: computes the cells of these names in this process; by default one
      after the other. Not used on a Dask cluster.

  Raises:
    errors.UserError: cells were lost, which are named; there is no such
      cluster, or this is no task of an array.
    SystemExit: with status 0, in an array whose other tasks have not finished:
      there is no whole table yet.
  """
  mine = list(cells)
  if cluster == SLURM:
    mine = share(mine, os.environ)
  if cluster not in ('', SLURM):
    _on_dask(cells, is_done, cluster, after)
  elif here is not None:
    here(mine)
  else:
    for number, name in enumerate(mine, 1):
      print(f'[{number}/{len(mine)}] {name}', flush=True)
      was_done = is_done(name)
      cells[name](**({'stop': stop} if stop else {}))
      if not was_done:
        after(name)
  if left := [name for name in cells if not is_done(name)]:
    print(
      f'{len(left)} of {len(cells)} cells are left to other tasks of the '
      'array; the last one writes the table',
      flush=True,
    )
    raise SystemExit(0)


def share(names: Sequence[str], environment: Mapping[str, str]) -> list[str]:
  """Returns the cells of this task of a SLURM array.

  Args:
    names: of all cells.
    environment: SLURM_ARRAY_TASK_ID, _COUNT, and, unless they are 0 and 1,
      _MIN and _STEP.

  Raises:
    errors.UserError: this is no such task, or the array's numbers have gaps.
  """
  prefix = 'SLURM_ARRAY_TASK_'
  try:
    number = int(environment[f'{prefix}ID'])
    count = int(environment[f'{prefix}COUNT'])
    first = int(environment.get(f'{prefix}MIN', 0))
    step = int(environment.get(f'{prefix}STEP', 1))
  except (KeyError, ValueError):
    raise errors.UserError(
      f'--cluster={SLURM}: {prefix}ID and {prefix}COUNT are not set: start it '
      'with `sbatch --array=0-15 SCRIPT`'
    ) from None
  place, rest = divmod(number - first, max(step, 1))
  if rest or not 0 <= place < count:
    raise errors.UserError(
      f'--cluster={SLURM}: task {number} of {count} from {first} on: cells '
      'would be left out: give numbers without gaps, as --array=0-15'
    )
  return list(names[place::count])


def _on_dask(cells, is_done, address, after):
  """Computes cells on the workers of a Dask cluster, one cell a task.

  Dask gives the cell of a worker that died to another one, up to three times.
  """
  todo = []
  for name, cell in cells.items():
    if is_done(name):
      cell()
    else:
      todo.append(name)
  if not todo:
    return
  client = dask_pool.connect(address)
  lost = {}
  try:
    import dask.distributed as dask

    # Not pure, or Dask would take two equal cells for one task.
    futures = {client.submit(cells[name], pure=False): name for name in todo}
    over = dask.as_completed(futures, loop=client.loop)
    for number, future in enumerate(over, 1):
      name = futures[future]
      print(f'[{number}/{len(todo)}] {name}', flush=True)
      if why := _why_lost(future, is_done, name):
        lost[name] = why
      else:
        after(name)
  finally:
    client.close()
  for name, why in lost.items():
    print(f'lost: {name} ({why})', flush=True)
  if lost:
    raise errors.UserError(
      f'--cluster={address}: {len(lost)} of {len(cells)} cells were lost: '
      f'{", ".join(lost)}: give the same command again for these'
    )


def _why_lost(future, is_done, name):
  """Why a cell that is over has no result; '' if it has one."""
  import dask.distributed as dask

  try:
    future.result()
  except (Exception, dask.CancelledError) as error:  # whatever a worker met
    return ' '.join(str(error).split())[:200] or type(error).__name__
  if not is_done(name):
    return 'its files are not here: does the worker see the same folder?'
  return ''
