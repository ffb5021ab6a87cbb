"""The progress of a training: a bar on a terminal, eight lines in a log."""

import contextlib
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress
import rich.text


@contextlib.contextmanager
def progress(
  console: rich.console.Console, title: str, done: int, epochs: int
) -> Iterator[Callable[[int, str, int, str], None]]:
  """Yields a function update(epoch, scores, num_clips, folds).

  `num_clips` is the number of clips that all members trained on since the last
  call. On a terminal this draws a bar with the time left and the clips per
  second, and lines with scores and folds; elsewhere it prints eight lines in
  all.

  Args:
    console: where to print.
    title: text in front of the bar.
    done: number of epochs that are completed already.
    epochs: total number of epochs.
  """
  bar = _Bar(
    rich.progress.TextColumn('{task.description}'),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TextColumn('{task.fields[rate]}'),
    rich.progress.TimeElapsedColumn(),
    rich.progress.TextColumn('left'),
    rich.progress.TimeRemainingColumn(),
    console=console,
    disable=not console.is_terminal,
  )
  task = bar.add_task(
    title, total=epochs, completed=done, scores='compiling', rate='', folds=''
  )
  clock = [time.monotonic()]
  if not console.is_terminal:
    console.print(f'{title}: compiling, then epochs {done + 1} to {epochs}')

  def update(epoch, scores, num_clips, folds):
    clock.append(time.monotonic())
    rate = f'{num_clips / max(1e-9, clock[-1] - clock[-2]):.0f} clips/s'
    bar.update(task, completed=epoch, scores=scores, rate=rate, folds=folds)
    # In a log, a line for each of hundreds of epochs would be too many.
    if not console.is_terminal and epoch % max(1, epochs // 8) == 0:
      console.print(f'{title}, epoch {epoch}/{epochs}: {scores}, {rate}')

  with bar:
    yield update


class _Bar(rich.progress.Progress):
  """A progress bar with lines below it: scores, and the loss of each fold.

  Beside the bar there is no room for them.
  """

  def get_renderables(self):
    yield from super().get_renderables()
    for task in self.tasks:
      for field in ('scores', 'folds'):
        text = rich.text.Text(task.fields[field], 'dim', overflow='ellipsis')
        text.no_wrap = True
        if text:
          yield text
