"""All that lies in a release is read, left out and counted, or litter."""

import os
import pathlib
import re
import shutil
import unicodedata

import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import containers, decoding, media
from mefnet_jax.runs import errors, findings
from tests.fixtures import releases, videos

ROOT = pathlib.Path(__file__).parents[2]
EMOTIONS = ('negative', 'positive', 'surprise')
PEOPLE = ('anna', 'ben', 'carl', 'dora')


def tree(root, people=PEOPLE, classes=EMOTIONS):
  """class/person/clip with three frames a clip; returns root."""
  for label in classes:
    for person in people:
      for number in (1, 2, 3):
        releases.touch(root / label / person / 'clip' / f'img{number}.png')
  return root


def read(root, **options):
  return registry.read('folder', root, **options)


def lost(release):
  return findings.lost(release.findings)


def ignored(release):
  return [f.file for f in release.findings if f.kind == findings.IGNORED]


@pytest.mark.parametrize('space', ['\u202f', '\u00a0', '\u3000'])
def test_names_with_odd_spaces_are_read(tmp_path, space):
  root = tree(tmp_path, (f'anna{space}b', *PEOPLE[1:]))
  for place in root.glob('*/ben/clip'):
    place.rename(place.with_name(f'10.41{space}AM'))
  release = read(root)
  assert len(release.rows) == 12 and not lost(release)
  camera = releases.smic_tree(tmp_path / 'smic')
  (camera / 's2').rename(camera / f's2{space}')
  release = registry.read('smic', tmp_path / 'smic')
  assert len(release.rows) == 3
  assert {row.subject for row in release.rows} == {'s02', 's11'}


def test_a_folder_that_may_not_be_read_is_lost(tmp_path, monkeypatch):
  """Mode 000, which does not bind root: so the call is made to fail."""
  root = tree(tmp_path)
  closed, scandir = root / 'negative' / 'ben', os.scandir

  def guarded(folder):
    if pathlib.Path(folder) == closed:
      raise PermissionError(13, 'Permission denied', str(folder))
    return scandir(folder)

  monkeypatch.setattr(os, 'scandir', guarded)
  release = read(root)
  assert len(release.rows) == 11
  (left_out,) = (f for f in release.findings if f.file == 'negative/ben')
  assert left_out.kind == findings.LEFT_OUT
  assert 'cannot be read (Permission denied)' in left_out.what
  assert len(lost(release)) == 1


@pytest.mark.parametrize('suffix', ['.MTS', '.m4v', '.3gp', '.ts', '.flv'])
def test_videos_of_any_suffix_are_taken_up(tmp_path, suffix):
  root = tree(tmp_path)
  file = releases.touch(root / 'surprise' / 'anna' / f'film{suffix}')
  release = read(root)
  # Of one byte, so it is no video: but it is seen, and counted.
  assert lost(release) == {'surprise/anna/film'}
  assert file.stem in release.findings[-1].clip


@pytest.mark.parametrize('suffix', ['.webp', '.heic', '.tga'])
def test_pictures_that_are_not_read_are_counted(tmp_path, suffix):
  root = tree(tmp_path)
  for file in (root / 'negative' / 'anna' / 'clip').iterdir():
    file.rename(file.with_suffix(suffix))
  for number in range(1, 3):
    releases.touch(root / 'negative' / 'ben' / 'clip' / f'x{number}{suffix}')
  release = read(root)
  assert len(release.rows) == 10
  assert lost(release) == {'negative/anna/clip', 'negative/ben/clip'}
  (told, *_) = (f for f in release.findings if f.kind == findings.LEFT_OUT)
  assert suffix in told.what


def test_jfif_is_a_picture(tmp_path):
  root = tree(tmp_path)
  for file in root.rglob('*.png'):
    file.rename(file.with_suffix('.jfif'))
  assert len(read(root).rows) == 12


