"""A camera, made of a file that is played in real time."""

import contextlib
import errno
import itertools
import os
import time
import types

import av
import numpy as np
import pandas as pd
import pytest
import rich.console

import mefnet_jax
from mefnet_jax.predict import (
  command,
  face_finder,
  live,
  live_camera,
  scorers,
)
from mefnet_jax.runs import errors, legal_notices
from tests.fixtures import videos

FPS = 25


@pytest.fixture
def played(tmp_path):
  path = tmp_path / 'played.mp4'
  videos.write(path, videos.shades(FPS), rate=FPS)
  return str(path)


@pytest.fixture(scope='module')
def scorer():
  return scorers.scorer(mefnet_jax.load('mefnet-zero'))


def test_it_is_played_in_real_time(played):
  began = time.monotonic()
  with live_camera.opened(played) as source:
    found = list(source)
  assert time.monotonic() - began >= (FPS - 1) / FPS - 0.01
  assert [frame.number for frame in found] == list(range(1, FPS + 1))
  np.testing.assert_allclose(
    [frame.time for frame in found], np.arange(FPS) / FPS, atol=1e-3
  )
  assert len(source.latencies) == FPS - source.dropped


def test_who_is_slow_is_given_the_newest_frame(played):
  """The frames between are dropped, counted, and said to be."""
  with live_camera.opened(played) as source:
    found = []
    for frame in source:
      found.append(frame)
      if frame.image is not None:
        time.sleep(0.2)
  assert [frame.number for frame in found] == list(range(1, FPS + 1))
  dropped = [frame for frame in found if frame.image is None]
  assert len(dropped) == source.dropped >= FPS // 2
  assert {frame.note for frame in dropped} == {live_camera.DROPPED}


@pytest.mark.parametrize(
  'source', ['7', '/dev/video7', 'nowhere.mp4', 'nowhere://camera']
)
def test_a_camera_that_is_not_there_is_one_line(source):
  with pytest.raises(errors.UserError, match='cannot be opened') as caught:
    live_camera.Camera(source)
  assert source in str(caught.value) and '\n' not in str(caught.value)


def test_a_camera_that_gives_nothing_is_given_up(played, monkeypatch):
  monkeypatch.setattr(live_camera, 'STALLED', 0.2)
  monkeypatch.setattr(live_camera.Camera, '_read', lambda self: time.sleep(1))
  with (
    live_camera.opened(played) as source,
    pytest.raises(errors.UserError, match='unplugged'),
  ):
    list(source)


def test_a_device_that_is_not_there_is_told_before_the_model_is_loaded():
  with pytest.raises(errors.UserError, match='--camera=7: .*no such device'):
    command.run([], command.Options(camera='7', model='nowhere'))


GONE = OSError(errno.ENODEV, os.strerror(errno.ENODEV))


@pytest.mark.parametrize(
  'error, words',
  [
    (GONE, 'No such device'),
    # FFmpeg's own are no OSError.
    (av.error.HTTPNotFoundError(404, 'Not found', 'stream'), 'Not found'),
    (av.error.ExternalError(1, 'Generic error', 'stream'), 'Generic error'),
  ],
  ids=['device', 'http', 'ffmpeg'],
)
def test_a_camera_that_is_unplugged_is_said_so(played, error, words):
  """What came before it is given, then one note."""
  with live_camera.opened(played) as source:
    source._container = _Unplugged(source._container, 5, error)
    found = [frame.number for frame in source]
  assert found == [1, 2, 3, 4, 5]
  (note,) = source.notes
  assert words in note and '\n' not in note


class _Unplugged:
  """A container whose device goes away after some frames."""

  def __init__(self, inner, after, error=GONE):
    self._inner, self._after, self._error = inner, after, error

  def decode(self, stream):
    yield from itertools.islice(self._inner.decode(stream), self._after)
    raise self._error

  def close(self):
    self._inner.close()

  @property
  def streams(self):
    return self._inner.streams


def test_an_unplugged_camera_is_one_line_and_status_1(monkeypatch, capsys):
  camera = types.SimpleNamespace(
    name='camera 0', path='0', dropped=2, notes=['it stopped (No such device)']
  )
  monkeypatch.setattr(live, 'run', lambda *args, **kwargs: camera)
  monkeypatch.setattr(command, '_scorer', lambda options, **_: None)
  monkeypatch.setattr(live_camera, 'check_device', lambda source: None)
  assert command.run([], command.Options(camera='0')) == 1
  error = capsys.readouterr().err.splitlines()[-1]
  assert error == 'error: --camera=0: it stopped (No such device)'


def test_what_came_before_the_plug_was_pulled_is_recorded_whole(
  smile, scorer, tmp_path, monkeypatch, capsys
):
  """Twenty frames, then the device is gone: whole files, one line, status 1."""
  path, out = tmp_path / 'smile.mp4', tmp_path / 'out'
  videos.write(path, smile, rate=FPS)
  real = live_camera.av.open

  def opened(*args, **how):
    return _Unplugged(real(*args, **how), after=20)

  monkeypatch.setattr(live_camera.av, 'open', opened)
  monkeypatch.setattr(command, '_scorer', lambda options, **_: scorer)
  here = contextlib.nullcontext(None)  # the detector of this process
  monkeypatch.setattr(face_finder, 'started', lambda detector: here)
  options = command.Options(camera=str(path), record=True, out=str(out))
  assert command.run([], options) == 1
  rows = pd.read_csv(out / 'camera.frames.csv')
  assert list(rows['frame']) == list(range(1, 21))
  assert rows['success'].any()
  assert {one.suffix for one in out.iterdir()} >= {'.csv', '.eaf', '.vtt'}
  assert not [one for one in tmp_path.iterdir() if one.name[0] == '.']
  *_, last = capsys.readouterr().err.splitlines()
  assert last == f'error: --camera={path}: it stopped (No such device)'


def test_what_is_recorded_is_what_a_video_would_get(smile, scorer, tmp_path):
  path, out = tmp_path / 'smile.mp4', tmp_path / 'out'
  videos.write(path, smile, rate=FPS)
  source = live.run(str(path), scorer, record=out, which=('csv', 'vtt'))
  rows = pd.read_csv(out / 'camera.frames.csv')
  assert len(rows) == len(smile)
  assert (rows['note'] == live_camera.DROPPED).sum() == source.dropped
  assert rows['success'].sum() > 0
  assert {one.name for one in out.iterdir()} == {
    'camera.frames.csv',
    'camera.events.csv',
    'camera.vtt',
  }
  assert [one.name for one in tmp_path.iterdir() if one.name[0] == '.'] == []


@pytest.mark.parametrize('width', [60, 80, 200])
def test_the_law_is_shown_whole_on_any_terminal(played, width):
  with live_camera.opened(played) as source:
    console = rich.console.Console(width=width)
    with console.capture() as shown:
      console.print(live.View(source).picture())
  lines = [line.strip('│ ') for line in shown.get().splitlines()]
  assert legal_notices.SHORT in ' '.join(lines)


def test_a_sparkline():
  assert live.sparkline([0, 0.5, 1, 2, -1]) == ' ▄██ '
