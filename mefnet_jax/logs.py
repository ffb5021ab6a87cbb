"""What a training says: metrics.jsonl, TensorBoard, a progress bar."""

import contextlib
import io
import json
import math
import os
import pathlib
import shutil
import time
import warnings

import jax
import rich.console
import rich.progress
import rich.text
import tensorboardX

from mefnet_jax import processes


class History:
  """Rows of metrics.jsonl: a score an epoch, seed, fold and split.

  The rows of a block's members after epoch `done` are dropped when a run is
  resumed, for they will be written again, with the same numbers. Of several
  processes the first writes.
  """

  def __init__(self, workdir: pathlib.Path, block, names: list[str], done: int):
    self._file, self._boards = None, {}
    if not processes.is_first():
      return
    path = workdir / 'metrics.jsonl'
    kept = [
      row
      for row in _rows(path)
      if row['seed'] not in block.seeds
      or row['fold'] not in names
      or row['epoch'] <= done
    ]
    _rewrite(path, kept)
    self._file = open(path, 'a')
    _, dot, part = block.name.partition('.')
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # tensorboardX's own deprecations
      for seed in block.seeds:
        folder = workdir / 'tensorboard' / f'seed{seed}{dot}{part}'
        self._boards[seed] = tensorboardX.SummaryWriter(
          str(folder), purge_step=done + 1
        )

  def add(self, epoch: int, seed: int, fold: str, split: str, **values: float):
    """Writes one row, and its values as scalars of TensorBoard.

    What is not finite is null, as JSON has it.
    """
    if not self._file:
      return
    row = {'epoch': epoch, 'seed': seed, 'fold': fold, 'split': split}
    for name, value in values.items():
      finite = math.isfinite(value)
      row[name] = round(float(value), 6) if finite else None
      if finite:
        self._boards[seed].add_scalar(f'{split}/{name}/{fold}', value, epoch)
    self._file.write(json.dumps(row) + '\n')

  def flush(self):
    """Brings all rows to the disk, before a checkpoint says they exist."""
    if self._file:
      self._file.flush()
      os.fsync(self._file.fileno())
      for board in self._boards.values():
        board.flush()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    if self._file:
      self._file.close()
    for board in self._boards.values():
      board.close()


def read(workdir: pathlib.Path) -> list[dict]:
  """Rows of metrics.jsonl, without a last line that a kill cut short.

  A value that was not finite is nan.
  """
  return [
    {name: math.nan if x is None else x for name, x in row.items()}
    for row in _rows(workdir / 'metrics.jsonl')
  ]


def _rows(path):
  if not path.exists():
    return []
  rows = []
  for line in path.read_text().splitlines():
    try:
      rows.append(json.loads(line))
    except ValueError:
      break
  return rows


def picture(workdir: pathlib.Path, name: str, png: bytes):
  """Puts a picture on TensorBoard, such as the confusion matrix.

  It takes the place of what an earlier report of this run has put there.
  """
  import matplotlib.image  # slow to import, and main --help needs none

  image = matplotlib.image.imread(io.BytesIO(png))
  folder = workdir / 'tensorboard' / 'report'
  shutil.rmtree(folder, ignore_errors=True)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    board = tensorboardX.SummaryWriter(str(folder))
  board.add_image(name, image[..., :3], dataformats='HWC')
  board.close()


@contextlib.contextmanager
def progress(console: rich.console.Console, title: str, done: int, epochs: int):
  """Yields `tell(epoch, said, clips, folds)`.

  On a terminal a bar with the time left, the clips that train a second (those
  of all members) and a line of the folds; else eight lines in all.
  """
  bar = _Bar(
    rich.progress.TextColumn('{task.description}'),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TextColumn('{task.fields[said]}'),
    rich.progress.TextColumn('{task.fields[rate]}'),
    rich.progress.TimeElapsedColumn(),
    rich.progress.TextColumn('left'),
    rich.progress.TimeRemainingColumn(),
    console=console,
    disable=not console.is_terminal,
  )
  task = bar.add_task(
    title, total=epochs, completed=done, said='compiling', rate='', folds=''
  )
  clock = [time.monotonic()]

  def tell(epoch, said, clips, folds):
    clock.append(time.monotonic())
    rate = f'{clips / max(1e-9, clock[-1] - clock[-2]):.0f} clips/s'
    bar.update(task, completed=epoch, said=said, rate=rate, folds=folds)
    if not console.is_terminal and epoch % max(1, epochs // 8) == 0:
      console.print(f'{title}, epoch {epoch}/{epochs}: {said}, {rate}')

  with bar:
    yield tell


class _Bar(rich.progress.Progress):
  """A progress bar with a line below it: how each fold does."""

  def get_renderables(self):
    yield from super().get_renderables()
    for task in self.tasks:
      if task.fields['folds']:
        text = rich.text.Text(task.fields['folds'], 'dim', overflow='ellipsis')
        text.no_wrap = True
        yield text


@contextlib.contextmanager
def profiled(workdir: pathlib.Path, wanted: bool):
  """Writes a trace of what runs inside to workdir/profile, if wanted."""
  if not wanted:
    yield
    return
  with jax.profiler.trace(str(workdir / 'profile')):
    yield


def _rewrite(path, rows):
  aside = path.with_suffix('.aside')
  aside.write_text(''.join(json.dumps(row) + '\n' for row in rows))
  os.replace(aside, path)
