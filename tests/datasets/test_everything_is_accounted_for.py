"""Releases of random names: read + left out + ignored = what is on disk.

For every layout. Names hold Unicode in both forms, full-width digits, odd
spaces, dots, brackets and newlines; clips are pictures of any suffix, numbered
in many ways, videos, or neither; folders lie deeper than they should; litter
lies everywhere.
"""

import pathlib
import shutil
import tempfile
import unicodedata

import cv2
import hypothesis
import numpy as np
from hypothesis import strategies

from mefnet_jax.datasets import check, registry
from mefnet_jax.preprocess import media, reading
from mefnet_jax.runs import errors, files, findings, names
from tests.fixtures import accounted, releases, sampled

LETTERS = 'abzÀé\uff33\uff10\uff11张01 .()[]_-\u202f\u00a0\u3000\n\u0301'
NAMES = strategies.text(
  strategies.sampled_from(LETTERS), min_size=1, max_size=6
)
NAMES = NAMES.filter(lambda name: name.strip('.') and not name.startswith('.'))
SUFFIXES = strategies.sampled_from(
  ('.png', '.BMP', '.jfif', '.tif', '.webp', '.heic')
)
NUMBERING = strategies.sampled_from(
  (
    *('img{}', 'frame ({})', '{:03d}', 'reg_image{:06d}', 'f{:04d}_face0'),
    *('1.5 {}', 'clip[{}]', 'x\u202f{}', 'no number'),
  )
)
LITTER = strategies.sets(
  strategies.sampled_from(
    ('.DS_Store', 'Thumbs.db', 'desktop.ini', '__MACOSX', '._img1.png', '.git')
  ),
  max_size=3,
)
CONTENT = strategies.tuples(
  strategies.sampled_from(('pictures', 'video', 'deeper', 'unknown')),
  SUFFIXES,
  NUMBERING,
  LITTER,
)


def place(folder, content):
  """Fills a clip's place; returns the places of the clips that lie there."""
  kind, suffix, form, litter = content
  try:
    if kind == 'video':
      return [releases.touch(folder.with_name(f'{folder.name}.MTS'))]
    if kind == 'unknown':
      return [releases.touch(folder.with_name(f'{folder.name}.xyz'))]
    inner = [folder / 'a', folder / 'b'] if kind == 'deeper' else [folder]
    for clip in inner:
      for number in (9, 10, 11):
        releases.touch(clip / f'{form.format(number)}{suffix}')
      drop(clip, litter)
    return inner
  except (FileExistsError, NotADirectoryError):
    hypothesis.reject()


def drop(folder, litter):
  """Leaves litter in a folder, some of it folders of pictures."""
  for name in litter:
    inside = name in ('__MACOSX', '.git')
    releases.touch(folder / name / '1.png' if inside else folder / name)


def litter_is_told(root, release):
  """Each folder with litter in it, that a reader enters, is in the findings."""
  told = ' '.join(
    f.what for f in release.findings if f.kind == findings.IGNORED
  )
  return 'litter' in told


def read(name, root, **options):
  try:
    return registry.read(name, root, **options)
  except errors.UserError as error:
    assert str(error)
    return None


@sampled.given(
  strategies.dictionaries(
    strategies.tuples(
      strategies.sampled_from(('sad', 'Sad', 'glad', 'fear ', 'joy')),
      NAMES,
      NAMES,
    ),
    CONTENT,
    min_size=1,
    max_size=8,
  ),
  LITTER,
)
def test_a_tree(clips, litter):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'release'
    made = set()
    for (label, person, clip), content in clips.items():
      made |= set(place(root / label / person / clip, content))
    drop(root, litter)
    release = read('folder', root, images='tree')
    if release is None:
      return
    lost = findings.lost(release.findings)
    assert len(release.rows) + len(lost) == len(made)
    assert not list(accounted.uncovered(root, release))
    assert not litter or litter_is_told(root, release)
    assert len({row.clip for row in release.rows}) == len(release.rows)
    people = {
      row.subject for row in release.rows
    }  # never more than there are names
    assert len(people) <= len({names.label_key(x[1]) for x in clips})


@sampled.given(
  strategies.lists(strategies.tuples(NAMES, CONTENT), min_size=1, max_size=6),
  strategies.integers(0, 2),
)
def test_a_table(clips, repeated):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'release'
    rows, made = [], set()
    for i, (name, content) in enumerate(clips):
      clip = root / f'{i}' / name
      (inner, *_) = place(clip, content)
      path = inner.relative_to(root).as_posix()
      if media.is_writable(path):  # a cell with a newline is stripped
        rows.append((path, f'p{i % 3}', ('sad', 'glad')[i % 2]))
        made.add(inner)
    rows += rows[:repeated]
    files.write_csv(root / 'clips.csv', ('path', 'subject', 'label'), rows)
    release = read('folder', root, images='table')
    if release is None:
      return
    lost = findings.lost(release.findings)
    assert len(release.rows) + len(lost) == len(made)
    assert not list(accounted.uncovered(root, release))


