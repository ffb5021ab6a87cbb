"""The submission of the MEGC spotting challenges, one row an interval.

    vid,pred_onset,pred_offset,type

vid is the name of the video without its suffix, onset and offset are numbers of
frames, the type is `me` up to half a second and `mae` above. This is the header
that public code of participants of MEGC2022 and later writes (`cas_pred.csv`,
`samm_pred.csv`); the organisers' own text of the format was not at hand.
"""

import os
import pathlib
from collections.abc import Iterable

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import media as shared
from mefnet_jax.runs import csv_table, errors, files

SUFFIX = '.megc.csv'
COLUMNS = ('vid', 'pred_onset', 'pred_offset', 'type')
_TYPES = {'micro': 'me', 'macro': 'mae'}


def write(
  path: str | os.PathLike,
  events: Iterable[event.Event],
  media: shared.Media | None = None,
) -> None:
  """Writes the events of one or several videos.

  Raises:
    OSError: the file cannot be written.
  """
  rows = [
    (
      pathlib.PurePath(one.file).stem,
      one.onset_frame,
      one.offset_frame,
      _TYPES[one.kind],
    )
    for one in events
  ]
  files.write_csv(path, COLUMNS, rows)


def read(
  path: str | os.PathLike, media: shared.Media
) -> list[shared.Annotation]:
  """Reads the intervals of one video; they have no class and no face.

  Args:
    path: the file to read.
    media: the video, for its name and the times of its frames.

  Raises:
    errors.UserError: it is no such table, or a frame is not in the video.
  """
  path = pathlib.Path(path)
  found = []
  for number, row in csv_table.read(path, COLUMNS)[1]:
    # One file may hold the events of a whole data set.
    if row['vid'] != pathlib.PurePath(media.name).stem:
      continue
    onset, offset = (
      _seconds(path, number, row, name, media) for name in COLUMNS[1:3]
    )
    found.append(shared.Annotation(onset, offset, '', file=media.name))
  return found


def _seconds(path, number, row, name, media):
  frame = int(row[name]) if row[name].isdecimal() else 0
  if not 1 <= frame <= len(media.seconds):
    raise errors.UserError(
      f'{path}: row {number}: {name} is {shared.text(row[name])!r}, no frame '
      f'of {media.name}, which has {len(media.seconds)}'
    )
  return float(media.seconds[frame - 1])
