"""Reads the public flow maps of the MEGC2019 composite, in both layouts.

    three_norm_u_v_os/<subject>/{u_train,u_test}/{0,1,2}/<subject>_<clip> .png
    STSNet_whole_norm_u_v_os/<subject>_<clip> .png
        + combined_3_class2_for_optical_flow.csv

Most names have a space before the dot. Of the first layout, which holds each
clip in 68 copies, only u_test is read: there each clip stands once, under its
own subject. The database of origin is the form of the subject's name: sub01
(CASME II), s01 or s1 (SMIC), 006 (SAMM).
"""

import pathlib
import re
import typing

from mefnet_jax.datasets import directories, tables
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, findings, names

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

CLASSES = ('negative', 'positive', 'surprise')
IMAGES = ('auto', 'loso', 'whole')
PUBLISHED = dict(
  clips=442, subjects=68, negative=250, positive=109, surprise=83
) | dict(smic=164, casme2=145, samm=133)
TREE = (
  'three_norm_u_v_os/006/u_test/0/006_1_2 .png, or '
  'STSNet_whole_norm_u_v_os/006_1_2 .png with '
  'combined_3_class2_for_optical_flow.csv beside it'
)
TREES = {'': TREE}
OPTIONS = {'images': IMAGES}
# Tried in this order; none of them matches a name of another.
_FORMS = {
  'casme2': re.compile(r'sub0*(\d+)', re.IGNORECASE),
  'smic': re.compile(r's0*(\d+)', re.IGNORECASE),
  'samm': re.compile(r'0*(\d+)'),
}
_TABLE = re.compile(r'combined.*\.csv', re.IGNORECASE)
_LABELS = {'0': 0, '1': 1, '2': 2} | {n: i for i, n in enumerate(CLASSES)}


def read(
  root: pathlib.Path, *, images: str = 'auto', **_: object
) -> clip_records.Release:
  """Reads the maps of the composite.

  Args:
    root: the folder of either layout, or its parent.
    images: 'loso' or 'whole' names a layout; 'auto' takes the one that is
      there, 'whole' if both are.

  Raises:
    errors.UserError: `root` holds neither layout, or no table of labels.
  """
  listed: list[findings.Finding] = []
  folder, maps = _maps(root, images, listed)
  taken: dict[str, clip_records.Row] = {}
  for subject, label, file in maps:
    row = _row(subject, label, file, root, listed)
    if row is None:
      continue
    if row.clip in taken:
      what = f'a second map of {row.clip}'
      findings.leave_out(listed, '', directories.relative(file, root), what)
      continue
    taken[row.clip] = row
  rows = tuple(taken[clip] for clip in sorted(taken))
  head = [findings.Finding(findings.FOUND, '', str(folder), 'flow maps')]
  head += findings.summary(rows, CLASSES)
  return clip_records.Release(
    name='megc_flow',
    root=root,
    rows=rows,
    classes=CLASSES,
    findings=(*head, *listed),
    synthetic=False,  # `provenance` looks at the files
    published=PUBLISHED,
    places=(folder,),
    apart=('u_train',),
  )


def looks_like(root: pathlib.Path) -> bool:
  """Whether one of the two layouts lies in `root`."""
  places = directories.walk(root, depth=2)
  return any(_is_loso(f) or _table(f) for f in places)


def _maps(root, images, listed):
  """The folder of the maps, and (subject, label, file) of each."""
  places = list(directories.walk(root, depth=2))
  # The table first: its layout holds each clip once, so nothing must be chosen.
  tabled = [f for f in places if _table(f)] if images != 'loso' else []
  if tabled:
    return _whole(tabled[0], root, listed)
  loso = [f for f in places if _is_loso(f)] if images != 'whole' else []
  if loso:
    return loso[0], _loso(loso[0])
  kind = '' if images == 'auto' else f' in the layout {images}'
  raise errors.UserError(
    f'{root}: no flow maps of the MEGC2019 composite{kind} here; expected '
    f'{TREE}; looked in it and two levels below; it holds '
    f'{directories.names(root)}'
  )