SMIC = strategies.tuples(
  strategies.integers(1, 3),
  strategies.sampled_from(('ne', 'po', 'sur')),
  strategies.integers(1, 2),
  strategies.sampled_from(('', '\u202f', ' ', '\u3000')),
  strategies.sampled_from(('s{}', 'S{:02d}', '\uff33{}')),
)


@sampled.given(
  strategies.dictionaries(SMIC, CONTENT, min_size=1, max_size=8),
  strategies.sets(NAMES, max_size=2),
  LITTER,
)
def test_smic(clips, others, litter):
  emotions = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'release'
    camera = root / 'SMIC_all_cropped' / 'HS'
    releases.smic_clip(camera, 's9_ne_01')
    made = {camera / 's9' / 'micro' / 'negative' / 's9_ne_01'}
    for (who, code, number, space, form), content in clips.items():
      name = f'{form.format(who)}_{code}_{number:02d}{space}'
      micro = camera / f'{form.format(who)}{space}' / f'micro{space}'
      at = micro / emotions[code] / name
      found = place(at, content)
      made |= {at} if content[0] == 'deeper' else set(found)
    for name in others:
      made |= set(place(camera / name / 'clip', ('pictures', '.png', '{}', ())))
    drop(camera, litter)
    release = read('smic', root)
    lost = findings.lost(release.findings)
    assert len(release.rows) + len(lost) == len(made)
    assert not list(accounted.uncovered(root, release))
    assert not litter or litter_is_told(root, release)


@sampled.given(
  strategies.lists(
    strategies.tuples(
      strategies.sampled_from(
        ('006', 's01', 'sub01', '\uff10\uff10\uff17', 'q')
      ),
      strategies.sampled_from(('0', '1', '2.0', 'x')),
      strategies.sampled_from(('.png', ' .png', '.webp', '.JPG', '.mp4')),
    ),
    min_size=1,
    max_size=8,
  ),
  LITTER,
)
def test_flow_maps_of_folders(maps, litter):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'three_norm_u_v_os'
    for i, (who, label, suffix) in enumerate(maps):
      file = f'{unicodedata.normalize("NFKC", who)}_{i}{suffix}'
      releases.touch(root / who / 'u_test' / label / file)
      releases.touch(root / who / 'u_train' / label / file)
    drop(root / maps[0][0] / 'u_test', litter)
    release = registry.read('megc_flow', root)
    lost = findings.lost(release.findings)
    assert len(release.rows) + len(lost) == len(maps)
    assert not list(accounted.uncovered(root, release))
    assert not litter or litter_is_told(root, release)


@sampled.given(
  strategies.lists(
    strategies.tuples(
      strategies.sampled_from(('006', 's01', 'sub01')),
      strategies.sampled_from(('0', '1', '2.0')),
      strategies.sampled_from(('.png', ' .png', '\u00a0.jfif', '.webp')),
      strategies.sampled_from(('both', 'row', 'map')),
    ),
    min_size=1,
    max_size=8,
  ),
  LITTER,
)
def test_flow_maps_of_a_table(maps, litter):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'whole'
    lines, lost_maps = ['dataset,sub,filename_o,label'], 0
    releases.touch(root / 'maps' / '006_first .png')
    lines.append('samm,006,first,0')
    for i, (who, label, suffix, where) in enumerate(maps):
      if where != 'map':
        lines.append(f'x,{who},{i},{label}')
      if where != 'row':
        releases.touch(root / 'maps' / f'{who}_{i}{suffix}')
      # A map of a kind that is not read is two losses: a row, and a file.
      lost_maps += where != 'both' or suffix == '.webp'
      lost_maps += where == 'both' and suffix == '.webp'
    drop(root / 'maps', litter)
    (root / 'combined_3_class.csv').write_text('\n'.join(lines) + '\n')
    release = registry.read('megc_flow', root)
    assert len(findings.lost(release.findings)) == lost_maps
    whole = sum(
      where == 'both' and suffix != '.webp' for _, _, suffix, where in maps
    )
    assert len(release.rows) == 1 + whole
    assert not list(accounted.uncovered(root / 'maps', release))


CODED = strategies.sampled_from(releases.CODED)


@sampled.given(
  strategies.dictionaries(CODED, CONTENT, min_size=0, max_size=5),
  strategies.sampled_from(('', '\u202f', '\u3000')),
  strategies.sets(NAMES, max_size=2),
  LITTER,
)
def test_image_trees_of_cas_me2(changed, space, others, litter):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'CAS(ME)^2'
    releases.workbook(root / 'CAS(ME)^2code_final.xlsx')
    releases.cas_cut(root, 'cropped')
    tree = root / 'cropped'
    for coded, content in changed.items():
      subject = tree / f'{releases.SUBJECTS[coded[0] - 1]}'
      (subject / coded[1]).rename(subject / 'aside')
      for file in (subject / 'aside').iterdir():
        file.unlink()
      (subject / 'aside').rmdir()
      place(subject / f'{coded[1]}{space}', content)
    for name in others:
      place(tree / '15' / f'x{name}', ('pictures', '.png', '{}', ()))
    drop(tree, litter)
    release = registry.read('cas_me2', root, expressions='both')
    lost = findings.lost(release.findings)
    asked = {
      f's{releases.SUBJECTS[c[0] - 1]}_{c[1]}'
      for c in releases.CODED
      if c[6] != 'others'
    }
    assert {row.clip for row in release.rows} | lost == asked
    assert len(release.rows) + len(lost) == len(asked)
    assert not list(accounted.uncovered(root, release))


