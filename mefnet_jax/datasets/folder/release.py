"""Reads any other set of clips: a tree of folders, or a small table.

    <class>/<subject>/<clip>/*.jpg      or     <class>/<subject>/<clip>.avi

    clips.csv: path,subject,label,onset,apex,offset,database,corrected_from
    path: a folder of frames or a video, relative to the table

onset, apex and offset (frame numbers) and database may be missing or empty, and
so may corrected_from, the model whose answers the annotator saw.
Classes are the labels that occur, in alphabetical order.
"""

import dataclasses
import pathlib

from mefnet_jax.datasets import directories, tables
from mefnet_jax.datasets.folder import entries as clip_entries
from mefnet_jax.datasets.folder import people
from mefnet_jax.preprocess import clip_records, video
from mefnet_jax.runs import errors, findings

IMAGES = ('auto', 'tree', 'table')
TABLE = 'clips.csv'
TREE = (
  f'{TABLE} (path,subject,label,onset,apex,offset), or class/subject/clip '
  'folders of frames or class/subject/clip.avi'
)
TREES = {'': TREE}
OPTIONS = {'images': IMAGES}


def read(
  root: pathlib.Path, *, images: str = 'auto', table: str = '', **_: object
) -> clip_records.Release:
  """Reads the clips of a folder.

  Args:
    root: the folder with the tree or the table.
    images: 'tree', 'table', or 'auto': the table if there is one.
    table: the table's name in `root`; '' stands for clips.csv, or the only
      CSV file there.

  Raises:
    errors.UserError: neither is there, the table lacks a column, or classes
      and people have changed places.
  """
  listed: list[findings.Finding] = []
  file = _table(root, table) if images != 'tree' else None
  if images == 'table' and file is None:
    raise errors.UserError(
      f'{root / TABLE}: no such table; it holds {directories.names(root)}'
    )
  if file:
    entries = clip_entries.of_table(file, listed)
  else:
    entries = clip_entries.of_tree(root)
  if not entries:
    why = f'; {listed[0].file}: {listed[0].what}' if listed else ''
    raise errors.UserError(
      f'{file or root}: no clips here{why}; expected {TREE}; the folder holds '
      f'{directories.names(root)}'
    )
  # Before names are given: s1 and s01 must be one person in every clip.
  people.unify(entries, listed)
  people.check_sides(entries, str(file or root))
  clip_entries.name_clips(entries)
  return _release(root, file, entries, listed)


def looks_like(root: pathlib.Path) -> bool:
  """Returns whether `root` holds a table of clips; a tree could be anything."""
  return (root / TABLE).is_file()


def _release(root, file, entries, listed):
  classes = tuple(sorted({entry['label'] for entry in entries}))
  subject = people.subjects(entries)
  # By place: one long video may hold many clips, and is scanned once.
  places = {entry['place']: _frames(entry['place']) for entry in entries}
  shift = _counts_from_zero(entries, places)
  if shift:
    what = (
      'an onset of 0: the table counts frames from 0; all its numbers were '
      'raised by 1 for videos, and for pictures that are numbered from 1'
    )
    listed.append(findings.Finding(findings.REPAIRED, '', file.name, what))
  taken: dict[str, clip_records.Row] = {}
  for entry in entries:
    who = subject[people.person(entry)]
    row = _row(entry, who, classes, root, places[entry['place']], shift, listed)
    if row is None:
      continue
    if row.clip in taken:
      shown = directories.relative(row.place, root)
      what = f'named twice with another subject, label or end: {row.clip}'
      findings.leave_out(listed, row.clip, shown, what)
      continue
    taken[row.clip] = row
  # By subject: the order of the tree would reveal the class.
  rows = tuple(sorted(taken.values(), key=lambda row: (row.subject, row.clip)))
  what = 'table of clips' if file else 'class/subject/clip folders'
  head = [findings.Finding(findings.FOUND, '', str(file or root), what)]
  return clip_records.Release(
    name='folder',
    root=root,
    rows=rows,
    classes=classes,
    findings=(*head, *findings.summary(rows, classes), *listed),
    synthetic=False,  # `provenance` looks at the files
    published={},
    places=(root,),
    listed=file is not None,
  )


