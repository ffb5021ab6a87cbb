"""Reads SMIC-E, the long clips of SMIC, and cuts the expressions out.

    SMIC-E_raw image/HS_long/SMIC-HS-E/s03/s3_ne_22/image443812.jpg
    SMIC-E_raw image/HS_long/SMIC-HS-E_annotation.xlsx

The workbook's header names the columns; needed are Filename and the pairs of
OnsetF and OffsetF (a clip may hold two expressions: 157 clips hold 164), and
read if there is ApexF. Class and subject come from the clip's name.
"""

import pathlib
import re

from mefnet_jax.datasets import directories, tables
from mefnet_jax.datasets.smic import names
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, findings

SUBSETS = ('hs_long', 'vis_long', 'nir_long')
PUBLISHED = {'hs_long': dict(clips=164, subjects=16)}
TREE = (
  'HS_long/SMIC-HS-E/s03/s3_ne_22/image443812.jpg with '
  'SMIC-HS-E_annotation.xlsx'
)
# Not ~$..., which Excel writes while a workbook is open, and no hidden files.
_BOOK = re.compile(
  r'(?!~\$|\.)smic[-_](hs|vis|nir)[-_]e[-_]annotation.*\.xlsx?', re.IGNORECASE
)


def read(
  root: pathlib.Path, *, subset: str, **_: object
) -> clip_records.Release:
  """Reads the expressions of one camera's long clips.

  Raises:
    errors.UserError: no workbook, no clips, or a workbook of another form.
  """
  camera = subset.removesuffix('_long')
  book = _book(root, camera)
  folders = _folders(root, camera)
  listed = [findings.Finding(findings.FOUND, '', str(book), 'workbook')]
  taken: dict[str, clip_records.Row] = {}
  seen: dict[str, int] = {}
  read_records = set()
  for place, record in _coded(book):
    if (same := tuple(record.values())) in read_records:
      what, row = 'repeats another row', f'{book.name} row {place}'
      listed.append(findings.Finding(findings.IGNORED, '', row, what))
      continue
    read_records.add(same)
    row = _row(record, folders, seen, f'{book.name} row {place}', listed)
    if row:
      taken[row.clip] = row
  rows = tuple(taken[clip] for clip in sorted(taken))
  listed[1:1] = findings.summary(rows, names.CLASSES)
  return clip_records.Release(
    name='smic',
    root=root,
    rows=rows,
    classes=names.CLASSES,
    findings=tuple(listed),
    synthetic=False,  # `provenance` looks at the files
    published=PUBLISHED.get(subset, {}),
    places=tuple(sorted({folder.parents[1] for folder in folders.values()})),
    listed=True,
  )


def _book(root, camera):
  """The workbook of a camera, in the release or above it."""
  # Above too: if `root` is the folder of the clips, the workbook is beside it.
  places = [*directories.walk(root), *list(root.parents)[:2]]
  found = [
    file
    for folder in places
    for file in directories.files(folder)
    if (name := _BOOK.fullmatch(file.name)) and name[1].lower() == camera
  ]
  if not found:
    raise errors.UserError(
      f'{root}: no SMIC-{camera.upper()}-E_annotation.xlsx here; expected '
      f'{TREE}; looked in it, its folders and its parent; it holds '
      f'{directories.names(root)}'
    )
  return found[0]


def _folders(root, camera):
  """Padded clip name -> its folder, below a folder of that camera."""
  found = {}
  marks = (f'{camera}_long', f'smic-{camera}-e', f'smic_{camera}_e')
  for folder in directories.walk(root):
    above = [part.lower() for part in folder.parts]
    if not any(mark in above for mark in marks):
      continue
    for subject in directories.subfolders(folder):
      if names.subject(subject.name) is not None:
        for clip in directories.subfolders(subject):
          if name := names.clip(clip.name):
            # The first: a second copy of a folder must not depend on the order
            # of the disk.
            found.setdefault(name.padded, clip)
  if not found:
    raise errors.UserError(
      f'{root}: the workbook is here, but no long clips: expected {TREE}; it '
      f'holds {directories.names(root)}'
    )
  return found


def _coded(book):
  """(row, {'filename', 'onset', 'apex', 'offset'}) of each expression."""
  sheet = (tables.sheets(book) or [[]])[0]
  start, head = _header(book, sheet)
  name = head.index('filename')
  onsets, apexes, offsets = (
    [i for i, text in enumerate(head) if text.startswith(mark)]
    for mark in ('onset', 'apex', 'offset')
  )
  coded = []
  for place, cells in enumerate(sheet[start:], start=start + 1):
    texts = tables.texts(cells, len(head)) + ['']
    for i, (onset, offset) in enumerate(zip(onsets, offsets, strict=False)):
      apex = apexes[i] if i < len(apexes) else -1
      record = dict(filename=texts[name], apex=texts[apex])
      record |= dict(onset=texts[onset], offset=texts[offset])
      # A second pair is empty in most rows; an empty first one is reported.
      if texts[name] and (i == 0 or texts[onset]):
        coded.append((place, record))
  return coded


def _header(book, sheet):
  """The number of rows above the first coded one, and the names of columns."""
  # Titles may stand above the header.
  for row, cells in enumerate(sheet[:30], start=1):
    head = tables.texts(cells, len(cells))
    marks = {text[:5] for text in head}
    if 'filename' in head and {'onset', 'offse'} <= marks:
      return row, head
  raise errors.UserError(
    f'{book}: no header with Filename, OnsetF and OffsetF in sheet 1'
  )


def _row(record, folders, seen, place, listed):
  """The clip of one expression, or None with the reason in `listed`."""
  name = names.clip(record['filename'])
  if not name:
    what = f'{record["filename"]!r} is not a clip name of SMIC'
    return findings.leave_out(listed, place, place, what)
  onset, apex, offset = (
    tables.number(record[mark]) for mark in ('onset', 'apex', 'offset')
  )
  seen[name.padded] = seen.get(name.padded, 0) + 1
  # Counted before anything is left out, so that a clip's name does not depend
  # on whether the other expression of its folder can be used.
  again = seen[name.padded]
  clip = f'{name.padded}_{again}' if again > 1 else name.padded
  if name.padded not in folders:
    return findings.leave_out(listed, clip, place, f'no folder {name.padded}')
  if onset is None or offset is None or not 0 < onset <= offset:
    what = f'onset, offset are {record["onset"]!r}, {record["offset"]!r}'
    return findings.leave_out(listed, clip, place, what)
  found = directories.frames(folders[name.padded])
  pairs = zip(found.numbers, found.files, strict=True)
  chosen = [pair for pair in pairs if onset <= pair[0] <= offset]
  if not chosen:
    what = f'no frame in {onset}..{offset} of {len(found.files)}'
    place = str(folders[name.padded])
    return findings.leave_out(listed, clip, place, found.why or what)
  numbers, images = zip(*chosen, strict=True)
  middle = (numbers[0] + numbers[-1]) // 2
  for what in clip_records.defects(numbers, onset, apex or middle, offset):
    listed.append(findings.Finding(findings.REPAIRED, clip, place, what))
  return clip_records.Row(
    clip=clip,
    subject=name.subject,
    label=names.CLASSES.index(name.emotion),
    onset=numbers[0],
    apex=min(max(apex or middle, numbers[0]), numbers[-1]),
    offset=numbers[-1],
    frames=images,
    numbers=numbers,
  )
