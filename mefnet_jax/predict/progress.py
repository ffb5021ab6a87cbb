"""Progress of watching a video: a bar on a terminal, lines in a log."""

import contextlib
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress

from mefnet_jax.predict import frames
from mefnet_jax.runs import escape

_FIRST, _EVERY = 5.0, 60.0  # seconds to the first line of a log, and between


@contextlib.contextmanager
def bar(source: frames.Source) -> Iterator[Callable[[frames.Frame], None]]:
  """Yields a function to call with each frame.

  It shows frames a second and the time left, on stderr, and before that that
  the model is being compiled.
  """
  console = rich.console.Console(stderr=True)
  shown = rich.progress.Progress(
    rich.progress.TextColumn('{task.description}', markup=False),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TextColumn('{task.fields[rate]}'),
    rich.progress.TimeRemainingColumn(),
    console=console,
    disable=not console.is_terminal,
    transient=True,
  )
  name = escape.terminal(source.name)
  # Compiling takes ten seconds where nothing is in the cache.
  task = shown.add_task(
    name, total=source.expected or None, rate='compiling the model'
  )
  began, due = time.monotonic(), _FIRST

  def update(frame: frames.Frame) -> None:
    nonlocal due
    if frame.number % 10:
      return
    now = time.monotonic()
    rate = frame.number / max(now - began, 1e-6)
    shown.update(task, completed=frame.number, rate=f'{rate:.0f} frames/s')
    if not console.is_terminal and now - began > due:
      due += min(due, _EVERY)
      left = max(0, source.expected - frame.number) / rate
      console.print(
        f'{name}: frame {frame.number}, {rate:.0f} frames/s'
        + (f', about {left:.0f} s left' if source.expected else ''),
        markup=False,
        highlight=False,
      )

  with shown:
    yield update
