"""Reads SMIC as it lies on disk: HS, VIS, NIR or all, cropped or raw.

    SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_02/reg_image036237.bmp
    SMIC_all_raw/HS/s2/micro/surprise/s2_sur_02/image219124.bmp

There is no label sheet: class and subject come from the path. Frame numbers are
absolute and 6 to 8 digits wide. The apex is not annotated: the midpoint is
taken. Subjects are written s1 or s01 in different lists; ids here are padded.
"""

import dataclasses
import pathlib
import typing

from mefnet_jax.datasets import directories
from mefnet_jax.datasets.smic import long_release, names
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, findings
from mefnet_jax.runs import names as text

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

CLASSES = names.CLASSES
CAMERAS = ('hs', 'vis', 'nir')
SUBSETS = (*CAMERAS, 'all', *long_release.SUBSETS)
IMAGES = ('auto', 'cropped', 'raw')
# Clips of each subject of HS, as published.
_BY_SUBJECT = dict(s01=6, s02=6, s03=39, s04=19, s05=2, s06=4, s08=13, s09=4)
_BY_SUBJECT |= dict(s11=7, s12=9, s13=10, s14=10, s15=4, s18=7, s19=2, s20=22)
PUBLISHED = {
  'hs': dict(clips=164, subjects=16, negative=70, positive=51, surprise=43)
  | dict(by_subject=_BY_SUBJECT),
  'vis': dict(clips=71, subjects=8),
  'nir': dict(clips=71, subjects=8),
  'all': dict(clips=306, subjects=16),
}
_TREE = 'SMIC_all_cropped/{}/s2/micro/surprise/s2_sur_02/reg_image036237.bmp'
TREES = {
  '': _TREE.format('HS'),
  **{camera: _TREE.format(camera.upper()) for camera in CAMERAS},
  **dict.fromkeys(long_release.SUBSETS, long_release.TREE),
}
OPTIONS = {'subset': SUBSETS, 'images': IMAGES}


def read(
  root: pathlib.Path, *, subset: str, images: str = 'auto', **_: object
) -> clip_records.Release:
  """Reads the clips of SMIC.

  Args:
    root: the release, its parent, or the camera's folder itself.
    subset: 'hs', 'vis' or 'nir'; 'all': the union of those that are there,
      the same people under one name; 'hs_long', 'vis_long', 'nir_long': the
      expressions of SMIC-E (`smic.long_release`).
    images: 'cropped', 'raw', or 'auto': the cropped ones if both are there.

  Raises:
    errors.UserError: `root` holds no such tree.
  """
  if subset in long_release.SUBSETS:
    return long_release.read(root, subset=subset)
  if subset == 'all':
    return _union(root, images)
  return _one(root, subset, images)


def _one(root, subset, images):
  camera = _camera(root, subset, images)
  listed = [findings.Finding(findings.FOUND, '', str(camera), 'images')]
  taken: dict[str, clip_records.Row] = {}
  for folder in _clip_folders(camera):
    row = _row(folder, root, listed)
    if row is None:
      continue
    # s2 and s02 are one person: a release that was unpacked twice has both.
    if row.clip in taken:
      findings.leave_out(
        listed, '', directories.relative(folder, root), 'a second copy'
      )
      continue
    taken[row.clip] = row
  rows = tuple(taken[clip] for clip in sorted(taken))
  listed[1:1] = findings.summary(rows, CLASSES)
  return clip_records.Release(
    name='smic',
    root=root,
    rows=rows,
    classes=CLASSES,
    findings=tuple(listed),
    synthetic=False,  # `provenance` looks at the files
    published=PUBLISHED[subset],
    places=(camera,),
    apart=('non_micro',),
  )


def _union(root, images):
  """The clips of all cameras that are there; their ids end with the camera."""
  parts, missing = {}, []
  for subset in CAMERAS:
    try:
      parts[subset] = _one(root, subset, images)
    except errors.UserError as error:
      missing.append((subset, error))
  if not parts:
    raise missing[0][1]
  rows = [
    dataclasses.replace(
      row, clip=f'{row.clip}_{subset}', database=f'smic_{subset}'
    )
    for subset, part in parts.items()
    for row in part.rows
  ]
  rows = tuple(sorted(rows, key=lambda row: row.clip))
  listed = findings.summary(rows, CLASSES)
  for subset, part in parts.items():
    for one in part.findings:
      clip = f'{one.clip}_{subset}' if one.clip else ''
      listed.append(dataclasses.replace(one, clip=clip))
  for subset, _ in missing:
    what = f'no {subset.upper()} in this release'
    listed.append(findings.Finding(findings.FOUND, '', str(root), what))
  return dataclasses.replace(
    next(iter(parts.values())),
    rows=rows,
    findings=tuple(listed),
    synthetic=any(part.synthetic for part in parts.values()),
    published=PUBLISHED['all'],
    places=tuple(place for part in parts.values() for place in part.places),
  )


