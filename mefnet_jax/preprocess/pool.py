"""Prepares all clips of a release, over processes."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import typing

import rich.progress

from mefnet_jax.preprocess import clip_records, clips, dask_pool
from mefnet_jax.runs import child_processes, environment, errors, progress_lines

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence


# A process takes about a second to start; fewer clips are not worth it.
_CLIPS_A_PROCESS = 8


def prepare(
  clip_rows: 'Sequence[clip_records.Row]',
  options: clips.Options,
  *,
  workers: int = 0,
  cluster: str = '',
  progress: rich.progress.Progress | None = None,
) -> list[clips.Prepared]:
  """Prepares clips; the result does not depend on the number of processes.

  Args:
    clip_rows: the clips.
    options: the options of the preparation.
    workers: number of processes; 0 takes one a core, 1 stays in this one.
    cluster: address of a Dask scheduler whose workers prepare them instead;
      they must see the same files under the same names (`dask_pool.prepared`).
    progress: a bar to add a task to; by default one on the terminal, if
      stderr is one.

  Returns:
    One `clips.Prepared` a row, in the order of the rows.

  Raises:
    errors.UserError: an option is invalid, or a process died.
  """
  options.check()
  if workers < 0:
    raise errors.UserError(
      f'--config.dataset.workers={workers}: must be 0 (one a core) or more'
    )
  results = []
  with bar(progress) as shown:
    task = shown.add_task('Preparing clips', total=len(clip_rows))
    if cluster:
      prepared = dask_pool.prepared(clip_rows, options, cluster)
    else:
      prepared = _prepared(clip_rows, options, workers)
    for one in prepared:
      results.append(one)
      shown.advance(task)
  return results


def refuse_spawned() -> None:
  """Raises RuntimeError in a process that the preparation has started.

  A spawned process imports the script that asked for the clips. If the script
  asks again at import, each of the two would wait for the other.
  """
  if getattr(multiprocessing.current_process(), '_inheriting', False):
    raise RuntimeError("prepare clips below `if __name__ == '__main__':`")


def bar(
  given: rich.progress.Progress | None,
) -> 'contextlib.AbstractContextManager[rich.progress.Progress]':
  """Returns the bar that was given, else one on stderr, or lines in a log."""
  if given is not None:
    return contextlib.nullcontext(given)
  return progress_lines.Progress()


def _prepared(clip_rows, options, workers) -> 'Iterator[clips.Prepared]':
  """Yields the prepared clips, in the order of the rows."""
  most = -(-len(clip_rows) // _CLIPS_A_PROCESS)
  workers = min(workers or environment.cores(), most)
  one = functools.partial(clips.prepare, how=options)
  if workers <= 1 or not child_processes.allowed():
    yield from map(one, clip_rows)
    return
  # spawn: a fork of a process with threads (JAX has some) may hang.
  pool = concurrent.futures.ProcessPoolExecutor(
    workers,
    mp_context=multiprocessing.get_context('spawn'),
    initializer=_start,
  )
  try:
    # Small chunks: clips differ in length, and the last ones decide the time.
    yield from pool.map(one, clip_rows, chunksize=2)
  except concurrent.futures.BrokenExecutor:
    raise errors.UserError(
      'a process of the preparation died (out of memory? or a script without '
      "`if __name__ == '__main__':`); try --config.dataset.workers=1"
    ) from None
  finally:
    pool.shutdown(wait=True, cancel_futures=True)


def _start():
  child_processes.end_with_parent()
  clips.use_one_thread()
