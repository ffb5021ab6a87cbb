"""A video is not a script: what is opened, and for how long."""

import av
import numpy as np
import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import (
  containers,
  decoding,
  sound,
  video,
)
from tests.fixtures import videos


@pytest.mark.parametrize(
  'text',
  [
    'ffconcat version 1.0\nfile other.avi\n',
    '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.avi\n',
    '<?xml version="1.0"?><MPD><Period></Period></MPD>',
    'v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1234 RTP/AVP 96\n',
    '1\n00:00:00,000 --> 00:00:01,000\nhello\n',
    'P5 64 48 255 ' + 'x' * 64 * 48,
    '',
  ],
)
@pytest.mark.parametrize('suffix', ['avi', 'mp4', 'mkv'])
def test_a_text_is_not_a_video(tmp_path, text, suffix):
  videos.write(
    tmp_path / 'other.avi', videos.shades(9), 'mjpeg', form='yuvj420p'
  )
  path = tmp_path / f'a.{suffix}'
  path.write_text(text)
  for ask in (video.count, lambda p: list(video.frames(p))):
    with pytest.raises(ValueError, match='not a video'):
      ask(path)


def test_a_playlist_in_a_release_is_left_out_in_a_line(tmp_path):
  for person in ('p', 'q'):
    (tmp_path / 'sad' / person).mkdir(parents=True)
  whole = tmp_path / 'sad' / 'p' / 'a.avi'
  videos.write(whole, videos.shades(9), 'mjpeg', form='yuvj420p')
  (tmp_path / 'sad' / 'q' / 'b.avi').write_text(
    'ffconcat version 1.0\nfile ../p/a.avi\n'
  )
  release = registry.read('folder', tmp_path)
  assert [row.clip for row in release.rows] == ['sad/p/a']
  (told,) = (f for f in release.findings if f.clip == 'sad/q/b')
  assert (told.kind, told.what) == ('left out', 'not a video')


@pytest.mark.parametrize(
  ('module', 'limit', 'value', 'why'),
  [
    (decoding, 'MOST_FRAMES', 8, 'more than 8 frames'),
    (decoding.headers, 'MOST_PIXELS', 3000, '64 x 48 pixels'),
    (containers, 'MOST_SECONDS', 0, 'takes more than 0 s'),
    (containers, 'MOST_PACKETS', 4, 'more than 4 packets'),
  ],
)
def test_bounds(tmp_path, monkeypatch, module, limit, value, why):
  path = tmp_path / 'a.avi'
  videos.write(path, videos.shades(9), 'mjpeg', form='yuvj420p')
  monkeypatch.setattr(module, limit, value)
  with pytest.raises(ValueError, match=why):
    video.count(path)


def test_a_changed_file_is_looked_at_again(tmp_path):
  path = videos.write(tmp_path / 'a.mp4', videos.shades(9))
  assert video.count(path) == 9
  videos.write(path, videos.shades(12))
  assert video.count(path) == 12


def test_names_are_no_addresses(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  videos.write(tmp_path / 'a.mp4', videos.shades(9))
  for name in ('a%03d.mp4', 'http:a.mp4', 'concat:a.mp4|a.mp4', b'\xff.mp4'):
    name = name.decode('utf8', 'surrogateescape') if name[0] == 255 else name
    (tmp_path / 'a.mp4').rename(tmp_path / name)
    assert video.count(name) == 9
    (tmp_path / name).rename(tmp_path / 'a.mp4')


@pytest.mark.parametrize('damage', [None, '{', '{"times": [1]}', '[]'])
def test_a_long_video_is_decoded_once(tmp_path, monkeypatch, damage):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setattr(video, '_LONG', -1)
  path = videos.write(tmp_path / 'a.mp4', videos.shades(9), turn=(90,))
  first = video.scan(path)
  (kept,) = (tmp_path / 'cache' / 'videos').iterdir()
  video._scan.cache_clear()  # as in the next process
  if damage is None:
    monkeypatch.setattr(decoding, 'opened', None)
  else:
    kept.write_text(damage)
  assert video.scan(path) == first


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'file'))
  monkeypatch.setattr(video, '_LONG', -1)
  path = videos.write(tmp_path / 'a.mp4', videos.shades(9))
  assert video.count(path) == 9


def test_a_playlist_is_no_sound_track(tmp_path):
  with av.open(str(tmp_path / 'b.mkv'), 'w') as container:
    stream = container.add_stream('pcm_s16le', rate=sound.RATE)
    stream.layout = 'mono'
    samples = np.ones((1, 8000), np.int16)
    frame = av.AudioFrame.from_ndarray(samples, 's16', 'mono')
    frame.rate = sound.RATE
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
  assert len(sound.read(tmp_path / 'b.mkv')) == 8000
  path = tmp_path / 'a.mkv'
  path.write_text('ffconcat version 1.0\nfile b.mkv\n')
  with pytest.raises(ValueError, match='not a video'):
    sound.read(path)
