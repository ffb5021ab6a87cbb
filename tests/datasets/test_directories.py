"""The number of a frame: the integer that varies within its clip."""

import re

import hypothesis
import pytest
from hypothesis import strategies as st

from mefnet_jax.datasets import directories, registry


def clip(folder, names):
  folder.mkdir(parents=True)
  for name in names:
    (folder / name).write_bytes(b'x')
  return folder


COUNT = range(1, 34)
NAMES = {
  'widths': [f'img{i}.jpg' for i in range(95, 128)],
  'windows': [f'frame ({i}).bmp' for i in COUNT],
  'faces': [f'frame{i:04d}_face0.bmp' for i in COUNT],
  'of': [f'img_{i}_of_33.png' for i in COUNT],
  'subject': [f's01 {i}.jpg' for i in COUNT],
  'renamed': [f'image{i} (1).bmp' for i in COUNT],
  'copied': [f'image{i} - Copy.bmp' for i in COUNT],
  'browser': ['x.jpg', *(f'x ({i}).jpg' for i in COUNT)],
  'time': [
    f'frame{i:04d}_t{i * 4 // 100}.{i * 4 % 100:02d}.png' for i in COUNT
  ],
  'hash': [f'f_{i:03d}_{(i * 7919) % 65536:04x}.png' for i in COUNT],
  'confidence': [f'f{i}_0.{(i * 7919) % 997 + 1000}.png' for i in COUNT],
}


@pytest.mark.parametrize('kind', NAMES)
def test_the_integer_that_varies_is_the_frame(tmp_path, kind):
  found = directories.frames(clip(tmp_path / 'c', NAMES[kind]))
  wanted = range(95, 128) if kind == 'widths' else COUNT
  assert found.numbers == tuple(wanted)
  assert not found.why
  assert [f.name for f in found.files] == NAMES[kind][-33:]
  assert found.aside == (('x.jpg',) if kind == 'browser' else ())


TEXT = st.text(
  st.characters(exclude_categories=['C', 'Z'], exclude_characters='/\\\\.'),
  max_size=8,
)


@hypothesis.given(
  before=TEXT,
  after=TEXT,
  constant=st.integers(0, 99),
  width=st.integers(0, 6),
  numbers=st.sets(st.integers(0, 10**6), min_size=2, max_size=12),
)
@hypothesis.settings(max_examples=200)
def test_whatever_stands_around_the_number(
  tmp_path_factory, before, after, constant, width, numbers
):
  """Digits at its sides would make it another number."""
  before = f'f{constant}_' + before.rstrip('0123456789')
  after = re.sub('^[0-9]+', '', after) + f'_of_{constant}'
  hypothesis.assume(not directories._COPY.search(after))
  folder = tmp_path_factory.mktemp('c', numbered=True) / 'c'
  clip(folder, [f'{before}{n:0{width}d}{after}.png' for n in numbers])
  found = directories.frames(folder)
  assert (found.numbers, found.why) == (tuple(sorted(numbers)), '')


def test_second_copies_are_set_aside(tmp_path):
  whole = [f'image{i}.bmp' for i in COUNT]
  copies = ['image40 (1).bmp', 'image7 (1).bmp', 'image9 - Copy.bmp']
  found = directories.frames(clip(tmp_path / 'a', [*whole, *copies]))
  assert found.numbers == tuple(COUNT)
  assert found.aside == tuple(copies)
  twice = [*whole, *(f'image{i} (1).bmp' for i in COUNT)]
  found = directories.frames(clip(tmp_path / 'b', twice))
  assert [f.name for f in found.files] == whole
  assert len(found.aside) == 33


def test_of_pictures_in_two_formats_one_is_taken(tmp_path):
  both = [f'f{i}{suffix}' for i in COUNT for suffix in ('.jpg', '.png')]
  found = directories.frames(clip(tmp_path / 'a', both))
  assert [f.name for f in found.files] == [f'f{i}.png' for i in COUNT]
  few = [*(f'f{i}.jpg' for i in COUNT), 'f3.png', 'f7.png']
  found = directories.frames(clip(tmp_path / 'b', few))
  assert [f.name for f in found.files] == [f'f{i}.jpg' for i in COUNT]
  assert found.aside == ('f3.png', 'f7.png')


@pytest.mark.parametrize(
  ('names', 'why'),
  [
    ([f'take1_{"abc"[i % 3] * i}.png' for i in COUNT], '33 pictures, but 1'),
    ([f'{"abc"[i % 3] * i}.png' for i in COUNT], '33 pictures, but 0'),
    ([f'f{i}_face{j}.png' for i in COUNT for j in (0, 1)], '66 pictures'),
    (
      [f'10.{t // 60:02d}.{t % 60:02d}.png' for t in range(50, 80)],
      'several integers vary',
    ),
  ],
)
def test_a_clip_whose_order_is_not_known_is_lost(tmp_path, names, why):
  clip(tmp_path / 'sad' / 'p' / 'a', names)
  clip(tmp_path / 'sad' / 'q' / 'a', NAMES['windows'])
  assert why in directories.frames(tmp_path / 'sad' / 'p' / 'a').why
  release = registry.read('folder', tmp_path)
  assert [row.clip for row in release.rows] == ['sad/q/a']
  (told,) = (f for f in release.findings if f.clip == 'sad/p/a')
  assert told.kind == 'left out' and why in told.what


@pytest.mark.parametrize(
  ('files', 'stranger'),
  [
    ([f'img{i}.png' for i in range(1, 9)], 'contact_sheet1.png'),
    ([f'frame{i}.png' for i in range(9)], 'frame-1.png'),
    ([f'{i:02x}.png' for i in range(10)], '0a.png'),
    ([f'f{i}_{i * 7919 % 4096:03x}.png' for i in range(9)], 'mask_3.png'),
  ],
)
def test_a_picture_of_another_pattern_is_no_frame(tmp_path, files, stranger):
  """It would take the place of a frame, or stand before the first one."""
  for name in (*files, stranger):
    (tmp_path / name).touch()
  found = directories.frames(tmp_path)
  assert [path.name for path in found.files] == files
  assert found.aside == (stranger,)


@pytest.mark.parametrize(
  'files',
  [
    [f'{i:02x}.png' for i in range(30)],
    [f'frame{i}.png' for i in range(-5, 6)],
    [f'img{i}{end}.png' for i in range(6) for end in ('', '_mask')],
  ],
)
def test_frames_of_several_patterns_are_none(tmp_path, files):
  for name in files:
    (tmp_path / name).touch()
  found = directories.frames(tmp_path)
  assert not found.files
  assert 'names of several patterns' in found.why