def test_litter_is_no_class_and_no_loss(tmp_path):
  root = tree(tmp_path)
  releases.touch(
    root / '__MACOSX' / 'negative' / 'anna' / 'clip' / '._img1.png'
  )
  for name in ('.DS_Store', 'Thumbs.db', 'desktop.ini', '~$notes.docx'):
    releases.touch(root / 'negative' / name)
    releases.touch(root / 'negative' / 'anna' / 'clip' / name)
  releases.touch(root / 'negative' / 'anna' / 'clip' / '._img1.png')
  releases.touch(root / 'README.pdf')
  release = read(root)
  assert release.classes == EMOTIONS
  assert len(release.rows) == 12 and not lost(release)
  assert set(ignored(release)) == {
    root.as_posix(),
    'negative',
    'negative/anna/clip',
    'README.pdf',
  }


def test_what_lies_elsewhere_is_counted_clip_by_clip(tmp_path):
  root = tree(tmp_path)
  releases.touch(root / 'film.mp4')
  releases.touch(root / 'negative' / 'film.mp4')
  releases.touch(root / 'negative' / 'anna' / 'data.mat')
  for name in ('a', 'b'):
    for number in (1, 2):
      releases.touch(
        root / 'positive' / 'ben' / 'day1' / name / f'{number}.png'
      )
  releases.touch(root / 'positive' / 'ben' / 'loose.png')
  releases.touch(root / 'positive' / 'ben\n' / 'clip' / '1.png')
  raw = os.fsencode(root / 'positive') + b'/\xff\xfe/clip'
  os.makedirs(raw)
  with open(raw + b'/1.png', 'wb') as file:
    file.write(b'x')
  release = read(root)
  assert len(release.rows) == 12
  assert len(lost(release)) == 8
  assert 'not usable' not in registry.shortfall(release.rows, (), 0.1)
  assert '8 of 20 clips' in registry.shortfall(
    release.rows, release.findings, 0.1
  )


def test_rows_without_a_clip_count_as_lost(tmp_path):
  root = tree(tmp_path)
  lines = [f'{c}/{p}/clip,{p},{c}' for c in EMOTIONS for p in PEOPLE[:2]]
  lines += ['negative/carl/clip,,negative', '../x,dora,negative']
  text = '\n'.join(['path,subject,label', *lines])
  (root / 'clips.csv').write_text(text)
  release = read(root)
  assert len(release.rows) == 6
  assert lost(release) == {'clips.csv row 8', 'clips.csv row 9'}
  # What the table does not name was not asked for.
  assert len(ignored(release)) == 6


def test_the_two_forms_of_a_name_are_one_person(tmp_path):
  nfc, nfd = (unicodedata.normalize(form, 'José') for form in ('NFC', 'NFD'))
  root = tree(tmp_path, (nfc, 'S01', *PEOPLE))
  (root / 'positive' / nfc).rename(root / 'positive' / nfd)
  (root / 'positive' / 'S01').rename(root / 'positive' / '\uff33\uff10\uff11')
  (root / 'surprise' / 'anna').rename(root / 'surprise' / 'Anna ')
  # As programs for texts turn dashes and apostrophes.
  (root / 'positive' / 'ben').rename(root / 'positive' / "b-o'n")
  (root / 'surprise' / 'ben').rename(root / 'surprise' / 'b\u2013o\u2019n')
  (root / 'negative' / 'ben').rename(root / 'negative' / 'b\u2010o\u02bcn')
  release = read(root)
  assert len(release.rows) == 18
  assert len({row.subject for row in release.rows}) == 6
  told = [f.what for f in release.findings if f.kind == findings.REPAIRED]
  assert sum('spellings of one person' in what for what in told) == 4


def test_classes_in_several_spellings_are_one(tmp_path):
  root = tree(tmp_path)
  for label in ('Negative', 'negative ', 'NEGATIVE'):
    tree(root, (label.lower().strip() + 'x',), (label,))
  release = read(root)
  assert release.classes == EMOTIONS
  assert len(release.rows) == 15
  (root / 'clips.csv').write_text(
    'path,subject,label\n'
    + ''.join(
      f'{c}/{p}/clip,{p},{k}\n'
      for c, p, k in (
        *(('negative', 'anna', '1'), ('negative', 'ben', '1.0')),
        *(('positive', 'anna', '2'), ('positive', 'ben', '2.0')),
      )
    )
  )
  assert len(read(root).classes) == 2