def looks_like(root: pathlib.Path) -> bool:
  """Whether some camera's tree lies in `root`."""
  return any(_is_camera(folder) for folder in directories.walk(root))


def _camera(root, subset, images):
  """The folder that holds the subjects of the camera asked for."""
  cameras = [f for f in directories.walk(root) if _is_camera(f)]
  own = [f for f in cameras if text.key(f.name) == subset]
  if not own:  # a copy under another name than HS, VIS, NIR
    own = [f for f in cameras if text.key(f.name) not in CAMERAS]
  wanted = [f for f in own if images in ('auto', _images(f))]
  if not wanted:
    raise errors.UserError(_not_found(root, subset, images, cameras))
  return min(wanted, key=lambda f: (_images(f) != 'cropped', len(f.parts)))


def _is_camera(folder):
  """Whether a folder holds subjects (s2) that hold micro/."""
  subjects = [
    f
    for f in directories.subfolders(folder)
    if names.subject(f.name) is not None
  ]
  return any(_micro(f) for f in subjects)


def _micro(subject):
  """The folders called micro of a subject."""
  return [
    f for f in directories.subfolders(subject) if text.key(f.name) == 'micro'
  ]


def _images(camera):
  """'cropped' or 'raw', by the name of a folder above, else by the files."""
  for name in (f.name.lower() for f in [camera, *camera.parents][:4]):
    if 'crop' in name or 'raw' in name:
      return 'cropped' if 'crop' in name else 'raw'
  first = next(camera.glob('*/micro/*/*/*.*'), camera)
  return 'cropped' if first.name.startswith('reg') else 'raw'


def _not_found(root, subset, images, cameras):
  # SMIC-E is a download of its own, and is easily taken for SMIC.
  if any('smic-hs-e' in f.name.lower() for f in directories.walk(root)):
    return (
      f'{root} is SMIC-E, the long clips: set --config.dataset.subset='
      f'{subset}_long; SMIC itself has a tree like '
      f'{TREES[subset]}'
    )
  kind = '' if images == 'auto' else f' {images}'
  held = ', '.join(directories.relative(f, root) for f in cameras)
  held = f'has {held}' if held else f'holds {directories.names(root)}'
  return (
    f'{root}: no{kind} SMIC {subset.upper()} here; expected a tree like '
    f'{TREES[subset]}, looked for '
    f'{subset.upper()}/s*/micro in it and in its folders; it {held}'
  )


def _clip_folders(camera) -> 'Iterator[pathlib.Path]':
  for subject in directories.subfolders(camera):
    if names.subject(subject.name) is not None:
      for micro in _micro(subject):
        for emotion in directories.subfolders(micro):
          yield from directories.subfolders(emotion)


def _row(folder, root, listed):
  """The clip of a folder, or None with the reason added to `listed`."""
  shown = directories.relative(folder, root)
  name = names.clip(folder.name)
  subject = names.subject(folder.parents[2].name)
  # Name and place both state subject and class: a clip on which they differ was
  # moved by hand, and either may be right.
  wrong = _contradiction(name, subject, text.key(folder.parent.name))
  if wrong:
    return findings.leave_out(listed, folder.name, shown, wrong)
  clip = name.padded
  found = directories.frames(folder)
  for file in found.aside:
    what = 'an image without a frame number of its own was ignored'
    listed.append(
      findings.Finding(findings.REPAIRED, clip, f'{shown}/{file}', what)
    )
  if not found.files:
    return findings.leave_out(listed, clip, shown, found.why or 'no frames')
  numbers = found.numbers
  return clip_records.Row(
    clip=clip,
    subject=name.subject,
    label=CLASSES.index(name.emotion),
    onset=numbers[0],
    # SMIC does not annotate the apex.
    apex=(numbers[0] + numbers[-1]) // 2,
    offset=numbers[-1],
    frames=found.files,
    numbers=numbers,
  )


def _contradiction(name, subject, emotion):
  """How a clip's name contradicts its place; empty if it does not."""
  if not name:
    return 'not a clip name of SMIC (like s2_sur_02)'
  if name.number != subject:
    return f'named after subject s{name.number}, filed under s{subject}'
  if name.emotion != emotion:
    return f'named {name.emotion}, filed under {emotion}'
  return ''
