"""Reads truths and events of spotting from anybody's CSV files.

Columns go by the names that people use (`NAMES`), in any case; the first of a
list that is there is taken. `spotting_rows` makes intervals of the rows.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from mefnet_jax.runs import csv_table, errors, escape, names

# Names with underscores are those of the MEGC's files and of ours; 'media file
# name' and 'behavior' are BORIS's. The first name that a table has counts.
NAMES = {
  'video': (
    'video',
    'vid',
    'file',
    'filename',
    'file name',
    'video name',
    'video_name',
    'media file name',
    'clip',
  ),
  'subject': ('subject', 'sub', 'participant', 'person', 'subject id'),
  'onset frame': (
    'onset_frame',
    'onset frame',
    'onsetframe',
    'start_frame',
    'start frame',
    'pred_onset',
    'gt_onset',
  ),
  'offset frame': (
    'offset_frame',
    'offset frame',
    'offsetframe',
    'end_frame',
    'end frame',
    'pred_offset',
    'gt_offset',
  ),
  'onset': ('onset', 'start', 'begin', 'start (s)', 'onset_s', 'start_time'),
  'offset': ('offset', 'end', 'stop', 'stop (s)', 'offset_s', 'end_time'),
  'label': (
    'label',
    'class',
    'emotion',
    'estimated emotion',
    'emotion_type',
    'expression',
    'behavior',
  ),
  'kind': ('kind', 'type', 'expression type', 'micro/macro'),
  'fps': ('fps',),
  'unsure': ('unsure',),
}
UNITS = ('auto', 'frames', 'seconds')


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
  """The content of a file, before its unit is chosen.

  Attributes:
    path: where the file lies.
    rows: (number, row) with the keys of `NAMES` that the file has.
    columns: the name that the file gives each key.
    units: 'frames', 'seconds' or both.
  """

  path: pathlib.Path
  rows: list[tuple[int, dict[str, str]]]
  columns: dict[str, str]
  units: tuple[str, ...]


def read(path: pathlib.Path, unit: str = 'auto') -> Table:
  """Reads a table of truths or of events.

  Args:
    path: where the file lies.
    unit: the unit of columns called onset and offset; 'auto' takes frames if
      all their numbers are whole.

  Raises:
    errors.UserError: as `csv_table.read`; or there is no column for the video,
      the onset or the offset.
  """
  path = pathlib.Path(path)
  head, rows = csv_table.read(path, delimiters=',;\t', plain=True)
  columns = {}
  for key, known in NAMES.items():
    found = [name for name in known if name in head]
    if found:
      columns[key] = found[0]
  framed = {'onset frame', 'offset frame'} <= columns.keys()
  plain = {'onset', 'offset'} <= columns.keys()
  if not (framed or plain) or 'video' not in columns:
    lacking = 'onset' if 'video' in columns else 'video'
    if lacking == 'onset' and columns.keys() & {'onset', 'onset frame'}:
      lacking = 'offset'
    raise errors.UserError(
      f'{path}: no column for the {lacking}: call it '
      f'{" or ".join(NAMES[lacking][:4])}'
    )
  rows = [
    (number, {key: row[name] for key, name in columns.items()})
    for number, row in rows
  ]
  # A table with both can be compared with one in frames and one in seconds.
  if framed:
    units = ('frames', 'seconds') if plain else ('frames',)
    if unit == 'seconds' and not plain:
      raise errors.UserError(
        f'{path}: its {columns["onset frame"]} is in frames'
      )
  else:
    if unit == 'auto':
      # One fraction is enough to recognise seconds; whole seconds need
      # --truth-unit or --events-unit.
      unit = 'frames' if all(map(_whole, _cells(rows))) else 'seconds'
    units = (unit,)
    if unit == 'frames':
      for _, row in rows:
        row |= {f'{key} frame': row.pop(key) for key in ('onset', 'offset')}
      for key in ('onset', 'offset'):
        columns[f'{key} frame'] = columns.pop(key)
  return Table(path, rows, columns, units)


def _cells(rows):
  return [row[key] for _, row in rows for key in ('onset', 'offset')]


def _whole(text):
  return names.label_key(text).removeprefix('-').isdecimal()


def describe_columns(table: Table, keys: Sequence[str] = tuple(NAMES)) -> str:
  """Returns the columns that were taken: 'video: vid, onset: start'."""
  return ', '.join(
    f'{key}: {escape.terminal(table.columns[key])}'
    for key in keys
    if key in table.columns
  )
