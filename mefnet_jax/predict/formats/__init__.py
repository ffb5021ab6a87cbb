"""The file formats of events that behaviour researchers use.

`FORMATS` lists them; `write` writes the files of one video, `reader` finds the
format of a file that a person has corrected.
"""

import os
import pathlib
import types
from collections.abc import Iterable, Sequence

from mefnet_jax.predict import event
from mefnet_jax.predict.formats import (
  boris,
  csv_files,
  eaf,
  megc,
  textgrid,
  vtt,
)
from mefnet_jax.predict.formats.media import Annotation, Media, to_events
from mefnet_jax.runs import errors, regular_file

__all__ = ['FORMATS', 'Annotation', 'Media', 'reader', 'to_events', 'write']

# Each has SUFFIX, write(path, events, media) and read(path).
FORMATS: dict[str, types.ModuleType] = {
  'csv': csv_files,
  'eaf': eaf,
  'textgrid': textgrid,
  'boris': boris,
  'vtt': vtt,
  'megc': megc,
}


def write(
  folder: str | os.PathLike,
  stem: str,
  events: Iterable[event.Event],
  media: Media,
  which: Sequence[str] = tuple(FORMATS),
) -> list[pathlib.Path]:
  """Writes the events of one video in several formats; returns the files.

  Each is written under another name and renamed when it is whole. (frames.csv
  is written while the video is read: `csv_files.frame_rows`.)

  Args:
    folder: made if it is missing.
    stem: the beginning of the files' names.
    events: the events of this video.
    media: the video.
    which: names of `FORMATS`.

  Raises:
    OSError: a file cannot be written.
  """
  events = list(events)
  paths = []
  for name in which:
    path = pathlib.Path(folder) / f'{stem}{FORMATS[name].SUFFIX}'
    FORMATS[name].write(path, events, media)
    paths.append(path)
  return paths


def reader(path: str | os.PathLike) -> types.ModuleType:
  """The format of a file, by its suffix.

  .csv and .tsv are BORIS's if their first line has its columns.

  Raises:
    errors.UserError: the file cannot be read, or no format that can be read
      back has its suffix.
  """
  path = pathlib.Path(path)
  suffix = path.suffix.lower()
  for module in (eaf, textgrid, vtt):
    if suffix == module.SUFFIX.lower():
      return module
  if suffix in ('.csv', '.tsv', '.txt'):
    try:
      regular_file.check(path)
      with path.open(encoding='utf-8-sig', errors='replace') as file:
        head = file.readline(10_000)
    except OSError as error:
      raise errors.UserError(
        f'{path}: cannot be read ({error.strerror})'
      ) from None
    return csv_files if 'onset_frame' in head else boris
  raise errors.UserError(
    f'{path}: annotations are .eaf, .TextGrid, .vtt, and .csv or .tsv of BORIS'
  )