def test_folders_of_clips_may_have_dots(tmp_path):
  root = tree(tmp_path)
  for folder in root.glob('*/*/clip'):
    for version in ('x_v1.1', 'x_v1.2', 'x.avi'):
      shutil.copytree(folder, folder.with_name(version))
    releases.touch(folder.with_name('x.mp4'))
  release = read(root)
  assert len(release.rows) == 48
  assert len(lost(release)) == 12  # the videos of one byte
  assert 'negative/anna/x_v1.1' in {row.clip for row in release.rows}


@pytest.mark.parametrize(
  ('people', 'classes'),
  [
    (PEOPLE, EMOTIONS),
    (('s01', 's02'), ('0', '1', '2')),
    (PEOPLE, ('0', '1', '2')),
    (('张三', '李四'), ('积极', '消极')),
    (PEOPLE, ('Ne', 'Po', 'Sur')),
  ],
)
def test_person_class_clip_is_refused(tmp_path, people, classes):
  tree(tmp_path, people=classes, classes=people)
  with pytest.raises(errors.UserError, match='person/class/clip'):
    read(tmp_path)
  shutil.rmtree(tmp_path)
  assert len(read(tree(tmp_path, people, classes)).classes) == len(classes)


def test_repeated_rows_are_one_clip(tmp_path):
  root = tree(tmp_path)
  lines = [f'{c}/{p}/clip,{p},{c}' for c in EMOTIONS for p in PEOPLE]
  lines += [lines[0]] * 10 + [lines[1].replace('ben,', 'carl,')]
  (root / 'clips.csv').write_text('\n'.join(['path,subject,label', *lines]))
  release = read(root)
  assert len(release.rows) == 12
  assert lost(release) == {'negative/ben/clip (2)'}


def test_a_cell_may_hold_any_separator(tmp_path):
  root = tree(tmp_path)
  lines = [
    f'{c}/{p}/clip,{p},{c},"a\x0bb\x85c\u2028d\ne"'
    for c in EMOTIONS
    for p in PEOPLE
  ]
  (root / 'clips.csv').write_text(
    '\n'.join(['path,subject,label,note', *lines])
  )
  release = read(root)
  assert len(release.rows) == 12 and not lost(release)


def test_an_onset_of_0_says_that_the_table_counts_from_0(tmp_path):
  for name in ('a', 'b', 'c'):
    for number in range(1, 11):
      releases.touch(tmp_path / name / f'{number}.png')
  for number in range(10):
    releases.touch(tmp_path / 'd' / f'{number}.png')
  head = 'path,subject,label,onset,apex,offset\n'
  body = 'a,p,sad,0,4,8\nb,q,sad,3,0,6\nc,p,glad,0,0,3\nd,q,glad,2,4,6\n'
  (tmp_path / 'clips.csv').write_text(head + body)
  release = read(tmp_path)
  marks = {r.clip: (r.onset, r.apex, r.offset) for r in release.rows}
  assert marks == {
    'a@0': (1, 5, 9),
    'b@3': (4, 5, 7),  # no apex is coded: the middle
    'c@0': (1, 1, 4),  # its apex is its onset
    'd@2': (2, 4, 6),  # pictures that are numbered from 0 themselves
  }
  assert any('counts frames from 0' in f.what for f in release.findings)


def test_zeros_alone_are_no_numbers(tmp_path):
  for name in ('a', 'b'):
    for number in range(1, 11):
      releases.touch(tmp_path / name / f'{number}.png')
  head = 'path,subject,label,onset,apex,offset\n'
  (tmp_path / 'clips.csv').write_text(head + 'a,p,sad,0,0,0\nb,q,glad,2,4,6\n')
  marks = [(r.onset, r.apex, r.offset) for r in read(tmp_path).rows]
  assert marks == [(1, 5, 10), (2, 4, 6)]


def test_zeros_that_a_spreadsheet_ate_are_found_again(tmp_path):
  root = tmp_path / 'whole'
  for name in ('006_1_2', 's01_1_1', 'sub01_1_1'):
    releases.touch(root / 'maps' / f'{name} .png')
  (root / 'combined_3_class.csv').write_text(
    'dataset,sub,filename_o,label\nsamm,6,1_2,0\nsmic,s01,1_1,1.0\n'
    'casme2,sub01,1_1,2\nsamm,006,1_2,0.0\n'
  )
  release = registry.read('megc_flow', root)
  assert len(release.rows) == 3 and not lost(release)


