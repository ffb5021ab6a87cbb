"""Reads any other set of clips: a tree of folders, or a small table.

    <class>/<subject>/<clip>/*.jpg      or     <class>/<subject>/<clip>.avi

    clips.csv: path,subject,label,onset,apex,offset,database
    path: a folder of frames or a video, relative to the table

onset, apex and offset (frame numbers) and database may be missing or empty.
Classes are the labels that occur, in alphabetical order.
"""

import collections
import os
import pathlib
import posixpath
import re

from mefnet_jax.datasets import directories, tables
from mefnet_jax.preprocess import clip_records, video
from mefnet_jax.runs import cache, errors, findings

IMAGES = ('auto', 'tree', 'table')
TABLE = 'clips.csv'
TREE = (
  f'{TABLE} (path,subject,label,onset,apex,offset), or class/subject/clip '
  'folders of frames or class/subject/clip.avi'
)
_NEEDED = ('path', 'subject', 'label')
_MOST_SUBJECTS = 2000
_LONGEST = 80  # letters of a subject's name: it is part of file names


def read(
  root: pathlib.Path, *, images: str = 'auto', table: str = '', **_
) -> clip_records.Release:
  """Reads the clips of a folder.

  Args:
    root: the folder with the tree or the table.
    images: 'tree', 'table', or 'auto': the table if there is one.
    table: the table's name in `root`; '' stands for clips.csv, or the only
      CSV file there.

  Raises:
    errors.UserError: neither is there, or the table lacks a column.
  """
  listed: list[findings.Finding] = []
  file = _table(root, table) if images != 'tree' else None
  if images == 'table' and file is None:
    raise errors.UserError(
      f'{root / TABLE}: no such table; it holds {directories.names(root)}'
    )
  entries = _tabled(file, listed) if file else _tree(root)
  return _release(root, file, entries, listed)


def looks_like(root: pathlib.Path) -> bool:
  """Whether a table of clips lies in `root`: a tree may be anything."""
  return (root / TABLE).is_file()


def _release(root, file, entries, listed):
  taken: dict[str, clip_records.Row] = {}
  classes = tuple(sorted({entry['label'] for entry in entries}))
  names = _names(entries)
  for entry in entries:
    row = _row(entry, names[_person(entry)], classes, root, listed)
    if row is None:
      continue
    if row.clip in taken:
      shown = directories.shown(row.place, root)
      _leave_out(listed, '', shown, f'a second clip {row.clip}')
      continue
    taken[row.clip] = row
  if not entries:
    why = f'; {listed[0].file}: {listed[0].what}' if listed else ''
    raise errors.UserError(
      f'{file or root}: no clips here{why}; expected {TREE}; the folder holds '
      f'{directories.names(root)}'
    )
  # By subject: the tree's own order would tell the class.
  clips = tuple(sorted(taken.values(), key=lambda row: (row.subject, row.clip)))
  what = 'table of clips' if file else 'class/subject/clip folders'
  head = [findings.Finding(findings.FOUND, '', str(file or root), what)]
  return clip_records.Release(
    name='folder',
    root=root,
    rows=clips,
    classes=classes,
    findings=(*head, *findings.summary(clips, classes), *listed),
    synthetic=directories.is_synthetic(root, root),
    published={},
  )


def _table(root, name):
  if name:
    if pathlib.Path(name).name != name or not (root / name).is_file():
      raise errors.UserError(
        f'config.dataset.table={name!r}: no such file in {root}'
      )
    return root / name
  found = [f for f in directories.files(root) if f.suffix.lower() == '.csv']
  preferred = [f for f in found if f.name == TABLE]
  return (preferred or (found if len(found) == 1 else [None]))[0]


def _tabled(file, listed):
  """The rows of the table that point to something in its folder."""
  records = tables.records(file)
  if not records:
    raise errors.UserError(f'{file}: no row below its header')
  missing = [name for name in _NEEDED if name not in records[0]]
  if missing:
    raise errors.UserError(
      f'{file}: no column {", ".join(missing)}; expected path, subject, label, '
      'and if known onset, apex, offset, database'
    )
  entries = []
  for line, record in enumerate(records, start=2):
    wrong = _wrong(record)
    if wrong:
      place = f'{file.name} row {line}'
      _leave_out(listed, place, place, wrong)
      continue
    path = posixpath.normpath(record['path'].replace('\\', '/'))
    place = file.parent / path
    entries.append(record | {'place': place, 'clip': path})
  return entries


