"""Reads CAS(ME)^2 as it lies on disk: its workbook, and the images for it."""

import pathlib
import re

from mefnet_jax.datasets import directories
from mefnet_jax.datasets.cas_me2 import image_folders, label_sets, workbook
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, findings

EXPRESSIONS = ('micro', 'macro', 'both')
LABELS = label_sets.SETS
IMAGES = ('auto', *image_folders.TREES)
TREE = (
  'CAS(ME)^2/CAS(ME)^2code_final.xlsx and '
  'CAS(ME)^2/selectedpic/s15/anger1_1/img557.jpg (or cropped/15/anger1_1/..., '
  'or rawpic/s15/15_0101disgustingteeth/img001.jpg, or '
  'rawvideo/s15/15_0101disgustingteeth.avi)'
)
TREES = {'': TREE}
OPTIONS = {
  'labels': tuple(LABELS),
  'expressions': EXPRESSIONS,
  'images': IMAGES,
}
_BOOK = re.compile(r'(?!~\$|\.).*code.*final.*\.xlsx?', re.IGNORECASE)


def read(
  root: pathlib.Path,
  *,
  labels: str,
  expressions: str,
  images: str = 'auto',
  **_: object,
) -> clip_records.Release:
  """Reads the expressions of the label set and finds their images.

  Args:
    root: the release, its parent, or one of its image folders.
    labels: a key of `label_sets.SETS`.
    expressions: 'micro', 'macro' or 'both'.
    images: one of `image_folders.TREES`; 'auto' takes, clip by clip, the
      first of them that has the clip.

  Raises:
    errors.UserError: no workbook, no image tree, or an unreadable workbook.
  """
  listed: list[findings.Finding] = []
  book = _workbook(root, listed)
  trees = _trees(root, book, images)
  coded = workbook.read(book, listed)
  asked = [e for e in coded if expressions in ('both', e.kind)]
  labelled = [(e, label_sets.label(e, labels)) for e in asked]
  labelled = [(e, label) for e, label in labelled if label is not None]
  # Repairs of rows that are not used would only confuse.
  others = {e.clip for e in coded} - {e.clip for e, _ in labelled}
  listed = [f for f in listed if f.clip not in others]
  listed += [f for tree in trees for f in tree.listed]
  found = [_row(e, label, trees, root, listed) for e, label in labelled]
  rows = tuple(sorted(filter(None, found), key=lambda row: row.clip))
  head = findings.summary(rows, LABELS[labels])
  head += _sources(book, trees, len(asked) - len(labelled), labels)
  return clip_records.Release(
    name='cas_me2',
    root=root,
    rows=rows,
    classes=LABELS[labels],
    findings=(*head, *listed, *_overlaps(rows, coded)),
    synthetic=False,  # `provenance` looks at the files
    published=label_sets.published(labels, expressions),
    places=tuple(tree.root for tree in trees),
    listed=True,
  )


def looks_like(root: pathlib.Path) -> bool:
  """Whether a workbook or a tree with a name of CAS(ME)^2 lies in `root`."""
  return bool(
    any(_books(folder) for folder in directories.walk(root, depth=2))
    or image_folders.find(root, ('selectedpic', 'rawpic', 'rawvideo'))
  )


def _workbook(root, listed):
  """The workbook; others are reported as not used."""
  found = [
    b for folder in directories.walk(root, depth=2) for b in _books(folder)
  ]
  # Where `root` is a folder of images, the workbook lies above.
  found = found or [b for f in list(root.parents)[:2] for b in _books(f)]
  if not found:
    raise errors.UserError(
      f'{root}: no workbook of CAS(ME)^2 here; expected {TREE}; looked for '
      f'*code*final*.xlsx or .xls in it, its folders and its parent; it holds '
      f'{directories.names(root)}'
    )
  # One that calls itself updated comes first.
  found.sort(key=lambda book: 'updated' not in book.name.lower())
  for other in found[1:]:
    what = f'another workbook, not used; {found[0].name} is'
    shown = directories.relative(other, root)
    listed.append(findings.Finding(findings.IGNORED, '', shown, what))
  return found[0]


def _books(folder):
  return [f for f in directories.files(folder) if _BOOK.fullmatch(f.name)]


