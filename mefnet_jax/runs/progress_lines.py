"""The progress of a loop over clips: a bar on a terminal, lines in a log."""

import sys
import time
from collections.abc import Iterable
from typing import Any

import rich.console
import rich.progress

_PARTS = 8  # lines in a log for a whole loop
_LONG = 20.0  # seconds after which a line is due in any case


class Progress(rich.progress.Progress):
  """A bar with the time left on a terminal; otherwise lines on stderr."""

  def __init__(self, *, transient: bool = True):
    console = rich.console.Console(stderr=True)
    super().__init__(
      rich.progress.TextColumn('{task.description}'),
      rich.progress.BarColumn(),
      rich.progress.MofNCompleteColumn(),
      rich.progress.TimeRemainingColumn(),
      console=console,
      disable=not console.is_terminal,
      transient=transient,
    )
    self._logged: dict[int, tuple[float, float]] = {}
    self._begun: dict[int, float] = {}

  def add_task(
    self,
    description: str,
    start: bool = True,
    total: float | None = 100,
    *args: Any,
    **kwargs: Any,
  ) -> rich.progress.TaskID:
    """Adds a loop of `total` steps; in a log, its first line."""
    task = super().add_task(description, start, total, *args, **kwargs)
    self._begun[task] = time.monotonic()
    self._logged[task] = (0.0, self._begun[task])
    self._print(f'{description} ...')
    return task

  def advance(self, task_id: rich.progress.TaskID, advance: float = 1) -> None:
    """Counts steps; in a log, prints a line when one is due."""
    super().advance(task_id, advance)
    self._log(task_id)

  def update(self, task_id: rich.progress.TaskID, **kwargs: Any) -> None:
    """Sets a task's fields, such as `completed` and `total`; logs as well."""
    super().update(task_id, **kwargs)
    self._log(task_id)

  def _log(self, task_id):
    task = self._tasks[task_id]
    done, total = task.completed, task.total
    before, when = self._logged[task_id]
    now = time.monotonic()
    if not total or done <= before:
      return
    due = done >= total or done - before >= total / _PARTS
    if not due and now - when < _LONG:
      return
    self._logged[task_id] = (done, now)
    spent = now - self._begun[task_id]
    rest = spent * (total - done) / done
    left = f', {rest:.0f} s left' if done < total else ''
    self._print(
      f'{task.description} {done:.0f}/{total:.0f}, {spent:.0f} s{left}'
    )

  def _print(self, line):
    if not self.console.is_terminal:
      print(line, file=sys.stderr, flush=True)


def over(items: Iterable, title: str, total: int) -> Iterable:
  """Yields the items and shows the progress of the loop over them.

  Args:
    items: the items.
    title: text in front of the bar.
    total: number of the items.
  """
  with Progress() as progress:
    task = progress.add_task(title, total=total)
    for item in items:
      yield item
      progress.advance(task)
