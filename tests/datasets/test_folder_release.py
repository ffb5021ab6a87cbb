"""Any other set of clips: trees, tables, videos; paths that lead elsewhere."""

import re
import shutil

import av
import cv2
import numpy as np
import pytest

from mefnet_jax import datasets
from mefnet_jax.datasets import registry
from mefnet_jax.datasets.folder import entries, people
from mefnet_jax.preprocess import clips, images, video
from mefnet_jax.runs import errors, findings
from tests.fixtures import prepared, releases, videos

first_load = prepared.first_load  # a fixture


def write_video(path, frames, codec='mjpeg'):
  """A video of grey frames (n, H, W)."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream(codec, rate=30)
    stream.height, stream.width = frames[0].shape
    stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
    stream.options = {'qscale': '2'}
    for image in frames:
      frame = av.VideoFrame.from_ndarray(image, format='gray')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return path


@pytest.fixture(scope='module')
def tree(tiny_smic, tmp_path_factory):
  """class/subject/clip of the rendered clips, every third one a video."""
  root = tmp_path_factory.mktemp('folder') / 'own'
  for i, row in enumerate(registry.read('smic', tiny_smic).rows):
    label = ('negative', 'positive', 'surprise')[row.label]
    place = root / label / f'person {row.subject}' / row.clip
    if i % 3:
      shutil.copytree(row.frames[0].parent, place)
    else:
      grey = [images.read(frame) for frame in row.frames]
      write_video(place.with_suffix('.avi'), grey)
  return root


def test_a_tree_of_frames_and_videos_is_read(tree):
  release = registry.read('folder', tree)
  assert len(release.rows) == 9
  assert release.classes == ('negative', 'positive', 'surprise')
  assert {r.subject for r in release.rows} == {
    *('person_s01', 'person_s02', 'person_s03'),
  }
  assert sum(r.video is not None for r in release.rows) == 3
  assert not findings.lost(release.findings)
  assert not release.synthetic


def test_clips_of_a_tree_are_loaded(tree, first_load, tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  loaded = datasets.load(prepared.config(tree, name='folder'))
  of_smic = first_load[1]
  assert len(loaded.clip) == 9
  for i, clip in enumerate(loaded.clip):
    at = of_smic.clip.index(clip.rsplit('/', 1)[1])
    there = of_smic.streams['face'][at].astype(int)
    difference = np.abs(loaded.streams['face'][i] - there).mean()
    assert difference < 4  # a video has lost a little
    assert loaded.classes[loaded.label[i]] == of_smic.classes[of_smic.label[at]]


def table(root, *lines, head='path,subject,label,onset,apex,offset'):
  (root / 'clips.csv').write_text('\n'.join([head, *lines]) + '\n')
  return root


@pytest.fixture
def frames(tmp_path):
  """Two clips of frames 1..9, as empty files."""
  for name in ('a', 'b'):
    for number in range(1, 10):
      releases.touch(tmp_path / 'set' / name / f'{number}.jpg')
  return tmp_path / 'set'


def test_the_order_does_not_tell_the_class(tree):
  rows = registry.read('folder', tree).rows
  assert [r.subject for r in rows] == sorted(r.subject for r in rows)
  labels = [r.label for r in rows]
  assert labels != sorted(labels)


def test_a_table_names_clips_and_their_parts(frames):
  table(frames, 'a,p1,sad,2,4,6', 'a,p1,happy,7,,9', 'b,p 2,sad,,,')
  release = registry.read('folder', frames)
  assert release.classes == ('happy', 'sad')
  marks = {r.clip: (r.onset, r.apex, r.offset) for r in release.rows}
  assert marks == {'a@2': (2, 4, 6), 'a@7': (7, 8, 9), 'b': (1, 5, 9)}
  assert {r.subject for r in release.rows} == {'p1', 'p_2'}


HEADS = (
  'path,subject,label,Onset Frame,Apex_Frame,OffsetFrame',
  'Path,Subject,Label,onset,apex,offset',
  'path,subject,label,OnsetF,ApexF,OffsetF',
)


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize(
  ('encoding', 'first'), [('utf-8', ''), ('utf-16', ''), ('utf-8', 'sep=;\r\n')]
)
def test_tables_as_spreadsheets_write_them(frames, head, encoding, first):
  """Other names of the columns, UTF-16, Excel's own first line."""
  text = f'{head}\r\na,p,sad,2,/,4.0\r\n'
  text = first + (text.replace(',', ';') if first else text)
  (frames / 'clips.csv').write_bytes(text.encode(encoding))
  (row,) = registry.read('folder', frames).rows
  assert row.numbers == (2, 3, 4)
  assert row.apex == 3