LONG = strategies.sampled_from(
  [('s03', 's3_ne_22'), ('s03', 's3_po_01'), ('s04', 's4_sur_01')]
)


@sampled.given(
  strategies.dictionaries(LONG, CONTENT, min_size=0, max_size=3),
  strategies.sampled_from(('', '\u202f', '\u3000', ' ')),
  strategies.sets(NAMES, max_size=2),
  LITTER,
)
def test_long_recordings_of_smic(changed, space, others, litter):
  """Each expression of the workbook is read or lost, whatever lies there."""
  with tempfile.TemporaryDirectory() as folder:
    root = releases.smic_long(pathlib.Path(folder) / 'release')
    tree = root / 'SMIC-E_raw image' / 'HS_long' / 'SMIC-HS-E'
    for (subject, clip), content in changed.items():
      shutil.rmtree(tree / subject / clip)
      place(tree / subject / f'{clip}{space}', content)
    for name in others:
      place(tree / 's03' / f'x{name}', ('pictures', '.png', '{}', ()))
    drop(tree, litter)
    release = read('smic', root, subset='hs_long')
    if release is None:
      return
    lost = findings.lost(release.findings)
    asked = {'s03_ne_22', 's03_po_01', 's03_po_01_2', 's04_sur_01'}
    assert {row.clip for row in release.rows} | lost == asked
    assert len(release.rows) + len(lost) == len(asked)
    assert not list(accounted.uncovered(tree, release))


SHORT = tuple(row for row in releases.CODED if row[4] <= 41)


@sampled.given(
  strategies.dictionaries(
    strategies.sampled_from(SHORT), CONTENT, min_size=0, max_size=3
  ),
  strategies.sets(NAMES, max_size=2),
  LITTER,
)
def test_long_videos_of_cas_me2(changed, others, litter):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / 'CAS(ME)^2'
    releases.workbook(root / 'CAS(ME)^2code_final.xlsx', SHORT)
    for coded in SHORT:
      subject = releases.SUBJECTS[coded[0] - 1]
      number = f'{releases.VIDEOS[coded[1].split("_")[0]]:04d}'
      place_of = releases.cas_long(root, subject, number, frames=45)
      if coded in changed:
        shutil.rmtree(place_of)
        place(place_of, changed[coded])
    for name in others:
      place(
        root / 'rawpic' / 's15' / f'x{name}', ('pictures', '.png', '{}', ())
      )
    drop(root / 'rawpic', litter)
    release = read('cas_me2', root, expressions='both')
    if release is None:
      return
    lost = findings.lost(release.findings)
    asked = {
      f's{releases.SUBJECTS[c[0] - 1]}_{c[1]}'
      for c in SHORT
      if c[6] != 'others'
    }
    assert {row.clip for row in release.rows} | lost == asked
    assert len(release.rows) + len(lost) == len(asked)
    assert not list(accounted.uncovered(root / 'rawpic', release))


RAMP = np.tile(np.linspace(0, 1, 32), (8, 1))
DEPTHS = strategies.sampled_from((8, 10, 12, 14, 16, 'mixed', 'negative'))


@sampled.given(strategies.lists(DEPTHS, min_size=1, max_size=6))
def test_bit_depths(depths):
  """A clip is as bright as the white of its camera requires, or it is lost."""
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    for i, bits in enumerate(depths):
      clip = root / 'sad' / f'p{i}' / 'a'
      clip.mkdir(parents=True)
      for number, image in enumerate(_images(bits)):
        assert cv2.imwrite(str(clip / f'{number}.tiff'), image)
    release = check._inspected(registry.read('folder', root))
    lost = findings.lost(release.findings)
    assert len(release.rows) + len(lost) == len(depths)
    assert lost == {
      f'sad/p{i}/a' for i, x in enumerate(depths) if isinstance(x, str)
    }
    deepest = {x for x in depths if not isinstance(x, str) and x > 8}
    for row in release.rows:
      bits = depths[int(row.subject[1:])]
      white = max(x for x in {*deepest, bits} if x <= bits + 2 and x >= bits)
      white = 8 if bits == 8 else white
      (frame, *_), _ = reading.read(row, [])
      wanted = RAMP * 255 * (2**bits - 1) / (2**white - 1)
      assert np.abs(frame - wanted).max() < 2


def _images(bits):
  if bits == 'negative':
    return [np.full((8, 32), -3, np.int16)] * 2
  if bits == 'mixed':
    return [np.full((8, 32), 3, kind) for kind in (np.uint8, np.uint16)]
  kind = np.uint8 if bits == 8 else np.uint16
  return [np.rint(RAMP * (2**bits - 1)).astype(kind)] * 2