def _table(root, name):
  if name:
    if pathlib.Path(name).name != name or not (root / name).is_file():
      raise errors.UserError(
        f'--config.dataset.table={name!r}: no such file in {root}'
      )
    return root / name
  found = [f for f in directories.files(root) if f.suffix.lower() == '.csv']
  # Of several tables none is guessed: clips.csv, or the only one.
  preferred = [f for f in found if f.name == TABLE]
  return (preferred or (found if len(found) == 1 else [None]))[0]


@dataclasses.dataclass(frozen=True)
class _Frames:
  """The frames of a place: pictures, or of a video their numbers alone."""

  numbers: tuple[int, ...] = ()
  files: tuple[pathlib.Path, ...] = ()
  aside: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  why: str = ''
  times: tuple[float | None, ...] = ()


def _frames(place):
  if place.is_dir():
    try:
      found = directories.frames(place)
    except OSError as error:
      return _Frames(why=error.strerror)
    why = found.why or ('' if found.files else _no_frames(place))
    return _Frames(found.numbers, found.files, found.aside, why=why)
  try:
    scan = video.scan(place)
  except (OSError, ValueError) as error:
    return _Frames(why=getattr(error, 'strerror', None) or str(error))
  # Videos hold no frame numbers; tables count from 1, or from 0.
  numbers = tuple(range(1, len(scan.times) + 1))
  return _Frames(numbers, notes=tuple(scan.notes), times=scan.times)


def _no_frames(place):
  """Describes a folder that holds no frames."""
  other = [f.name for f in directories.files(place)]
  if not other:
    return 'no frames'
  return f'no frames, but {len(other)} other files: {other[0]}'


def _counts_from_zero(entries, places):
  """Whether the table's frame numbers begin at 0: an onset of 0 proves it.

  Nothing is proved where the offset is 0 too, or the files are numbered from
  some other frame of a longer video.
  """
  return any(
    tables.number(entry.get('onset', '')) == 0
    and tables.number(entry.get('offset', '')) != 0
    and places[entry['place']].numbers[:1] in ((0,), (1,))
    for entry in entries
  )


def _row(entry, subject, classes, root, found, shift, listed):
  """The clip of an entry, or None with the reason added to `listed`."""
  place, clip = entry['place'], entry['clip']
  shown = directories.relative(place, root)
  for name in found.aside:
    what = 'an image without a frame number of its own was ignored'
    file = f'{shown}/{name}'
    listed.append(findings.Finding(findings.REPAIRED, clip, file, what))
  for what in found.notes:
    listed.append(findings.Finding(findings.REPAIRED, clip, shown, what))
  if found.why:
    return findings.leave_out(listed, clip, shown, found.why)
  first, apex, last = _marks(entry, found, shift)
  kept = [i for i, n in enumerate(found.numbers) if first <= n <= last]
  if not kept:
    what = f'none of its {len(found.numbers)} frames lies in {first}..{last}'
    return findings.leave_out(listed, clip, shown, what)
  numbers = tuple(found.numbers[i] for i in kept)
  for what in clip_records.defects(numbers, first, apex, last):
    listed.append(findings.Finding(findings.REPAIRED, clip, shown, what))
  return clip_records.Row(
    clip=clip,
    subject=subject,
    label=classes.index(entry['label']),
    onset=numbers[0],
    apex=min(max(apex, numbers[0]), numbers[-1]),
    offset=numbers[-1],
    frames=tuple(found.files[i] for i in kept) if found.files else (),
    numbers=numbers,
    database=entry.get('database', ''),
    corrected_from=entry.get('corrected_from', ''),
    video=None if found.files else place,
  )


def _marks(entry, found, shift):
  """Onset, apex and offset; the ends and the middle of the clip if missing.

  An apex of 0 after an onset, and an offset of 0, count as missing.
  """
  onset, apex, offset = (
    tables.number(entry.get(name, '')) for name in clip_entries.MARKS
  )
  if onset == offset == 0:  # nothing is known
    onset, apex = None, apex or None
  if onset and apex == 0:
    apex = None
  # Pictures that are numbered from 0 agree with the table as they are.
  up = int(shift and found.numbers[0] == 1)
  first = found.numbers[0] if onset is None else onset + up
  last = offset + up if offset else found.numbers[-1]
  middle = video.middle(first, last, found.times)
  return first, middle if apex is None else apex + up, last
