"""Faces out of odd videos are those of the same frames as pictures."""

import dataclasses
import fractions

import av
import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import (
  clip_records,
  clips,
  images,
  reading,
  video,
)
from tests.fixtures import videos

# How far a face may be from that of the same frames as PNG, in grey values.
NEAR = 1.5


@pytest.fixture(scope='session')
def canvas(rendered):
  """A rendered clip, twice as large, on 640 x 480 pixels.

  Each frame is brighter than the last, so that a frame at the wrong time is
  seen.
  """
  made = []
  for i, file in enumerate(rendered[0].frames):
    face = cv2.resize(images.read(file), None, fx=2, fy=2)
    face = cv2.convertScaleAbs(face, alpha=0.5 + 0.04 * i)
    height, width = face.shape
    whole = np.full((480, 640), 90, np.uint8)
    top, left = (480 - height) // 2, (640 - width) // 2
    whole[top : top + height, left : left + width] = face
    made.append(whole)
  return made


def faces(files=(), path=None, numbers=None):
  """The prepared face (T, S, S), of pictures or a video, and the findings."""
  row = clip_records.Row(
    clip='a',
    subject='p',
    label=0,
    onset=1,
    apex=1,
    offset=1,
    frames=tuple(files),
    numbers=tuple(numbers or range(1, 1 + (len(files) or video.count(path)))),
    video=path,
  )
  made = clips.prepare(row, clips.Options())
  assert made.streams, made.findings
  assert not made.findings
  return made.streams['face'][..., 0].astype(int)


@pytest.fixture(scope='session')
def pictures(canvas, tmp_path_factory):
  folder = tmp_path_factory.mktemp('pictures')
  for i, image in enumerate(canvas):
    cv2.imwrite(str(folder / f'{i:03d}.png'), image)
  return sorted(folder.iterdir())


@pytest.fixture(scope='session')
def wanted(pictures):
  return faces(pictures)


def far(found, wanted):
  return np.abs(found - wanted).mean()


def test_a_plain_video_is_near_its_pictures(canvas, wanted, tmp_path):
  path = videos.write(tmp_path / 'a.mp4', canvas)
  assert far(faces(path=path), wanted) < NEAR
  assert video.scan(path).notes == ()
  assert video.scan(path).size == (480, 640)


