"""Prepares clips on a Dask cluster, with the same result as on one machine.

Dask runs on one machine, on SLURM (dask-jobqueue) or in a cloud. Each clip is a
task of its own: if a worker dies, others take over the clips that it had begun.
"""

import os
import typing

from mefnet_jax.preprocess import clip_records, clips
from mefnet_jax.runs import errors

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence

  import dask.distributed as dask


_SECONDS = 20  # to find the scheduler


def prepared(
  clip_rows: 'Sequence[clip_records.Row]', options: clips.Options, address: str
) -> 'Iterator[clips.Prepared]':
  """Yields one `clips.Prepared` a row, in the order of the rows.

  Args:
    clip_rows: the clips; the workers must see the same files.
    options: the options of the preparation.
    address: the scheduler's address, 'tcp://10.0.0.1:8786', or a file that it
      wrote (`dask scheduler --scheduler-file`).

  Raises:
    errors.UserError: Dask is not installed, no scheduler answers, it has no
      workers, or several workers died with the same clip.
  """
  client = connect(address)
  try:
    # Not pure, or Dask would take two equal rows for one task.
    futures = client.map(
      _one, clip_rows, how=options, pure=False, retries=2, batch_size=64
    )
    # In the order of the rows, so that the result does not depend on the
    # workers.
    for future, row in zip(futures, clip_rows, strict=True):
      yield _result(future, row, address)
      future.release()
  finally:
    client.close()


def connect(address: str) -> 'dask.Client':
  """Connects to a scheduler that has at least one worker.

  Args:
    address: as for `prepared`.

  Raises:
    errors.UserError: Dask is not installed, no scheduler answers, or it has no
      workers.
  """
  try:
    import dask.distributed as dask  # 1 s, needed by few
  except ImportError as error:
    raise errors.UserError(
      f"--cluster={address} needs Dask ({error}): pip install 'dask"
      "[distributed]' here and on the workers"
    ) from None
  kind = {'address': address}
  if address.endswith('.json'):
    kind = {'scheduler_file': address}
  try:
    if 'scheduler_file' in kind:
      os.stat(address)  # Dask would wait for it for ever
    client = dask.Client(**kind, timeout=_SECONDS, set_as_default=False)
    client.wait_for_workers(1, timeout=_SECONDS)
  except (OSError, ValueError, TimeoutError) as error:
    why = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'--cluster={address}: no scheduler with workers there ({why}); start '
      'them with `dask scheduler` and `dask worker ADDRESS`'
    ) from None
  return client


def _one(row, how):
  """Runs on a worker."""
  clips.use_one_thread()
  return clips.prepare(row, how)


def _result(future, row, address):
  try:
    return future.result()
  except errors.UserError:
    raise
  except Exception as error:  # Dask's own, or of any kind from a worker
    why = ' '.join(str(error).split())[:200] or type(error).__name__
    raise errors.UserError(
      f'--cluster={address}: clip {row.clip} was lost ({why}); look at the '
      "workers' logs: the same versions, the same files, enough memory?"
    ) from None
