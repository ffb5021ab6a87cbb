"""Tables of BORIS: what it exports as aggregated events, one row an event.

The subject is the face, the behaviour the class; the apex is a point event of
its own. Only the columns are BORIS's: nothing of it is used (it is GPL).
"""

import os
import pathlib
import re
from collections.abc import Iterable

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import csv_table, errors, files

SUFFIX = '.boris.csv'
_APEX = 'apex'
# As BORIS 8 and 9 export them. `read` needs five of them and knows the older
# names of the file.
COLUMNS = (
  'Observation id',
  'Observation date',
  'Description',
  'Observation type',
  'Source',
  'Time offset (s)',
  'Coding duration',
  'Media duration (s)',
  'FPS (frame/s)',
  'Subject',
  'Observation duration by subject by observation',
  'Behavior',
  'Behavioral category',
  'Behavior type',
  'Start (s)',
  'Stop (s)',
  'Duration (s)',
  'Media file name',
  'Image index start',
  'Image index stop',
  'Image file path start',
  'Image file path stop',
  'Comment start',
  'Comment stop',
)
_NEEDED = ('Subject', 'Behavior', 'Behavior type', 'Start (s)', 'Stop (s)')
_RATES = ('FPS (frame/s)', 'FPS')
_FILES = ('Media file name', 'Media file', 'Media file path')


def write(
  path: str | os.PathLike, events: Iterable[event.Event], media: shared.Media
) -> None:
  """Writes the events of one video.

  Raises:
    OSError: the file cannot be written.
  """
  named = media.relative_to(pathlib.Path(path).parent)
  rows = []
  for one in sorted(events, key=lambda one: (one.face, one.onset)):
    known = {
      'Observation id': pathlib.PurePath(media.name).stem,
      'Observation type': 'Media file(s)',
      'Time offset (s)': '0.000',
      'Media duration (s)': f'{media.duration:.3f}',
      'FPS (frame/s)': f'{media.fps:.3f}',
      'Subject': f'face {one.face}',
      'Behavioral category': one.kind,
      'Media file name': named,
    }
    end = media.end(one.offset)
    state = {
      'Behavior': shared.class_text(one),
      'Behavior type': 'STATE',
      'Start (s)': f'{one.onset:.3f}',
      'Stop (s)': f'{end:.3f}',
      'Duration (s)': f'{end - one.onset:.3f}',
      'Image index start': one.onset_frame,
      'Image index stop': one.offset_frame,
      'Comment start': shared.confidence_text(one),
      'Comment stop': shared.units_text(one),
    }
    point = {
      'Behavior': _APEX,
      'Behavior type': 'POINT',
      'Start (s)': f'{one.apex:.3f}',
      'Stop (s)': f'{one.apex:.3f}',
      'Duration (s)': 'NA',
      'Image index start': one.apex_frame,
      'Image index stop': one.apex_frame,
    }
    rows += [known | state, known | point]
  lines = ([row.get(name, '') for name in COLUMNS] for row in rows)
  files.write_csv(path, COLUMNS, lines)


def read(path: str | os.PathLike) -> list[shared.Annotation]:
  """Reads a table that BORIS exported as aggregated events, .tsv or .csv.

  Raises:
    errors.UserError: it is no such table, or a time is no number.
  """
  path = pathlib.Path(path)
  head, rows = csv_table.read(path, delimiters='\t,;')
  lacking = [name for name in _NEEDED if name not in head]
  if lacking:
    raise errors.UserError(
      f'{path}: no column {lacking[0]!r}: export aggregated events from BORIS'
    )
  # Versions of BORIS call both by different names.
  column, rate = (
    next((name for name in known if name in head), '')
    for known in (_FILES, _RATES)
  )
  states, apexes = [], []
  for number, row in rows:
    start, end = (_seconds(path, number, row, name) for name in _NEEDED[3:])
    face = re.fullmatch(r'(?:face )?(\d{1,6})', row['Subject'].strip())
    if face is None:
      raise errors.UserError(
        f'{path}: row {number}: subject {shared.text(row["Subject"])!r} is no '
        'face: subjects are called face 1, face 2, ...'
      )
    label = row['Behavior'].strip()
    if label == _APEX:
      # A point of its own, since an event of BORIS has a beginning and an end
      # only.
      apexes.append((int(face[1]), start))
    elif row['Behavior type'].strip().upper() == 'POINT':
      raise errors.UserError(
        f'{path}: row {number}: {shared.text(label)!r} is a point event: an '
        'expression needs a begin and an end, so make it a state event'
      )
    else:
      file = pathlib.PurePosixPath(row.get(column, '').replace('\\', '/')).name
      fps = _seconds(path, number, row, rate) if row.get(rate) else None
      states.append((start, end, label, int(face[1]), file, fps))
  return [
    shared.Annotation(
      start,
      end,
      shared.label_of(label),
      next((t for who, t in apexes if who == face and start <= t <= end), None),
      face,
      file,
      fps=fps,
    )
    for start, end, label, face, file, fps in sorted(
      states, key=lambda state: (state[3], state[:2])
    )
  ]


def _seconds(path, number, row, name):
  try:
    value = float(row[name])
    if abs(value) < 1e9:
      return value
  except ValueError:
    pass
  raise errors.UserError(
    f'{path}: row {number}: {name} is {shared.text(row[name])!r}, no number'
  )
