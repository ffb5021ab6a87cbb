"""Frames of videos and folders, decoded in a process of their own."""

import os
import pathlib
import signal

import cv2
import numpy as np
import pytest

from mefnet_jax.predict import decoder, frames
from mefnet_jax.runs import errors
from tests.fixtures import videos


def read(path, fps=None):
  """(frames, notes) of a file."""
  with frames.opened(path, fps) as source:
    return list(source), source.notes


def shade(frame):
  """Which of `videos.shades` a frame shows."""
  return round((frame.image.mean() - 20) / 4)


def test_each_frame_comes_once_at_its_time(tmp_path):
  path = videos.write(
    tmp_path / 'ein Gesicht, übermüdet.mp4', videos.shades(30)
  )
  found, notes = read(path)
  assert [shade(frame) for frame in found] == list(range(30))
  assert [frame.number for frame in found] == list(range(1, 31))
  np.testing.assert_allclose([f.time for f in found], np.arange(30) / 25)
  assert not notes


def test_uneven_times_are_those_of_the_file(tmp_path):
  times = [0, 40, 50, 130, 135, 300]
  path = videos.write(tmp_path / 'uneven.mkv', videos.shades(6), times=times)
  found, _ = read(path)
  np.testing.assert_allclose([f.time for f in found], np.array(times) / 1000)


def test_a_clock_of_the_user_goes_before_that_of_the_file(tmp_path):
  path = videos.write(tmp_path / 'slow.mp4', videos.shades(8))
  found, _ = read(path, 200)
  np.testing.assert_allclose([f.time for f in found], np.arange(8) / 200)


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
  for number, image in enumerate(videos.shades(12), start=1):
    cv2.imwrite(str(tmp_path / f'img{number}.png'), image)
  (tmp_path / 'notes.txt').write_text('not a frame')
  (tmp_path / 'img5.png').write_bytes(b'damaged')
  found, notes = read(tmp_path, 100)
  assert [f.number for f in found] == list(range(1, 13))
  assert found[4].image is None and found[4].note == 'damaged'
  assert [shade(f) for f in found if f.image is not None] == [
    *range(4),
    *range(5, 12),
  ]
  assert notes == ['1 images are damaged']


@pytest.mark.parametrize(
  'name, content, fps, said',
  [
    ('gone.mp4', None, None, 'No such file'),
    ('text.mp4', b'no video', None, 'not a video'),
    ('empty.mp4', b'', None, 'not a video'),
    ('folder', 'folder', None, 'give --fps'),
    ('folder', 'folder', 25, 'a folder without images'),
  ],
)
def test_what_is_no_video_is_one_line(name, content, fps, said, tmp_path):
  path = tmp_path / name
  if content == 'folder':
    path.mkdir()
  elif content is not None:
    path.write_bytes(content)
  with pytest.raises(errors.UserError, match=said) as caught:
    read(path, fps)
  assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_an_encrypted_video_is_one_line(tmp_path):
  """Common encryption (cenc), as streaming services write it."""
  key = dict.fromkeys(('encryption_key', 'encryption_kid'), '0f' * 16)
  path = videos.write(
    tmp_path / 'film.mp4',
    videos.shades(4, (96, 128)),
    container_options={'encryption_scheme': 'cenc-aes-ctr', **key},
  )
  assert b'encv' in path.read_bytes()
  with pytest.raises(errors.UserError, match='an encrypted video') as caught:
    read(path)
  assert str(path) in str(caught.value)


def test_8k_is_read_at_its_size(tmp_path):
  image = np.zeros((4320, 7680), np.uint8)
  image[:, 3840:] = 200
  path = videos.write(
    tmp_path / '8k.mp4', [image], 'mjpeg', form='yuvj420p', options={}
  )
  (frame,), notes = read(path)
  assert frame.image.shape == image.shape and not notes
  assert abs(frame.image.mean() - 100) < 1


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read anything')
def test_a_file_that_may_not_be_read_is_one_line(tmp_path):
  path = videos.write(tmp_path / 'mine.mp4', videos.shades(2))
  path.chmod(0)
  with pytest.raises(errors.UserError, match='Permission denied'):
    read(path)


def test_a_video_that_ends_in_damage_gives_what_came_before(tmp_path):
  path = videos.write(tmp_path / 'whole.mkv', videos.shades(58, (240, 320)))
  whole = path.read_bytes()
  cut = tmp_path / 'cut.mkv'
  cut.write_bytes(whole[: len(whole) * 2 // 3])
  found, notes = read(cut)
  assert 0 < len(found) < 58
  assert [shade(f) for f in found] == list(range(len(found)))
  assert any('ends before its header says' in note for note in notes)


def test_a_decoder_that_crashes_ends_in_a_row_that_says_where(tmp_path):
  path = videos.write(tmp_path / 'long.mp4', videos.shades(59, (480, 640)))
  with frames.opened(path) as source:
    stream = iter(source)
    first = next(stream)
    source._process.send_signal(signal.SIGSEGV)
    rest = list(stream)
  assert first.image is not None
  assert rest[-1].image is None and 'SIGSEGV' in rest[-1].note
  assert rest[-1].number == len(rest) + 1 < 60
  assert 'broken after frame' in source.notes[-1]


def test_a_decoder_that_hangs_is_given_up(tmp_path, monkeypatch):
  path = videos.write(tmp_path / 'long.mp4', videos.shades(59, (480, 640)))
  with frames.opened(path) as source:
    stream = iter(source)
    next(stream)
    source._process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(frames, 'STALLED', 1.0)
    rest = list(stream)
  assert 'no frame for 1 s' in rest[-1].note


def test_too_much_memory_ends_the_decoder_alone(tmp_path):
  """Its limit is set before anything of the file is read."""
  code = (
    'from mefnet_jax.predict import decoder; decoder._bound_memory(); '
    f'bytearray({decoder.MEMORY})'
  )
  root = pathlib.Path(frames.__file__).parents[2]
  made = os.system(f'cd {root} && {os.sys.executable} -c "{code}" 2>/dev/null')
  assert os.waitstatus_to_exitcode(made) == 1


def test_leaving_early_ends_the_decoder(tmp_path):
  path = videos.write(tmp_path / 'long.mp4', videos.shades(59, (480, 640)))
  with frames.opened(path) as source:
    next(iter(source))
  assert source._process.poll() is not None


def test_frames_in_memory_have_a_clock_too():
  colour = np.zeros((4, 4, 3), np.uint8)
  colour[..., 1] = 100
  found = list(frames.Arrays([colour] * 3, 50))
  assert [f.time for f in found] == [0, 0.02, 0.04]
  assert (found[0].image == 59).all()
  found = list(frames.Arrays([colour] * 2, [0.0, 0.3]))
  assert [f.time for f in found] == [0, 0.3]
  with pytest.raises(errors.UserError, match='uint8'):
    list(frames.Arrays([np.zeros((4, 4))], 25))