def test_columns_that_are_not_read_are_reported(frames):
  (frames / 'clips.csv').write_text('path,subject,label,start\na,p,sad,2\n')
  told = [f.what for f in registry.read('folder', frames).findings]
  assert 'columns that are not read: start' in told


def test_two_columns_of_one_meaning_and_workbooks_are_refused(frames):
  (frames / 'clips.csv').write_text(
    'path,subject,label,onset,Onset Frame\na,p,sad,1,2\n'
  )
  with pytest.raises(errors.UserError, match="'onset' and 'onset frame'"):
    registry.read('folder', frames)
  (frames / 'clips.csv').write_bytes(b'PK\x03\x04rest')
  with pytest.raises(errors.UserError, match='it is a workbook'):
    registry.read('folder', frames)


def test_databases_of_a_table_tell_people_apart(frames):
  head = 'path;subject;label;database'
  table(frames, 'a;01;sad;casme', 'b;01;glad;samm', head=head)
  release = registry.read('folder', frames)
  assert [r.subject for r in release.rows] == ['casme_01', 'samm_01']
  assert [r.database for r in release.rows] == ['casme', 'samm']


@pytest.mark.parametrize(
  ('line', 'why'),
  [
    ('../../etc,p,sad,,,', 'leads out of the folder'),
    ('/etc,p,sad,,,', 'leads out of the folder'),
    ('C:\\x,p,sad,,,', 'leads out of the folder'),
    ('a\\..\\..\\x,p,sad,,,', 'leads out of the folder'),
    ('none,p,sad,,,', 'No such file'),
    ('a,p,sad,soon,,', "onset is 'soon'"),
    ('a,p,sad,50,,60', 'none of its 9 frames'),
    ('a,,sad,,,', 'subject is empty'),
    ('a,p,nan,,,', "label is 'nan': nothing is known"),
    ('a,p,NA,,,', "label is 'NA': nothing is known"),
    ('a,#REF!,sad,,,', "subject is '#REF!': nothing is known"),
    ('a,p,sad\x1b[31m,,,', 'it holds control characters'),
    ('a,p\0,sad,,,', 'it holds control characters'),
  ],
)
def test_rows_that_cannot_be_used_say_why(frames, line, why):
  release = registry.read('folder', table(frames, line, 'b,p,sad,,,'))
  assert [r.clip for r in release.rows] == ['b']
  (told,) = (f for f in release.findings if f.kind == findings.LEFT_OUT)
  assert why in told.what


def test_people_whose_names_differ_in_zeros_are_reported(frames):
  """A spreadsheet drops zeros; one person would be on both sides of a fold."""
  release = registry.read('folder', table(frames, 'a,02,sad,,,', 'b,2,glad,,,'))
  assert {row.subject for row in release.rows} == {'02', '2'}
  told = [f.what for f in release.findings if 'are taken for' in f.what]
  assert told == [
    "'02', '2' are taken for 2 people: spell them alike if they are one"
  ]


def test_people_whose_names_differ_in_accents_are_reported(frames):
  lines = 'a,José,sad,,,', 'b,jose,glad,,,', 'b,p 1,sad,,,', 'a,p_1,sad,,,'
  release = registry.read('folder', table(frames, *lines))
  told = [f.what for f in release.findings if 'are taken for' in f.what]
  assert ["'José', 'jose'", "'p 1', 'p_1'"] == [
    what.partition(' are')[0] for what in sorted(told)
  ]


def test_one_place_has_one_name_whatever_its_spelling(frames):
  """Twice in the table: the same row, or another label of the same clip."""
  (frames / 'link').symlink_to(frames / 'a')
  lines = 'a,p1,sad,,,', 'A/,p1,sad,,,', 'link,p1,sad,,,', './a,p1,glad,,,'
  release = registry.read('folder', table(frames, *lines, 'b,p2,glad,,,'))
  assert [row.clip for row in release.rows] == ['a', 'b']
  same = [f for f in release.findings if 'repeats row 2' in f.what]
  assert len(same) == 2
  assert findings.lost(release.findings) == {'a (2)'}