def _trees(root, book, images):
  """The image trees to use, in the order of preference."""
  wanted = image_folders.TREES if images == 'auto' else (images,)
  trees = image_folders.find(root, wanted)
  if not trees:
    raise errors.UserError(
      f'{root}: {book.name} is here, but no images: expected {TREE}; looked '
      f'for the folders {", ".join(wanted)} with subjects (s15) in them; it '
      f'holds {directories.names(root)}'
    )
  return trees


def _sources(book, trees, unlabelled, labels):
  """Findings on where clips come from, and how many there are besides."""
  where = f'workbook; images in {", ".join(tree.name for tree in trees)}'
  found = [findings.Finding(findings.FOUND, '', str(book), where)]
  if unlabelled:
    what = f'{unlabelled} more expressions carry none of the labels of {labels}'
    found.append(findings.Finding(findings.FOUND, '', '', what))
  return found


def _row(expression, label, trees, root, listed):
  """The clip with its frames from the first tree that has them, or None."""
  missed = []
  for tree in trees:
    frames, folder = tree.frames(expression)
    row = _cut(expression, label, frames, tree, folder, listed)
    if row:
      if missed:
        what = f'{"; ".join(missed)}: taken from {tree.name}'
        _note(listed, findings.REPAIRED, row.clip, folder, root, what)
      return row
    missed.append(_miss(tree, folder, frames))
  what = '; '.join(missed)
  place = trees[0].place(expression)
  _note(listed, findings.LEFT_OUT, expression.clip, place, root, what)
  return None


def _miss(tree, folder, frames):
  """Why a tree has nothing for an expression."""
  if folder is None:
    return f'not in {tree.name}'
  if frames:
    return f'{tree.name} ends before it'
  why = tree.why.get(folder)
  return f'no frames in {tree.name}' + (f' ({why})' if why else '')


def _cut(expression, label, frames, tree, folder, listed):
  """The frames onset..offset; None if the folder has none of them."""
  onset, apex, offset = expression.onset, expression.apex, expression.offset
  chosen = [frame for frame in frames if onset <= frame[0] <= offset]
  # A folder of one cut-out clip holds that clip, however it is numbered; in a
  # long video nothing but the numbers identifies it.
  if frames and not chosen and tree.name in image_folders.CUT:
    shift = frames[0][0] - onset
    onset, apex, offset = onset + shift, apex + shift, offset + shift
    chosen = frames
    what = 'frames not numbered as in the workbook: all of them are used'
    listed.append(
      findings.Finding(findings.REPAIRED, expression.clip, tree.name, what)
    )
  if not chosen:
    return None
  numbers, images = zip(*chosen, strict=True)
  for what in clip_records.defects(numbers, onset, apex, offset):
    place = f'{tree.name}/{folder.parent.name}/{folder.name}'
    listed.append(
      findings.Finding(findings.REPAIRED, expression.clip, place, what)
    )
  in_video = tree.name == image_folders.VIDEOS
  if in_video and tree.why[folder]:
    place = f'{tree.name}/{folder.parent.name}/{folder.name}'
    what = tree.why[folder]
    listed.append(
      findings.Finding(findings.REPAIRED, expression.clip, place, what)
    )
  return clip_records.Row(
    clip=expression.clip,
    subject=f's{expression.subject:02d}',
    label=label,
    onset=numbers[0],
    apex=min(max(apex, numbers[0]), numbers[-1]),
    offset=numbers[-1],
    frames=() if in_video else images,
    numbers=numbers,
    video=folder if in_video else None,
  )


def _note(listed, kind, clip, folder, root, what):
  """Adds a finding, with the path as it lies in the release."""
  shown = directories.relative(folder, root)
  listed.append(findings.Finding(kind, clip, shown, what))


def _overlaps(rows, expressions):
  """Findings on clips that share frames with an earlier one of their video."""
  used = {row.clip for row in rows}
  ordered = sorted(
    (e for e in expressions if e.clip in used),
    key=lambda e: (e.subject, e.video, e.onset, e.clip),
  )
  found = []
  for i, later in enumerate(ordered):
    for earlier in ordered[:i]:
      same = (earlier.subject, earlier.video) == (later.subject, later.video)
      if same and later.onset <= earlier.offset:
        what = 'shares frames with an earlier clip of its video; both kept'
        found.append(findings.Finding(findings.FOUND, later.clip, '', what))
        break
  return found
