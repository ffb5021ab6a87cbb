"""What a training says: metrics.jsonl, TensorBoard, a progress bar."""

import contextlib
import json
import os
import pathlib
import warnings

import rich.console
import rich.progress
import tensorboardX


class History:
  """Rows of metrics.jsonl: a score an epoch, fold and split.

  The rows of `epochs` that a checkpoint does not hold are dropped when a
  run is resumed, for they will be written again, with the same numbers.
  """

  def __init__(self, workdir: pathlib.Path, seed: int, done: int):
    self._path = workdir / 'metrics.jsonl'
    kept = [
      row
      for row in read(workdir)
      if row['seed'] < seed or (row['seed'] == seed and row['epoch'] <= done)
    ]
    _rewrite(self._path, kept)
    self._seed = seed
    self._file = open(self._path, 'a')
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # tensorboardX's own deprecations
      self._board = tensorboardX.SummaryWriter(
        str(workdir / 'tensorboard' / f'seed{seed}'), purge_step=done + 1
      )

  def add(self, epoch: int, fold: str, split: str, **values: float):
    """Writes one row, and its values as scalars of TensorBoard."""
    row = {'epoch': epoch, 'seed': self._seed, 'fold': fold, 'split': split}
    row |= {name: round(float(value), 6) for name, value in values.items()}
    self._file.write(json.dumps(row) + '\n')
    for name, value in values.items():
      self._board.add_scalar(f'{split}/{name}/{fold}', float(value), epoch)

  def flush(self):
    """Brings all rows to the disk, before a checkpoint says they exist."""
    self._file.flush()
    os.fsync(self._file.fileno())
    self._board.flush()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._file.close()
    self._board.close()


def read(workdir: pathlib.Path) -> list[dict]:
  """Rows of metrics.jsonl, without a last line that a kill cut short."""
  path = workdir / 'metrics.jsonl'
  if not path.exists():
    return []
  rows = []
  for line in path.read_text().splitlines():
    try:
      rows.append(json.loads(line))
    except ValueError:
      break
  return rows


@contextlib.contextmanager
def progress(console: rich.console.Console, title: str, done: int, epochs: int):
  """Yields `tell(epoch, said)`: a bar, or eight lines if not a terminal."""
  bar = rich.progress.Progress(
    rich.progress.TextColumn('{task.description}'),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TextColumn('{task.fields[said]}'),
    rich.progress.TimeElapsedColumn(),
    rich.progress.TextColumn('left'),
    rich.progress.TimeRemainingColumn(),
    console=console,
    disable=not console.is_terminal,
  )
  task = bar.add_task(title, total=epochs, completed=done, said='compiling')

  def tell(epoch, said):
    bar.update(task, completed=epoch, said=said)
    if not console.is_terminal and epoch % max(1, epochs // 8) == 0:
      console.print(f'{title}, epoch {epoch}/{epochs}: {said}')

  with bar:
    yield tell


def _rewrite(path, rows):
  aside = path.with_suffix('.aside')
  aside.write_text(''.join(json.dumps(row) + '\n' for row in rows))
  os.replace(aside, path)
