"""A progress bar on a terminal, eight lines in a log."""

import contextlib
import time

import rich.console
import rich.progress
import rich.text


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
