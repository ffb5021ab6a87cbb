"""events.csv and frames.csv, the tables of docs/predict.md."""

import contextlib
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import csv_table, errors, files

SUFFIX = '.events.csv'
FRAMES = '.frames.csv'
_SECONDS = {'onset', 'apex', 'offset', 'duration', 'timestamp'}


def write(
  path: str | os.PathLike,
  events: Iterable[event.Event],
  media: shared.Media | None = None,
) -> None:
  """Writes the table of events, of one or several videos.

  Raises:
    OSError: the file cannot be written.
  """
  made = event.table(events)
  names = list(made.columns)
  rows = (
    [_cell(name, value) for name, value in zip(names, row, strict=True)]
    for row in made.itertuples(index=False)
  )
  files.write_csv(path, names, rows)


def read_events(path: str | os.PathLike) -> list[event.Event]:
  """Reads the events with all of their columns.

  Raises:
    errors.UserError: it is no table of events.
  """
  import pandas as pd

  head, rows = csv_table.read(pathlib.Path(path), event.COLUMNS[:8])
  made = pd.DataFrame([row for _, row in rows], columns=head, dtype=object)
  try:
    return event.from_table(made)
  except errors.UserError as error:
    raise errors.UserError(f'{path}: {error}') from None


def read(path: str | os.PathLike) -> list[shared.Annotation]:
  """Reads the events as intervals; raises as `read_events`."""
  return [
    shared.Annotation(
      one.onset,
      one.offset,
      '' if one.unsure else one.label,
      one.apex,
      one.face,
      pathlib.PurePath(one.file).name,
    )
    for one in read_events(path)
  ]


@contextlib.contextmanager
def frame_rows(
  path: str | os.PathLike, units: Iterable[int]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
  """Yields a function that adds a row to frames.csv, whole at the end.

  Rows go to the disk as they come, so that hours of video take no memory.

  Args:
    path: the file to write.
    units: FACS numbers of the action units; see `event.frame_columns`.

  Raises:
    OSError: the file cannot be written; nothing is left of it.
  """
  path, names = pathlib.Path(path), event.frame_columns(units)
  path.parent.mkdir(parents=True, exist_ok=True)
  with (
    files.aside(path) as temporary,
    open(
      temporary,
      'w',
      encoding='utf-8',
      newline='',
      errors='backslashreplace',
    ) as file,
  ):
    file.write(files.to_csv(names, ()))

    def add(row: Mapping[str, Any]) -> None:
      cells = [_cell(name, row.get(name, '')) for name in names]
      file.write(files.to_csv(cells, ()))

    yield add
    file.flush()


def _cell(name, value):
  """A number with six decimals for seconds, else four; '' for nan."""
  if isinstance(value, bool | np.bool_):
    return str(bool(value))
  if isinstance(value, float | np.floating):
    if math.isnan(value):
      return ''
    # Microseconds identify the frame at any frame rate.
    return f'{value:.6f}' if name in _SECONDS else f'{value:.4f}'
  return value
