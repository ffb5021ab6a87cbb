"""The table of a `folder` data set, with annotator and date of each label."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mefnet_jax.preprocess import video
from mefnet_jax.runs import csv_table, errors, escape, files, names


class Label(NamedTuple):
  """A row: an expression of one person.

  Attributes:
    path: path of the video, relative to the table.
    subject, label: names.
    onset, apex, offset: frame numbers, from 1.
    annotator: the person who made the label.
    annotated: the time at which it was made, ISO 8601.
    corrected_from: the model whose answers the annotator saw; '' if none.
  """

  path: str
  subject: str
  label: str
  onset: int
  apex: int
  offset: int
  annotator: str
  annotated: str
  corrected_from: str


def write(path: pathlib.Path, labels: Iterable[Label]) -> None:
  """Writes the table; its folder is the root of the data set.

  Raises:
    OSError: it cannot be written.
  """
  files.write_csv(path, Label._fields, labels)


def read(path: pathlib.Path) -> list[Label]:
  """Reads such a table, or any of a `folder` data set with frame numbers.

  Raises:
    errors.UserError: it is no such table, or a number is none.
  """
  needed = Label._fields[:6]
  found = []
  for number, row in csv_table.filled(pathlib.Path(path), needed):
    marks = [row[name] for name in needed[3:]]
    if not all(mark.isdecimal() for mark in marks):
      raise errors.UserError(
        f'{path}: row {number}: onset, apex and offset must be frame numbers'
      )
    more = [row.get(name, '') for name in Label._fields[6:]]
    found.append(Label(*(row[n] for n in needed[:3]), *map(int, marks), *more))
  return found


class People:
  """Who a face of a video is, by a table video,subject[,face].

  A person needs one name in all videos: the folds hold people apart by it.
  """

  def __init__(self, path: pathlib.Path):
    """Reads the table.

    Raises:
      errors.UserError: it is no such table, or names a face twice.
    """
    self.path = path
    self._subject: dict[tuple[str, str], str] = {}
    for number, row in csv_table.filled(path, ('video', 'subject')):
      key = _key(row['video'], row.get('face', ''))
      if self._subject.setdefault(key, row['subject']) != row['subject']:
        raise errors.UserError(
          f'{path}: row {number}: another subject for {row["video"]} than above'
        )

  def subject(self, name: str, face: int) -> str:
    """The subject of a face of a video.

    Raises:
      errors.UserError: the table does not name it.
    """
    # A row without a face is for videos that show one person.
    for key in (_key(name, str(face)), _key(name, '')):
      if key in self._subject:
        return self._subject[key]
    raise errors.UserError(
      f'{self.path}: no row for {escape.terminal(name)}, face {face}: '
      'add video,subject,face'
    )


def _key(name, face):
  return names.key(pathlib.PurePosixPath(name).name), names.label_key(face)


def find_video(
  name: str, annotation: pathlib.Path, folders: Sequence[pathlib.Path]
) -> pathlib.Path:
  """The video that an annotation is of.

  Args:
    name: as the annotation names it; '' if it does not, and then the video has
      the annotation's own name.
    annotation: its file.
    folders: where to look, in this order.

  Raises:
    errors.UserError: it is in none of them, or two have it by its stem.
  """
  # interview.boris.csv is of interview.mp4: our formats have two suffixes.
  stem = pathlib.PurePath(annotation.name.split('.')[0]).name
  for folder in folders:
    # The exact name first: A.mp4 and a.mp4 may be two videos.
    if name and (folder / name).exists():
      return folder / name
    alike = [
      path
      for path in sorted(folder.iterdir() if folder.is_dir() else ())
      if path.suffix.lower() in video.SUFFIXES
      and (
        names.key(path.name) == names.key(name) if name else path.stem == stem
      )
    ]
    # a.avi and a.mp4 may number their frames differently.
    if len(alike) > 1:
      raise errors.UserError(
        f'{annotation}: {alike[0].name} or {alike[1].name}? Move one away'
      )
    if alike:
      return alike[0]
  looked = ', '.join(map(str, dict.fromkeys(folders)))
  raise errors.UserError(
    f'{annotation}: its video {escape.terminal(name or stem)} is not in '
    f'{looked}: name the folder with --videos'
  )


def frame_times(path: pathlib.Path) -> list[float]:
  """Seconds of each frame of a video.

  Raises:
    errors.UserError: it cannot be decoded, or frames have no times.
  """
  try:
    times = video.scan(path).times
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(f'{path}: cannot be read ({why})') from None
  known = [t for t in times if t is not None]
  # Annotations are in seconds, and only times turn them into frames.
  if len(known) < len(times):
    raise errors.UserError(f'{path}: frames without a time: encode it again')
  if any(b <= a for a, b in itertools.pairwise(known)):
    raise errors.UserError(f'{path}: times that run back: encode it again')
  return known


def relative(path: pathlib.Path, table: pathlib.Path) -> str:
  """The path of a video as the table has it.

  Raises:
    errors.UserError: the video does not lie in the folder of the table.
  """
  found = pathlib.PurePath(
    # Links resolved: the reader of the table does not follow them out of it.
    os.path.relpath(path.resolve(), table.resolve().parent)
  ).as_posix()
  if found.startswith('../'):
    raise errors.UserError(
      f'{path}: a table may only name what lies in its folder: write it to '
      f'{path.resolve().parent / table.name}'
    )
  return found


def counts(labels: Iterable[Label]) -> Mapping[str, int]:
  """How many labels each subject has."""
  found: dict[str, int] = {}
  for one in labels:
    found[one.subject] = found.get(one.subject, 0) + 1
  return found