def _is_loso(folder):
  """Whether a folder holds the layout by folds: subjects with a u_test each."""
  return any(
    (subject / 'u_test').is_dir() for subject in directories.subfolders(folder)
  )


def _loso(folder) -> 'Iterator[tuple]':
  # u_train holds the same maps of the other subjects again.
  for subject in directories.subfolders(folder):
    for label in directories.subfolders(subject / 'u_test'):
      for file in directories.image_files(label):
        yield subject.name, label.name, file


def _table(folder):
  """The table of labels in a folder; None if there is none."""
  found = (f for f in directories.files(folder) if _TABLE.fullmatch(f.name))
  return next(found, None)


def _whole(place, root, listed):
  """The maps that the table names; the others are reported, not used."""
  table = _table(place)
  files, folder = {}, place
  for candidate in directories.walk(place, depth=2):
    found = {_plain(f.stem): f for f in directories.image_files(candidate)}
    # The folder with most maps: others beside it hold single examples.
    if len(found) > len(files):
      files, folder = found, candidate
  return folder, _tabled(table, files, folder, root, listed)


def _tabled(table, files, folder, root, listed) -> 'Iterator[tuple]':
  records = tables.records(table, ('sub', 'filename_o', 'label'))
  used: dict[str, str] = {}
  for number, record in records:
    name = _plain(f'{record["sub"]}_{record["filename_o"]}')
    again = name in used
    if again and used[name] == names.label_key(record['label']):
      place, what = f'{table.name} row {number}', 'repeats another row'
      listed.append(findings.Finding(findings.IGNORED, '', place, what))
      continue
    used.setdefault(name, names.label_key(record['label']))
    if name not in files:
      shown = directories.relative(folder / f'{name} .png', root)
      findings.leave_out(
        listed, _clip(record['sub'], name), shown, 'no such map'
      )
      continue
    yield record['sub'], record['label'], files[name]
  for name in sorted(set(files) - used.keys()):
    shown = directories.relative(files[name], root)
    findings.leave_out(listed, '', shown, f'not in {table.name}')


def _row(subject, label, file, root, listed):
  """The clip of one map, or None with the reason added to `listed`."""
  shown = directories.relative(file, root)
  origin = _origin(subject)
  label = names.label_key(label)
  name = _plain(file.stem)
  wrong = ''
  if origin is None:
    wrong = f'subject {subject!r} is none of sub01, s01, 006'
  elif label not in _LABELS:
    wrong = f'class {label!r} is none of 0, 1, 2'
  # A map under another person's folder would leak that person into a fold.
  elif _origin(name.split('_')[0]) != origin:
    wrong = f'named after {name.split("_")[0]}, filed under {subject}'
  if wrong:
    return findings.leave_out(listed, _clip(subject, name), shown, wrong)
  return clip_records.Row(
    clip=_clip(subject, name),
    subject=_subject(*origin),
    label=_LABELS[label],
    # A map is the motion from onset to apex, and has no frames of its own.
    onset=1,
    apex=1,
    offset=1,
    frames=(file,),
    numbers=(1,),
    database=origin[0],
  )


def _origin(subject):
  """Database and number of a subject's name; None for any other name."""
  for database, form in _FORMS.items():
    if found := form.fullmatch(names.label_key(subject)):
      return database, int(found[1])
  return None


def _subject(database, number):
  """Padded: s1 and s01 are one person."""
  form = {'smic': 's{:02d}', 'casme2': 'sub{:02d}', 'samm': '{:03d}'}
  return form[database].format(number)


def _clip(subject, name):
  """The id of a clip, with its subject padded if that is known."""
  origin = _origin(subject)
  rest = name.split('_', 1)[-1]
  return f'{_subject(*origin)}_{rest}' if origin else name


def _plain(stem):
  """A map's name without the stray spaces, its subject padded."""
  plain = names.key(stem).replace(' ', '')
  who, _, rest = plain.partition('_')
  origin = _origin(who)
  return f'{_subject(*origin)}_{rest}' if origin else plain
