"""Reads entries from a table or a tree: path, subject, label, frame numbers."""

import os
import pathlib
import posixpath
import re
import unicodedata

from mefnet_jax.datasets import directories, tables
from mefnet_jax.preprocess import media
from mefnet_jax.runs import errors, findings, names

NEEDED = ('path', 'subject', 'label')
MARKS = ('onset', 'apex', 'offset')
# Folders of a person below a class: a disk named by mistake holds more.
_MOST_SUBJECTS = 10**5
# How sheets write that a frame number is not known; '/' is CASME II's.
_UNKNOWN = ('/', '\\', '-', '–', '—', '?', 'na', 'n/a', 'nan', 'none', 'null')


def of_table(file: pathlib.Path, listed: list[findings.Finding]) -> list[dict]:
  """Returns the rows of a table that name something in its folder.

  Equal rows count once; rows that cannot be used are added to `listed`.

  Raises:
    errors.UserError: the table cannot be read, or lacks a column.
  """
  rows = tables.records(file, NEEDED)
  if not rows:
    raise errors.UserError(f'{file}: no row below its header')
  rows = _renamed(file, rows, listed)
  entries, seen, called = [], {}, {}
  for number, record in rows:
    place = f'{file.name} row {number}'
    if wrong := _wrong(record):
      listed.append(findings.Finding(findings.LEFT_OUT, place, place, wrong))
      continue
    path = posixpath.normpath(record['path'].replace('\\', '/'))
    found = _place(file.parent, path)
    # One place has one name, whichever link or spelling its path has.
    real = os.path.realpath(found)
    path = called.setdefault(real, path)
    # By meaning, not by spelling: 'Joy' and 'joy' of one clip are the same row.
    content = (path, *(names.label_key(record.get(k, '')) for k in _CONTENT))
    if content in seen:
      what = f'repeats row {seen[content]}'
      listed.append(findings.Finding(findings.IGNORED, '', place, what))
      continue
    seen[content] = number
    entries.append(record | {'place': found, 'clip': path})
  return entries


def _renamed(file, rows, listed):
  """The rows with standard names of columns; others are reported as ignored.

  Raises:
    errors.UserError: two columns mean the same.
  """
  called = {name: _column(name) for name in rows[0][1]}
  taken: dict[str, str] = {}
  for name, known in called.items():
    if known in taken:
      raise errors.UserError(
        f'{file}: the columns {taken[known]!r} and {name!r} are both {known}: '
        'keep one'
      )
    if known:
      taken[known] = name
  others = [name for name, known in called.items() if name and not known]
  if others:
    what = f'columns that are not read: {", ".join(others)}'
    listed.append(findings.Finding(findings.IGNORED, '', file.name, what))
  return [
    (
      number,
      {
        known: '' if _is_blank(known, row[name]) else row[name]
        for known, name in taken.items()
      },
    )
    for number, row in rows
  ]


def _column(name):
  """The standard name of a column: onset for 'Onset Frame'; '' for others."""
  # Sheets have onset_frame, Onset Frame or OnsetF.
  plain = re.sub(r'[\W_]+', '', names.key(name))
  for known in MARKS:
    if plain in (known, f'{known}frame', f'{known}f', f'{known}framenumber'):
      return known
  return plain if plain in (*NEEDED, 'database') else _LABELLED.get(plain, '')


# Columns of `datasets.annotate` on how a label was made.
_LABELLED = {
  'annotator': 'annotator',
  'annotated': 'annotated',
  'correctedfrom': 'corrected_from',
}


def _is_blank(column, text):
  """Whether the cell of a frame number marks it as unknown."""
  return column in MARKS and names.key(text) in _UNKNOWN


def _place(folder, path):
  """The path of an entry; names may be spelled differently on the disk."""
  if (folder / path).exists():
    return folder / path
  place = folder
  for part in pathlib.PurePosixPath(path).parts:
    alike = [
      one
      for one in (*directories.subfolders(place), *directories.files(place))
      if names.key(one.name) == names.key(part)
    ]
    # Of two that differ in case alone, neither being exact, none can be chosen.
    place = alike[0] if len(alike) == 1 else place / part
  return place


_CONTENT = ('subject', 'label', *MARKS, 'database')


def _wrong(record):
  """The fault of a row of the table; '' if it has none."""
  for name in NEEDED:
    if not record[name]:
      return f'{name} is empty'
    if any(
      unicodedata.category(c) == 'Cc' for c in ''.join(record[name].split())
    ):
      return f'{name} is {record[name]!r}: it holds control characters'
  for name in ('subject', 'label'):
    if names.is_missing(record[name], of_person=name == 'subject'):
      return f'{name} is {record[name]!r}: nothing is known'
  path = record['path'].replace('\\', '/')
  absolute = path.startswith('/') or re.match(r'[A-Za-z]:', path)
  # A table may come from anybody: it must not make us read other files.
  if absolute or '..' in path.split('/') or '\0' in path:
    return f'path {record["path"]!r} leads out of the folder of the table'
  for name in MARKS:
    if record.get(name) and tables.number(record[name]) is None:
      return f'{name} is {record[name]!r}, not a frame number'
  return ''


def of_tree(root: pathlib.Path) -> list[dict]:
  """Returns the entries of a tree class/subject/clip.

  Clips are folders of frames, or videos. A folder without pictures that holds
  folders is no clip.

  Raises:
    errors.UserError: there are far more folders than a data set has.
  """
  entries = []
  subjects = [
    (label, subject)
    for label in directories.subfolders(root)
    for subject in directories.subfolders(label)
  ]
  if len(subjects) > _MOST_SUBJECTS:
    raise errors.UserError(
      f'{root}: {len(subjects)} folders of the form class/subject: more than '
      f'{_MOST_SUBJECTS}: name the folder of the data set, or write clips.csv'
    )
  for label, subject in subjects:
    places = [
      folder
      for folder in directories.subfolders(subject)
      if directories.image_files(folder) or not directories.subfolders(folder)
    ]
    places += [
      file
      for file in directories.files(subject)
      if file.suffix.lower() in media.VIDEOS
    ]
    for place in places:
      clip = f'{label.name}/{subject.name}/{place.name}'
      entry = dict(label=label.name, subject=subject.name, clip=clip)
      entries.append(entry | {'place': place})
  return entries


def name_clips(entries: list[dict]) -> None:
  """Gives each entry its `clip`, a unique name.

  It is the path; that of a video loses its suffix if it stays unique, and gets
  the onset if the table names one, since a video may hold several clips.
  """
  short = [_without_suffix(entry) for entry in entries]
  taken: dict[str, set[str]] = {}
  for entry, name in zip(entries, short, strict=True):
    # By key, because ids become names of files, on disks that ignore case too.
    taken.setdefault(names.key(name), set()).add(entry['clip'])
  for entry, name in zip(entries, short, strict=True):
    alone = len(taken[names.key(name)]) == 1
    onset = entry.get('onset', '')
    entry['clip'] = name if alone else entry['clip']
    entry['clip'] += f'@{onset}' if onset else ''


def _without_suffix(entry):
  stem, suffix = os.path.splitext(entry['clip'])
  is_video = suffix.lower() in media.VIDEOS and not entry['place'].is_dir()
  return stem if is_video else entry['clip']