def test_people_stay_apart_whatever_their_names(tree, tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  copy = shutil.copytree(tree, tmp_path / 'own')
  names = {'s01': '\u5f20\u4e09', 's02': '\u674e\u56db', 's03': 'all'}
  for old, new in names.items():
    for place in copy.glob(f'*/person {old}'):
      place.rename(place.with_name(new))
  loaded = datasets.load(prepared.config(copy, name='folder'))
  assert len(set(loaded.subject)) == 3
  for name in loaded.subject:
    assert re.fullmatch(r'(subject|all)_[0-9a-f]{6}', name)
  entries = [
    dict(subject=name, label='') for name in ('p 1', 'p_1', 'P_1', 'p-1', 'q')
  ]
  people.unify(entries, [])
  made_names = people.subjects(entries)
  assert len({name.lower() for name in made_names.values()}) == 4
  assert made_names['', 'q'] == 'q'


def test_one_place_named_twice_is_one_clip(frames):
  table(frames, './a,p,sad,,,', 'a/,p,sad,,,', 'b,q,sad,,,')
  release = registry.read('folder', frames)
  assert [r.clip for r in release.rows] == ['a', 'b']


def test_what_a_table_promises_and_frames_lack_is_reported(frames):
  table(frames, 'a,p,sad,5,11,12', 'b,q,sad,2,3,4')
  release = registry.read('folder', frames)
  told = [f for f in release.findings if f.kind == findings.REPAIRED]
  assert [f.clip for f in told] == ['a@5']
  assert 'a shorter clip' in told[0].what
  table(frames, 'a,p,sad,5,9,7', 'b,q,sad,2,3,4')
  release = registry.read('folder', frames)
  assert release.rows[0].apex == 7
  assert 'apex before onset or after' in release.findings[-1].what


def test_a_link_to_itself_hides_nothing_else(frames):
  (frames / 'a' / 'x').symlink_to('x')
  (frames / 'x').symlink_to('x')
  tree = frames.parent / 'tree'
  shutil.copytree(frames, tree / 'sad' / 'p', symlinks=True)
  rows = registry.read('folder', tree).rows
  assert [r.clip for r in rows] == ['sad/p/a', 'sad/p/b']


def test_tables_of_another_form_are_one_line(frames):
  for text, why in (
    ('path,label\na,b\n', 'no column subject'),
    ('path,subject,label\n', 'no row'),
    ('', 'empty file'),
    ('path,subject,label,onset\na,p,sad,soon\n', "row 2: onset is 'soon'"),
    ('path,subject\0,label\na\xff', 'of another encoding'),
  ):
    (frames / 'clips.csv').write_text(text)
    with pytest.raises(errors.UserError, match=why):
      registry.read('folder', frames)
  (frames / 'clips.csv').write_bytes(b'\xff\xfe\x00')
  with pytest.raises(errors.UserError, match='cannot be read as CSV'):
    registry.read('folder', frames)
  with pytest.raises(errors.UserError, match=r'--config.dataset.table='):
    registry.read('folder', frames, table='../clips.csv')


def test_links_out_of_a_release_are_not_followed(tiny_smic, tmp_path):
  root = shutil.copytree(tiny_smic, tmp_path / 'release')
  folders = prepared.clip_folders(root)
  outside = tmp_path / 'outside'
  shutil.copytree(folders[0], outside)
  shutil.rmtree(folders[0])
  folders[0].symlink_to(outside)
  frame = sorted(folders[1].iterdir())[2]
  frame.unlink()
  frame.symlink_to(next(outside.iterdir()))
  within = sorted(folders[2].iterdir())[2]
  within.unlink()
  within.symlink_to(sorted(folders[2].iterdir())[1])
  release = registry.read('smic', root)
  told = {f.kind: f for f in release.findings if 'links out' in f.what}
  assert set(told) == {findings.LEFT_OUT, findings.REPAIRED}
  assert folders[0].name in told[findings.LEFT_OUT].file
  by_folder = {r.frames[0].parent.name: r for r in release.rows}
  assert frame not in by_folder[folders[1].name].frames
  assert within in by_folder[folders[2].name].frames


def test_video_frames_are_counted_and_found_by_number(tmp_path):
  shades = [np.full((48, 64), 20 * i, np.uint8) for i in range(1, 11)]
  path = write_video(tmp_path / 'a.avi', shades)
  assert video.count(path) == 10
  found = list(video.frames(path, 3, 5))
  assert [frame.number for frame in found] == [3, 4, 5]
  assert [round(frame.image.mean() / 20) for frame in found] == [3, 4, 5]
  whole = path.read_bytes()
  path.write_bytes(whole[: len(whole) * 4 // 5])
  assert 1 < len(list(video.frames(path, 1, 10))) < 10
  for wrong in (b'', b'text' * 99):
    path.write_bytes(wrong)
    with pytest.raises(ValueError):
      video.count(path)


def test_a_video_that_ends_early_is_reported(tiny_smic, tmp_path):
  row = registry.read('smic', tiny_smic).rows[0]
  grey = [images.read(frame) for frame in row.frames]
  write_video(tmp_path / 'sad' / 'p' / 'a.avi', grey)
  write_video(tmp_path / 'sad' / 'q' / 'a.avi', grey)
  head = 'path,subject,label,onset,offset'
  more = len(grey) + 3
  table(tmp_path, f'sad/p/a.avi,p,sad,1,{more}', head=head)
  (whole,) = registry.read('folder', tmp_path).rows
  assert whole.numbers[-1] == len(grey)  # the table promises more than there is
  short = type(whole)(
    **(whole.__dict__ | {'numbers': tuple(range(1, more + 1))})
  )
  clip = clips.prepare(short, clips.Options(frames=6, face=16, eyes=8, mouth=8))
  assert clip.streams is not None
  assert 'ends before it' in clip.findings[0].what


def test_raw_videos_of_cas_me2_are_cut(tmp_path):
  root = tmp_path / 'CAS(ME)^2'
  releases.workbook(root / 'CAS(ME)^2code_final.xlsx')
  shades = np.zeros((100, 48, 64), np.uint8)
  for subject, code in (('s15', '15_0502a'), ('s19', '19_0502b')):
    write_video(root / 'rawvideo' / subject / f'{code}.avi', shades)
  release = registry.read('cas_me2', root, images='rawvideo')
  marks = {r.clip: (r.numbers[0], r.numbers[-1]) for r in release.rows}
  assert marks == {'s15_happy1_1': (10, 20), 's19_happy1_1': (5, 14)}
  assert all(r.video is not None and not r.frames for r in release.rows)


def test_an_apex_that_nobody_gives_is_half_way_in_time(tmp_path):
  """Of a variable frame rate too: 13 frames in half a second, 6 in the rest."""
  shades = videos.shades(19)
  times = [*range(0, 520, 40), *range(600, 1080, 80)]
  for person in 'pq':
    (tmp_path / 'sad' / person).mkdir(parents=True)
    path = tmp_path / 'sad' / person / 'a.mkv'
    videos.write(path, shades, times=times)
  rows = registry.read('folder', tmp_path).rows
  assert [row.apex for row in rows] == [1 + times.index(480)] * 2


def test_a_folder_needs_a_release(tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path))
  with pytest.raises(errors.UserError, match='no synthetic release'):
    datasets.load(prepared.config('', name='folder'))


def test_pictures_of_the_whole_face_need_no_detector(tiny_smic):
  row = registry.read('smic', tiny_smic).rows[0]
  options = clips.Options(detector='none', frames=6, face=64, eyes=32, mouth=32)
  face = clips.prepare(row, options).streams['face'][0, ..., 0]
  whole = cv2.resize(
    images.read(row.frames[0]), (64, 64), interpolation=cv2.INTER_AREA
  )
  assert np.abs(face.astype(int) - whole).mean() < 4


def test_many_people_are_all_read(tmp_path, monkeypatch):
  """3 classes of 700 people: as many folders of people as a large set has."""
  for label in ('negative', 'positive', 'surprise'):
    for person in range(700):
      clip = tmp_path / label / f'p{person}' / 'clip'
      clip.mkdir(parents=True)
      (clip / '1.png').touch()
  release = registry.read('folder', tmp_path)
  assert len(release.rows) == 2100
  assert not findings.lost(release.findings)
  monkeypatch.setattr(entries, '_MOST_SUBJECTS', 2000)
  with pytest.raises(errors.UserError, match='2100 folders of the form'):
    registry.read('folder', tmp_path)
