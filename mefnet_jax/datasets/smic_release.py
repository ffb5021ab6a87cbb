"""Reads SMIC as it lies on disk: HS, VIS or NIR, cropped or raw.

    SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_02/reg_image036237.bmp
    SMIC_all_raw/HS/s2/micro/surprise/s2_sur_02/image219124.bmp

There is no label sheet: class and subject come from the path. Frame numbers are
absolute and 6 to 8 digits wide. The apex is not annotated: the midpoint is
taken. Subjects are written s1 or s01 in different lists; ids here are padded.
"""

import pathlib
import re
import typing

from mefnet_jax import errors, findings
from mefnet_jax.datasets import folders, rows

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

CLASSES = ('negative', 'positive', 'surprise')
SUBSETS = ('hs', 'vis', 'nir')
IMAGES = ('auto', 'cropped', 'raw')
PUBLISHED = {
  'hs': dict(clips=164, subjects=16, negative=70, positive=51, surprise=43),
  'vis': dict(clips=71, subjects=8),
  'nir': dict(clips=71, subjects=8),
}
TREE = 'SMIC_all_cropped/{}/s2/micro/surprise/s2_sur_02/reg_image036237.bmp'
_CODES = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}
_SUBJECT = re.compile(r's0*(\d+)', re.IGNORECASE)
_CLIP = re.compile(r's0*(\d+)_(ne|po|sur)_0*(\d+)', re.IGNORECASE)


def read(
  root: pathlib.Path, *, subset: str, images: str = 'auto', **_
) -> rows.Release:
  """Reads the clips of one camera of SMIC.

  Args:
    root: the release, its parent, or the camera's folder itself.
    subset: 'hs', 'vis' or 'nir'.
    images: 'cropped', 'raw', or 'auto': the cropped ones if both are there.

  Raises:
    errors.UserError: `root` holds no such tree.
  """
  camera = _camera(root, subset, images)
  listed = [findings.Finding(findings.FOUND, '', str(camera), 'images')]
  taken: dict[str, rows.Row] = {}
  for folder in _clip_folders(camera):
    row = _row(folder, root, listed)
    if row is None:
      continue
    if row.clip in taken:
      _leave_out(listed, '', folders.shown(folder, root), 'a second copy')
      continue
    taken[row.clip] = row
  clips = tuple(taken[clip] for clip in sorted(taken))
  listed[1:1] = findings.summary(clips, CLASSES)
  return rows.Release(
    name='smic',
    root=root,
    rows=clips,
    classes=CLASSES,
    findings=tuple(listed),
    synthetic=folders.is_synthetic(root, camera),
    published=PUBLISHED[subset],
  )


def looks_like(root: pathlib.Path) -> bool:
  """Whether some camera's tree lies in `root`."""
  return any(_is_camera(folder) for folder in folders.walk(root))


def _camera(root, subset, images):
  """The folder that holds the subjects of the camera asked for."""
  cameras = [f for f in folders.walk(root) if _is_camera(f)]
  own = [f for f in cameras if f.name.lower() == subset]
  if not own:  # a copy under another name than HS, VIS, NIR
    own = [f for f in cameras if f.name.lower() not in SUBSETS]
  wanted = [f for f in own if images in ('auto', _images(f))]
  if not wanted:
    raise errors.UserError(_not_found(root, subset, images, cameras))
  return min(wanted, key=lambda f: (_images(f) != 'cropped', len(f.parts)))


def _is_camera(folder):
  """Whether a folder holds subjects (s2) that hold micro/."""
  subjects = [
    f for f in folders.subfolders(folder) if _SUBJECT.fullmatch(f.name)
  ]
  return any((f / 'micro').is_dir() for f in subjects)


def _images(camera):
  """'cropped' or 'raw', by the name of a folder above, else by the files."""
  for name in (f.name.lower() for f in [camera, *camera.parents][:4]):
    if 'crop' in name or 'raw' in name:
      return 'cropped' if 'crop' in name else 'raw'
  first = next(camera.glob('*/micro/*/*/*.*'), camera)
  return 'cropped' if first.name.startswith('reg') else 'raw'


def _not_found(root, subset, images, cameras):
  if any('smic-hs-e' in f.name.lower() for f in folders.walk(root)):
    return (
      f'{root} is SMIC-E, the long clips; needed is SMIC with a tree like '
      f'{TREE.format(subset.upper())}'
    )
  kind = '' if images == 'auto' else f' {images}'
  there = ', '.join(folders.shown(f, root) for f in cameras)
  there = f'has {there}' if there else f'holds {folders.names(root)}'
  return (
    f'{root}: no{kind} SMIC {subset.upper()} here; expected a tree like '
    f'{TREE.format(subset.upper())}, looked for '
    f'{subset.upper()}/s*/micro in it and in its folders; it {there}'
  )


def _clip_folders(camera) -> 'Iterator[pathlib.Path]':
  for subject in folders.subfolders(camera):
    if _SUBJECT.fullmatch(subject.name):
      for emotion in folders.subfolders(subject / 'micro'):
        yield from folders.subfolders(emotion)


def _row(folder, root, listed):
  """The clip of a folder, or None with the reason added to `listed`."""
  shown = folders.shown(folder, root)
  subject = _SUBJECT.fullmatch(folder.parents[2].name)[1]
  name = _CLIP.fullmatch(folder.name)
  wrong = _contradiction(name, subject, folder.parent.name.lower())
  if wrong:
    return _leave_out(listed, folder.name, shown, wrong)
  clip = f's{int(subject):02d}_{name[2].lower()}_{int(name[3]):02d}'
  images, aside = folders.frames(folder)
  for file in aside:
    what = 'an image without a frame number of its own was ignored'
    listed.append(
      findings.Finding(findings.REPAIRED, clip, f'{shown}/{file}', what)
    )
  if not images:
    return _leave_out(listed, clip, shown, 'no frames')
  numbers = tuple(folders.number(image.stem) for image in images)
  return rows.Row(
    clip=clip,
    subject=f's{int(subject):02d}',
    label=CLASSES.index(_CODES[name[2].lower()]),
    onset=numbers[0],
    apex=(numbers[0] + numbers[-1]) // 2,
    offset=numbers[-1],
    frames=tuple(images),
    numbers=numbers,
  )


def _contradiction(name, subject, emotion):
  """What is wrong with a clip's name at its place; empty if nothing is."""
  if not name:
    return 'not a clip name of SMIC (like s2_sur_02)'
  if name[1] != subject:
    return f'named after subject s{name[1]}, filed under s{subject}'
  if _CODES[name[2].lower()] != emotion:
    return f'named {_CODES[name[2].lower()]}, filed under {emotion}'
  return ''


def _leave_out(listed, clip, file, what):
  listed.append(findings.Finding(findings.LEFT_OUT, clip, file, what))