def test_maps_that_are_not_read_are_counted_one_by_one(tmp_path):
  root = tmp_path / 'three_norm_u_v_os'
  for who, side, file in (
    *(('006', 'u_test', '006_1_2 .png'), ('s01', 'u_test', 's01_1_1 .png')),
    *(('006', 'u_test', '006_1_3 .webp'), ('006', 'u_test', '006_1_4.webp')),
    *(('006', 'u_train', 's01_1_1 .png'), ('s01', 'u_test', '.DS_Store')),
  ):
    releases.touch(root / who / side / '0' / file)
  release = registry.read('megc_flow', tmp_path)
  assert len(release.rows) == 2 and len(lost(release)) == 2


def test_a_table_may_spell_paths_otherwise_than_the_disk(tmp_path):
  nfc, nfd = (unicodedata.normalize(form, 'José') for form in ('NFC', 'NFD'))
  root = tree(tmp_path, (nfd, 'Ben', 'carl'))
  lines = [
    f'{c.upper()}/{p}/Clip,{p},{c},{d}'
    for c in EMOTIONS
    for p, d in ((nfc, 'CASME'), ('ben', 'casme '), ('carl', 'samm'))
  ]
  text = '\n'.join(['path,subject,label,database', *lines])
  (root / 'clips.csv').write_text(text)
  release = read(root)
  assert len(release.rows) == 9 and not lost(release)
  assert {row.database for row in release.rows} == {'CASME', 'samm'}


def test_names_that_are_not_utf8_can_be_written_down(tmp_path):
  root = tree(tmp_path / 'release')
  raw = os.fsencode(root / 'positive' / 'ben') + b'/\xff\xfe'
  os.makedirs(raw)
  with open(raw + b'/1.png', 'wb') as file:
    file.write(b'x')
  release = read(root)
  findings.write(tmp_path / 'findings.csv', release.findings)
  text = (tmp_path / 'findings.csv').read_text()
  assert 'positive/ben/\\udcff\\udcfe' in text and 'rename it' in text


def test_the_documentation_lists_what_is_read():
  text = (ROOT / 'docs' / 'datasets.md').read_text()
  for kind, suffixes in (
    ('pictures', media.PICTURES),
    ('videos', media.VIDEOS),
  ):
    (line,) = re.findall(rf'^\| {kind} `([^`]*)`', text, re.MULTILINE)
    assert sorted(line.split()) == sorted(suffixes)
  for number in (decoding.MOST_FRAMES, containers.MOST_PACKETS):
    assert f'{number:,} ' in text
  assert f'{containers.MOST_SECONDS} seconds of decoding' in text


@pytest.mark.parametrize(
  ('true', 'codec', 'said'),
  [
    ('.ogv', 'libvpx', '.ogg'),
    ('.mp4', 'libx264', '.m4a'),
    ('.wmv', 'wmv2', '.wma'),
    ('.avi', 'mjpeg', '.wav'),
  ],
)
def test_a_video_with_the_name_of_a_sound_is_lost(tmp_path, true, codec, said):
  root = tree(tmp_path)
  path = root / 'negative' / 'anna' / f'film{true}'
  form = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
  videos.write(path, videos.shades(3), codec, form=form, options={})
  path.rename(path.with_suffix(said))
  release = read(root)
  assert lost(release) == {f'negative/anna/film{said}'}
  told = release.findings[-1].what
  assert told == f'a video with the name of a sound ({said})'


@pytest.mark.parametrize(
  ('suffix', 'codec'),
  [('.ogg', 'libopus'), ('.m4a', 'aac'), ('.wav', 'pcm_s16le'), ('.mp3', '')],
)
def test_a_sound_is_no_clip(tmp_path, suffix, codec):
  root = tree(tmp_path)
  path = root / 'negative' / 'anna' / f'film{suffix}'
  if codec:
    videos.sound(path, codec)
  else:
    path.write_bytes(b'')
  release = read(root)
  assert not lost(release)
  assert ignored(release) == [f'negative/anna/film{suffix}']