def _wrong(record):
  """What is wrong with a row of the table; '' if nothing is."""
  for name in _NEEDED:
    if not record[name]:
      return f'{name} is empty'
  path = record['path'].replace('\\', '/')
  absolute = path.startswith('/') or re.match(r'[A-Za-z]:', path)
  if absolute or '..' in path.split('/') or '\0' in path:
    return f'path {record["path"]!r} leads out of the folder of the table'
  for name in ('onset', 'apex', 'offset'):
    if record.get(name) and tables.number(record[name]) is None:
      return f'{name} is {record[name]!r}, not a frame number'
  return ''


def _tree(root):
  """class/subject/clip, clips being folders of frames or videos."""
  entries = []
  subjects = [
    (label, subject)
    for label in directories.subfolders(root)
    for subject in directories.subfolders(label)
  ]
  for label, subject in subjects[:_MOST_SUBJECTS]:
    places = directories.subfolders(subject)
    places += [
      f
      for f in directories.files(subject)
      if f.suffix.lower() in video.SUFFIXES
    ]
    for place in places:
      clip = f'{label.name}/{subject.name}/{place.name}'
      entry = dict(label=label.name, subject=subject.name, clip=clip)
      entries.append(entry | {'place': place})
  return entries


def _row(entry, subject, classes, root, listed):
  """The clip of an entry, or None with the reason added to `listed`."""
  place, clip = entry['place'], _clip(entry)
  shown = directories.shown(place, root)
  if place.is_dir():
    found = directories.frames(place)
    for name in found.aside:
      what = 'an image without a frame number of its own was ignored'
      file = f'{shown}/{name}'
      listed.append(findings.Finding(findings.REPAIRED, clip, file, what))
    if found.why:
      return _leave_out(listed, clip, shown, found.why)
    files, numbers = found.files, found.numbers
  else:
    try:
      scan = video.scan(place)
    except (OSError, ValueError) as error:
      why = getattr(error, 'strerror', None) or str(error)
      return _leave_out(listed, clip, shown, why)
    files, numbers = [], list(range(1, len(scan.times) + 1))
    for what in scan.notes:
      listed.append(findings.Finding(findings.REPAIRED, clip, shown, what))
  first, apex, last = _marks(entry, numbers)
  kept = [i for i, number in enumerate(numbers) if first <= number <= last]
  if not kept:
    what = f'none of its {len(numbers)} frames lies in {first}..{last}'
    return _leave_out(listed, clip, shown, what if numbers else 'no frames')
  numbers = tuple(numbers[i] for i in kept)
  for what in clip_records.defects(numbers, first, apex, last):
    listed.append(findings.Finding(findings.REPAIRED, clip, shown, what))
  return clip_records.Row(
    clip=clip,
    subject=subject,
    label=classes.index(entry['label']),
    onset=numbers[0],
    apex=min(max(apex, numbers[0]), numbers[-1]),
    offset=numbers[-1],
    frames=tuple(files[i] for i in kept) if files else (),
    numbers=numbers,
    database=entry.get('database', ''),
    video=None if files else place,
  )


def _marks(entry, numbers):
  """Onset, apex and offset, with the clip's ends and middle for missing."""
  onset, apex, offset = (
    tables.number(entry.get(name, '')) for name in ('onset', 'apex', 'offset')
  )
  first = onset or (numbers[0] if numbers else 0)
  last = offset or (numbers[-1] if numbers else 0)
  return first, apex or (first + last) // 2, last


def _clip(entry):
  """A unique name: the path, and where one video holds several, the onset."""
  onset = entry.get('onset', '')
  name = os.path.splitext(entry['clip'])[0] if '.' in entry['clip'] else ''
  name = name or entry['clip']
  return f'{name}@{onset}' if onset else name


def _person(entry):
  return entry.get('database', ''), entry['subject']


def _names(entries):
  """A name of each person that a TFDS split may have; no two are alike."""
  plain = {}
  for person in sorted({_person(entry) for entry in entries}):
    name = re.sub(r'[^A-Za-z0-9_]+', '_', '_'.join(filter(None, person)))
    plain[person] = name.strip('_')[:_LONGEST]
  # Some file systems do not tell s1 from S1.
  count = collections.Counter(name.lower() for name in plain.values())
  for person, name in plain.items():
    if count[name.lower()] > 1 or name.lower() in ('', 'all'):  # TFDS's own
      plain[person] = f'{name or "subject"}_{cache.digest(person)[:6]}'
  return plain


def _leave_out(listed, clip, file, what):
  listed.append(findings.Finding(findings.LEFT_OUT, clip, file, what))
