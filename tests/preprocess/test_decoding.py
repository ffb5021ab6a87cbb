"""Which frames of a video are shown, and how; forms of pixels; damage."""

import fractions
import gc
import pathlib
import struct

import av
import numpy as np
import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.predict import decoder
from mefnet_jax.preprocess import (
  reading,
  video,
)
from tests.fixtures import videos


@pytest.mark.parametrize('degrees', [0, 90, 180, 270])
@pytest.mark.parametrize('mirrored', [False, True])
def test_all_eight_orientations(tmp_path, degrees, mirrored):
  """As libavutil defines them: turned against the clock, then mirrored."""
  image = np.full((48, 64, 3), 40, np.uint8)
  image[:24, :32] = 200
  image[:24, 32:] = 120
  path = videos.write(tmp_path / 'a.mp4', [image] * 3, turn=(degrees, mirrored))
  shown = np.rot90(image, degrees // 90)
  shown = shown[:, ::-1] if mirrored else shown
  frame = next(video.frames(path, colour=True))
  assert frame.image.shape == shown.shape
  assert np.abs(frame.image.astype(int) - shown).mean() < 8
  assert video.scan(path).size == shown.shape[:2]


def test_onset_apex_and_offset_count_shown_frames(tmp_path):
  whole = videos.write(tmp_path / 'whole.mp4', videos.shades(50))
  for person in ('p', 'q'):
    place = tmp_path / 'tree' / 'sad' / person
    place.mkdir(parents=True)
    videos.cut(whole, place / 'a.mp4', 0.32)
  row, _ = registry.read('folder', tmp_path / 'tree').rows
  assert (row.onset, row.apex, row.offset) == (1, 21, 42)
  noted = []
  frames, numbers = reading.read(row, noted)
  assert (len(frames), numbers, noted) == (42, tuple(range(1, 43)), [])
  assert videos.numbers_shown(row.video) == list(range(8, 50))


def test_frames_before_time_zero_are_not_shown(tmp_path):
  path = videos.write(tmp_path / 'a.mkv', videos.shades(12))
  data = bytearray(path.read_bytes())
  for i in range(12):  # simple blocks: track 1, then the time
    key = b'\x80' if i == 0 else b'\0'
    at = data.index(b'\x81' + struct.pack('>h', 40 * i) + key)
    data[at + 1 : at + 3] = struct.pack('>h', 40 * i - 120)
  path.write_bytes(data)
  assert videos.numbers_shown(path) == list(range(3, 12))
  assert [f.number for f in video.frames(path, 2, 4)] == [2, 3, 4]


@pytest.mark.parametrize('suffix', ['mkv', 'ts', 'avi'])
def test_frames_before_the_first_key_frame_are_not_shown(tmp_path, suffix):
  codec = 'mpeg4' if suffix == 'avi' else 'libx264'
  options = {'g': '10', 'bf': '0', 'b': '4M'}
  options['sc_threshold'] = str(10**9) if suffix == 'avi' else '0'
  whole = videos.write(
    tmp_path / f'w.{suffix}', videos.shades(30), codec, options=options
  )
  path = tmp_path / f'a.{suffix}'
  with av.open(str(whole)) as before, av.open(str(path), 'w') as container:
    stream = before.streams.video[0]
    copy = container.add_stream_from_template(stream)
    for i, packet in enumerate(p for p in before.demux(stream) if p.size):
      if i >= 4:  # the first key frame that is left is the eleventh
        packet.stream = copy
        container.mux(packet)
  assert videos.numbers_shown(path) == list(range(10, 30))
  assert video.count(path) == 20
  assert '6 frames of the file are not shown' in video.scan(path).notes


def test_flat_pixels_of_a_turned_video(tmp_path):
  path = tmp_path / 'a.mp4'
  videos.write(
    path, videos.shades(3), aspect=fractions.Fraction(1, 2), turn=(90,)
  )
  assert video.scan(path).size == (64, 96)
  assert next(video.frames(path)).image.shape == (64, 96)


@pytest.mark.parametrize('alone', [False, True])
def test_a_cover_picture_is_not_the_video(tmp_path, alone):
  path = tmp_path / 'a.mp4'
  with av.open(str(path), 'w') as container:
    cover = container.add_stream('mjpeg', rate=25)
    cover.disposition = av.stream.Disposition.attached_pic
    cover.width, cover.height, cover.pix_fmt = 640, 480, 'yuvj420p'
    image = np.zeros((480, 640), np.uint8)
    film = None if alone else container.add_stream('libx264', rate=25)
    if film:
      film.width, film.height, film.pix_fmt = 64, 48, 'yuv420p'
    container.mux(cover.encode(av.VideoFrame.from_ndarray(image, 'gray')))
    for image in [] if alone else videos.shades(9):
      container.mux(film.encode(av.VideoFrame.from_ndarray(image, 'gray')))
    for stream in (cover, film):
      container.mux(stream.encode() if stream else [])
  if alone:
    with pytest.raises(ValueError, match='a cover picture, not a video'):
      video.count(path)
  else:
    assert video.count(path) == 9
    assert video.scan(path).size == (48, 64)


@pytest.mark.parametrize(
  ('codec', 'form', 'suffix'),
  [
    ('ffv1', 'yuv420p10le', 'mkv'),
    ('ffv1', 'yuva420p', 'mkv'),
    ('ffv1', 'bgra', 'avi'),
    ('ffv1', 'gray16le', 'mkv'),
    ('ffv1', 'gray', 'mkv'),
    ('rawvideo', 'monob', 'avi'),
    ('libx264', 'yuv422p10le', 'mp4'),
    ('libvpx-vp9', 'yuv420p', 'webm'),
    ('libvpx', 'yuv420p', 'webm'),
    ('mjpeg', 'yuvj422p', 'avi'),
    ('mpeg2video', 'yuv420p', 'mpg'),
    ('prores_ks', 'yuv422p10le', 'mov'),
    ('wmv2', 'yuv420p', 'wmv'),
  ],
)
@pytest.mark.parametrize('size', [(48, 64), (47, 63)])
def test_forms_of_pixels(tmp_path, codec, form, suffix, size):
  if codec not in av.codecs_available:
    pytest.skip(f'PyAV without {codec}')
  if size[0] % 2 and ('42' in form and codec != 'ffv1'):
    size = (46, 62)
  levels = [0, 255] * 5 if form == 'monob' else range(40, 200, 16)
  images_ = [np.full(size, level, np.uint8) for level in levels]
  path = tmp_path / f'a.{suffix}'
  videos.write(path, images_, codec, form=form, options={'b': '4M'})
  found = list(video.frames(path))
  assert video.count(path) == len(found) == 10
  assert video.scan(path).notes == ()
  for frame, level in zip(found, levels, strict=True):
    assert frame.image.shape == size
    assert abs(frame.image.mean() - level) < 4


@pytest.mark.parametrize('suffix', ['mpg', 'ts'])
def test_interlaced_fields_are_reported(tmp_path, suffix):
  codec = 'mpeg2video' if suffix == 'mpg' else 'libx264'
  options = {'flags': '+ildct+ilme', 'b': '4M', 'bf': '0'}
  path = tmp_path / f'a.{suffix}'
  videos.write(path, videos.shades(10), codec, options=options)
  assert videos.numbers_shown(path) == list(range(10))
  (note,) = video.scan(path).notes
  assert 'interlaced' in note


@pytest.mark.parametrize('suffix', ['avi', 'mkv', 'ts', 'mp4'])
@pytest.mark.parametrize('share', [0.4, 0.7])
def test_a_truncated_video_gives_what_came_before(tmp_path, suffix, share):
  path = tmp_path / f'a.{suffix}'
  textured = [
    np.random.default_rng(i).integers(0, 255, (48, 64), np.uint8)
    for i in range(40)
  ]
  options = {'movflags': '+faststart'} if suffix == 'mp4' else {}
  with av.open(str(path), 'w', options=options) as container:
    stream = container.add_stream('mjpeg' if suffix == 'avi' else 'libx264')
    stream.width, stream.height = 64, 48
    stream.pix_fmt = 'yuvj420p' if suffix == 'avi' else 'yuv420p'
    for image in textured:
      frame = av.VideoFrame.from_ndarray(image, 'gray')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  whole = path.read_bytes()
  path.write_bytes(whole[: int(len(whole) * share)])
  assert 0.5 * share * 40 < video.count(path) < 40
  if suffix != 'ts':  # it says nowhere how long it is
    assert any('before its header says' in n for n in video.scan(path).notes)


def test_damage_within_a_video_is_reported_and_passed_over(tmp_path):
  path = videos.write(
    tmp_path / 'a.avi',
    videos.shades(20),
    'mpeg4',
    options={'g': '1', 'b': '4M'},
  )
  data = path.read_bytes()
  at = [i for i in range(len(data)) if data[i : i + 4] == b'00dc'][9]
  path.write_bytes(data[: at + 8] + b'\xff' * 40 + data[at + 48 :])
  assert 18 <= video.count(path) <= 20
  shown = videos.numbers_shown(path)
  assert shown[:8] == list(range(8)) and shown[-9:] == list(range(11, 20))


@pytest.mark.parametrize(
  ('suffix', 'codec'),
  [('mp4', 'libx264'), ('mkv', 'libx264'), ('avi', 'mpeg4'), ('ts', 'libx264')],
)
def test_damaged_bytes_end_in_one_line_or_in_frames(tmp_path, suffix, codec):
  """And both ways of reading agree on what is there."""
  path = tmp_path / f'a.{suffix}'
  whole = videos.write(path, videos.shades(12), codec).read_bytes()
  rng = np.random.default_rng(0)
  usable = 0
  for _ in range(60):
    data = bytearray(whole)
    for at in rng.integers(0, len(data), rng.choice([1, 4, 16])):
      data[at] = rng.integers(256)
    path.write_bytes(data[: rng.integers(len(data) // 2, 2 * len(data))])
    try:
      there = video.count(path)
    except ValueError:
      continue
    numbers = [frame.number for frame in video.frames(path)]
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[-1] <= there
    usable += 1
  assert usable > 10


@pytest.mark.parametrize('command', ['predict', 'datasets'])
def test_decoded_frames_and_their_threads_do_not_pile_up(tmp_path, command):
  """Not even while Python looks for no circles of references: it may for long.

  Half an hour of video once took 4 GiB of address space for threads.
  """
  path = videos.write(tmp_path / 'a.mp4', videos.shades(20))
  most = {'frames': 0, 'threads': 0}

  def look():
    alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    threads = len([*pathlib.Path('/proc/self/task').glob('*')])
    for name, count in (('frames', alive), ('threads', threads)):
      most[name] = max(most[name], count)

  gc.collect()
  gc.disable()
  gc.freeze()  # what was there before is not looked through at each frame
  try:
    look()
    before = dict(most)
    if command == 'predict':
      decoder.run(str(path), None, lambda *record, **rest: look())
    else:
      for _ in video.frames(path):
        look()
  finally:
    gc.unfreeze()
    gc.enable()
  assert most['frames'] - before['frames'] <= 4
  assert most['threads'] - before['threads'] <= 4


@pytest.mark.parametrize(
  ('curve', 'said'),
  [('arib-std-b67', 'HLG'), ('smpte2084', 'PQ'), ('bt709', '')],
)
def test_the_light_of_a_telephone_is_reported(tmp_path, curve, said):
  """Greys of HDR lie closer together; what is darker stays darker."""
  options = {'x265-params': f'log-level=none:transfer={curve}'}
  path = tmp_path / 'a.mp4'
  form = 'yuv420p10le'
  videos.write(path, videos.shades(9), 'libx265', form=form, options=options)
  notes = video.scan(path).notes
  assert [note.partition(':')[0] for note in notes] == (
    [f'HDR ({said})'] if said else []
  )
  assert videos.numbers_shown(path) == list(range(9))