@pytest.mark.parametrize(
  'degrees',
  [90, *(pytest.param(n, marks=pytest.mark.slow) for n in (180, 270))],
)
def test_a_turned_video_is_turned_back(canvas, wanted, tmp_path, degrees):
  stored = [np.rot90(image, -degrees // 90) for image in canvas]
  path = videos.write(tmp_path / 'a.mp4', stored, turn=(degrees,))
  assert far(faces(path=path), wanted) < NEAR
  assert video.scan(path).size == (480, 640)
  (note,) = video.scan(path).notes
  assert f'turned by {degrees} degrees' in note


@pytest.mark.parametrize('suffix', ['avi', 'mp4', 'mkv', 'ts', 'flv'])
def test_times_run_forward_whatever_the_order_of_decoding(tmp_path, suffix):
  reordered = {'crf': '5', 'bf': '3'}
  path = tmp_path / f'a.{suffix}'
  videos.write(path, videos.shades(25), options=reordered)
  times = video.scan(path).times
  assert times == pytest.approx([i / 25 for i in range(25)], abs=2e-3)
  shown = [frame.time for frame in video.frames(path)]
  assert shown == pytest.approx(times)
  assert videos.numbers_shown(path) == list(range(25))


@pytest.mark.parametrize(('degrees', 'said'), [(45, True), (0, False)])
def test_an_odd_angle_is_reported(tmp_path, degrees, said):
  path = tmp_path / 'a.mp4'
  videos.write(path, videos.shades(9), turn=(degrees,))
  notes = ' '.join(video.scan(path).notes)
  assert ('odd angle' in notes) == said


def test_turning_back_is_exact(canvas, tmp_path):
  """Without loss each turn gives the very frames: no crop is off by one."""
  lossless = {'crf': '0', 'bf': '0'}
  for turn in (90, 180, 270):
    stored = [np.rot90(image, -turn // 90) for image in canvas[:4]]
    path = videos.write(
      tmp_path / f'{turn}.mp4',
      stored,
      turn=(turn,),
      form='yuv444p',
      options=lossless,
    )
    plain = videos.write(
      tmp_path / f'{turn}_plain.mp4',
      canvas[:4],
      form='yuv444p',
      options=lossless,
    )
    for one, other in zip(video.frames(path), video.frames(plain), strict=True):
      np.testing.assert_array_equal(one.image, other.image)


def test_a_variable_frame_rate_keeps_its_pace(canvas, wanted, tmp_path):
  chosen = [*range(4), *range(5, 11, 2), 11]
  path = videos.write(
    tmp_path / 'a.mkv',
    [canvas[i] for i in chosen],
    times=[40 * i for i in chosen],
  )
  assert [round(f.time * 25) for f in video.frames(path)] == chosen
  assert far(faces(path=path), wanted) < NEAR
  assert any('variable frame rate' in n for n in video.scan(path).notes)


def test_a_cut_by_copying_shows_what_a_player_shows(canvas, pictures, tmp_path):
  whole = videos.write(tmp_path / 'whole.mp4', canvas)
  path = videos.cut(whole, tmp_path / 'a.mp4', 0.16)
  assert video.count(path) == len(canvas) - 4
  assert video.scan(path).notes == ('4 frames of the file are not shown',)
  assert far(faces(path=path), faces(pictures[4:])) < NEAR


def test_pixels_that_are_not_square_are_made_so(canvas, wanted, tmp_path):
  narrow = [cv2.resize(x, (480, 480), interpolation=3) for x in canvas]
  path = videos.write(
    tmp_path / 'a.mp4', narrow, aspect=fractions.Fraction(4, 3)
  )
  assert video.scan(path).size == (480, 640)
  assert video.scan(path).notes == ('pixels of 4:3 made square',)
  assert far(faces(path=path), wanted) < NEAR


def test_a_thumbnail_is_not_the_video(canvas, wanted, tmp_path):
  path = tmp_path / 'a.mkv'
  with av.open(str(path), 'w') as container:
    small, film = (container.add_stream('libx264', rate=25) for _ in range(2))
    small.width, small.height = 160, 120
    film.width, film.height = 640, 480
    for stream in (small, film):
      stream.pix_fmt = 'yuv420p'
      stream.options = {'crf': '12'}
    for i, image in enumerate(canvas):
      if i < 2:
        tiny = np.zeros((120, 160), np.uint8)
        tiny = av.VideoFrame.from_ndarray(tiny, 'gray')
        container.mux(small.encode(tiny))
      container.mux(film.encode(av.VideoFrame.from_ndarray(image, 'gray')))
    for stream in (small, film):
      container.mux(stream.encode())
  assert video.count(path) == len(canvas)
  assert far(faces(path=path), wanted) < NEAR
  (note,) = video.scan(path).notes
  assert '2 videos in one file: that of 640 x 480' in note


@pytest.mark.parametrize(
  ('first', 'last', 'times', 'wanted'),
  [
    (1, 5, (), 3),
    (3, 8, (), 5),
    (1, 5, (0.0, 0.1, 0.2, 0.3, 0.4), 3),
    (1, 5, (0.0, 0.1, 0.2, 0.3, 1.0), 4),
    (2, 5, (0.0, 0.8, 0.9, 1.0, 1.2), 4),
    (1, 5, (0.0, None, 0.2, 0.3, 1.0), 3),
    (4, 9, (0.0, 0.1, 0.2), 6),
  ],
)
def test_the_middle_is_one_of_time(first, last, times, wanted):
  assert video.middle(first, last, times) == wanted


@pytest.mark.parametrize(
  ('times', 'where'),
  [
    ([0, 40, 80, 120, 160], (1, 2, 3, 4, 5)),
    ([0, 33, 67, 100, 133], (1, 2, 3, 4, 5)),  # 30 a second in whole ms
    ([0, 4, 8, 13, 17], (1, 2, 3, 4, 5)),  # 240
    ([0, 40, 80, 160, 240, 320], (1, 1.5, 2, 3, 4, 5)),
    ([0, 40, 80, 5080], (1, 2, 3, 128)),
    ([0, None, 80], (1, 2, 3)),
    ([0, 40, 40, 120], (1, 2, 3, 4)),
  ],
)
def test_times_are_the_clock(times, where):
  seconds = [None if t is None else t / 1000 for t in times]
  found = video.positions(range(1, len(times) + 1), seconds)
  assert found == pytest.approx(where)
  assert isinstance(found[-1], float) == ({*np.diff(where)} != {1})


def test_lost_frames_leave_a_gap_and_no_variable_rate():
  numbers = (3, 4, 7, 8)
  assert video.positions(numbers, [0.12, 0.16, 0.28, 0.32]) == numbers


def test_frames_of_a_damaged_stretch_are_filled_in(tmp_path, monkeypatch):
  """Each number that is asked for comes back once, in its order."""
  path = videos.write(tmp_path / 'a.mp4', videos.shades(20))
  row = clip_records.Row('a', 'p', 0, 1, 1, 1, (), tuple(range(1, 23)))
  row = dataclasses.replace(row, video=path)
  whole = list(video.frames(path))
  monkeypatch.setattr(
    video, 'frames', lambda *_, **__: (f for f in whole if f.number != 5)
  )
  noted = []
  frames, numbers = reading.read(row, noted)
  assert numbers == (1, 2, 3, 4, *range(6, 21))
  assert [round((f.mean() - 20) / 4) + 1 for f in frames] == list(numbers)
  assert len(noted) == 3
