"""The command: several videos in, files out, one line for each fault."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import mefnet_jax
from mefnet_jax.predict import (
  command,
  event,
  face_finder,
  formats,
  overlay,
  results,
  scorers,
  trained_model,
  watch,
)
from mefnet_jax.predict.formats import csv_files
from mefnet_jax.runs import errors, files
from tests.fixtures import recorded, videos

ENDINGS = {module.SUFFIX for module in formats.FORMATS.values()}
ENDINGS |= {csv_files.FRAMES, '.timeline.png'}


@pytest.fixture(scope='module')
def scorer():
  return scorers.scorer(trained_model.load('mefnet-zero'))


@pytest.fixture
def predict(monkeypatch, scorer, tmp_path):
  """A function that runs the command in this process; returns the status."""
  monkeypatch.setattr(command, '_scorer', lambda options: scorer)
  monkeypatch.setattr(
    face_finder, 'started', lambda _: contextlib.nullcontext(None)
  )

  def run(*paths, **given):
    given = {'out': str(tmp_path / 'out'), **given}
    return command.run(list(map(str, paths)), command.Options(**given))

  return run


@pytest.fixture
def film(smile, tmp_path):
  """A video of the smile, 25 frames a second, named as people name them."""
  return videos.write(tmp_path / 'Gespräch mit Jürgen 1.mp4', smile)


@pytest.fixture
def short(smile, tmp_path):
  """The first half second of that video."""
  return videos.write(tmp_path / 'Müller, ganz kurz.mp4', smile[:13])


def files_of(folder, stem):
  return {p.name.removeprefix(stem) for p in folder.iterdir()}


def test_a_video_leaves_its_files(predict, film, tmp_path, capsys):
  assert predict(film, overlay=True) == 0
  out = tmp_path / 'out'
  assert files_of(out, film.stem) == ENDINGS | {'.overlay.mp4'}
  (one,) = csv_files.read_events(out / f'{film.stem}.events.csv')
  assert one.label == 'positive' and one.file == film.name
  assert abs(one.onset - recorded.ONSET) <= 0.04
  verdict, *_, said = capsys.readouterr().out.splitlines()
  assert verdict.startswith(f'{film.name}: at 25 fps and 3')
  assert 'of SYNTHETIC faces' in verdict
  assert said.startswith(f'{film.name}: 65 frames, 2.6 s, 1 micro-')
  found = subprocess.run(
    [sys.executable, '-c', SHOWN, str(out / f'{film.stem}.overlay.mp4')],
    capture_output=True,
    check=True,
  )
  assert json.loads(found.stdout) == 65


SHOWN = """
import json, sys
from mefnet_jax.preprocess import video
print(json.dumps(video.count(sys.argv[1])))
"""


def test_faces_are_shown_only_where_asked_for(predict, short, tmp_path):
  import cv2

  plain = []
  for show in (False, True):
    predict(short, overlay=True, show_faces=show)
    reader = cv2.VideoCapture(
      str(tmp_path / 'out' / f'{short.stem}.overlay.mp4')
    )
    _, image = reader.read()
    plain.append(np.mean(np.abs(image.astype(int) - overlay.WALL) < 10))
  assert plain[1] < 0.2 < 0.7 < plain[0]


def test_a_failed_video_stops_no_other(predict, short, tmp_path, capsys):
  import cv2

  still = cv2.imencode('.jpg', np.zeros((48, 64), np.uint8))[1].tobytes()
  bad = {
    'gone.mp4': None,
    'text.mp4': b'no video',
    'sound.wav': b'RIFF\x24\0\0\0WAVEfmt ',
    'ein Bild, übermüdet.jpg': still,
    'empty.mkv': b'',
  }
  for name, content in bad.items():
    if content is not None:
      (tmp_path / name).write_bytes(content)
  folder = tmp_path / 'frames'
  folder.mkdir()
  paths = [*(tmp_path / name for name in bad), folder]
  assert predict(*paths[:3], short, *paths[3:], formats=['csv']) == 1
  out = tmp_path / 'out'
  assert files_of(out, short.stem) == {
    csv_files.SUFFIX,
    csv_files.FRAMES,
    '.timeline.png',
  }
  said = capsys.readouterr().err.splitlines()
  assert '6 of 7 failed:' in said
  for path in paths:
    assert sum(line.startswith(f'failed: {path}:') for line in said) == 1
  assert not list(tmp_path.glob('.out*'))


@pytest.mark.parametrize('where', ['rows', 'events'])
def test_a_disk_that_fills_leaves_nothing_and_stops_no_other(
  where, predict, tmp_path, monkeypatch, capsys
):
  """Where it fills while the first video is written, the second is whole."""
  module = files if where == 'rows' else formats.FORMATS['eaf']
  name = 'to_csv' if where == 'rows' else 'write'
  write, calls = getattr(module, name), []

  def full(*given, **named):
    calls.append(1)
    if len(calls) == (3 if where == 'rows' else 1):
      raise OSError(errno.ENOSPC, 'No space left on device', 'x.eaf')
    return write(*given, **named)

  monkeypatch.setattr(module, name, full)
  nobody = [np.full((96, 128), 90, np.uint8)] * 12
  first, second = (
    videos.write(tmp_path / f'{name}.mp4', nobody) for name in ('a', 'b')
  )
  assert predict(first, second, formats=['csv', 'eaf']) == 1
  found = {p.name for p in (tmp_path / 'out').iterdir()}
  assert found == {
    'b.events.csv',
    'b.frames.csv',
    'b.eaf',
    'b.timeline.png',
  }
  assert not list(tmp_path.glob('.out*'))
  lines = capsys.readouterr().err.splitlines()
  assert sum('No space left on device' in line for line in lines) == 2


def test_ten_hours_take_no_more_memory_than_a_second(predict, tmp_path):
  """Of a container that says so: two frames, ten hours apart."""
  nobody = [np.full((96, 128), 90, np.uint8)] * 13
  peaks = []
  for hours in (0, 10):
    times = [*range(0, 480, 40), 520 + hours * 3_600_000]
    path = videos.write(tmp_path / f'{hours}.mkv', nobody, times=times)
    tracemalloc.start()
    assert predict(path) == 0
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
  rows = (tmp_path / 'out' / '10.frames.csv').read_text().splitlines()
  assert len(rows) == 14 and '36000.520000' in rows[-1]
  assert peaks[1] < peaks[0] + 2**21


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_folder_that_may_not_be_written_is_one_line(predict, short, tmp_path):
  tmp_path.joinpath('locked').mkdir(mode=0o500)
  with pytest.raises(errors.UserError, match='name another folder'):
    predict(short, out=str(tmp_path / 'locked' / 'out'))


def test_an_out_that_is_a_file_is_one_line(predict, short, tmp_path, capsys):
  (tmp_path / 'taken').write_text('')
  assert predict(short, out=str(tmp_path / 'taken')) == 1
  assert 'move it away' in capsys.readouterr().err


def test_an_unknown_format_is_told_before_any_work(predict, short):
  with pytest.raises(errors.UserError, match='must be of csv, eaf'):
    predict(short, formats=['xlsx'])


@pytest.mark.parametrize(
  'given, words',
  [
    ({'record': True}, '--record does not go with a VIDEO'),
    ({'serve': True, 'formats': ['csv']}, '--formats does not go with --serve'),
    ({'camera': '0', 'overlay': True}, '--overlay does not go with --camera'),
    ({'camera': '0', 'out': 'out'}, '--out .* --camera without --record'),
  ],
  ids=str,
)
def test_a_flag_that_would_have_no_effect_is_refused(given, words):
  with pytest.raises(errors.UserError, match=words):
    command.run([], command.Options(**given))


@pytest.mark.parametrize('what', ['one frame', 'one a second', 'no face'])
def test_what_cannot_hold_events_has_rows_and_none(
  what, predict, smile, tmp_path, capsys
):
  images = {
    'one frame': [smile[0]],
    'one a second': list(smile[:40:8]),
    'no face': [np.full((96, 128), 90, np.uint8)] * 12,
  }[what]
  path = videos.write(
    tmp_path / 'odd.mp4', images, rate=1 if 'second' in what else 25
  )
  assert predict(path, formats=['csv']) == 0
  out = tmp_path / 'out'
  assert not csv_files.read_events(out / 'odd.events.csv')
  rows = (out / 'odd.frames.csv').read_text().splitlines()
  assert len(rows) == 1 + len(images)
  said = capsys.readouterr().out
  assert ('no face in 12 frames' in said) == (what == 'no face')
  assert ('below 10 nothing is found' in said) == (what == 'one a second')


def test_names_that_are_alike_get_files_of_their_own():
  made = results.stems(['a/talk.mp4', 'b/talk.mov', 'Talk.avi', 'frames/'])
  assert made == ['talk', 'talk-2', 'Talk-3', 'frames']


def test_a_damaged_model_is_one_line(tmp_path):
  folder = tmp_path / 'model'
  shutil.copytree(trained_model.SHIPPED / 'mefnet-zero', folder)
  weights = next(folder.glob('*.safetensors'))
  weights.write_bytes(weights.read_bytes()[:-4] + b'oops')
  with pytest.raises(errors.UserError, match='damaged'):
    scorers.scorer(trained_model.load(folder))


def test_the_network_of_a_run_names_what_mefnet_zero_finds(tiny_run, smile):
  """Prepared as the run's own clips were; folds averaged, spread told."""
  model = mefnet_jax.load(pathlib.Path(tiny_run) / 'model')
  found = event.from_table(model.predict(list(smile), 25).events)
  assert len(found) == 1
  assert set(found[0].probabilities) == set(model.classes)
  assert sum(found[0].probabilities.values()) == pytest.approx(1, abs=1e-5)
  assert found[0].spread >= 0 and found[0].units


def test_memory_does_not_grow_with_the_video(smile, scorer, monkeypatch):
  """Twelve seconds leave no more behind than eight, where frames of the last
  five are remembered."""
  monkeypatch.setattr(watch, '_SINCE', 5.0)
  watcher = watch.Watcher('x', scorer)
  kept = []
  frame = watch.frames.Frame
  fps = 8  # the fewer frames, the sooner the seconds are over
  for number in range(1, 12 * fps + 1):
    image = smile[number % 5]
    watcher.step(frame(number, number / fps, image))
    if number in (8 * fps, 12 * fps):
      (face,) = watcher._faces.values()
      kept.append(
        (
          len(watcher._times),
          len(watcher._rows),
          len(face.moments),
          len(face.spotter._cells),
        )
      )
  assert all(b <= a + 20 for a, b in zip(*kept, strict=True))


@pytest.mark.parametrize('named', [None, '/d/out/.a.csv'])
def test_a_full_disk_is_said_of_the_results_not_of_the_video(named):
  error = OSError(errno.EFBIG, os.strerror(errno.EFBIG), named)
  line = command._why('a.mp4', error, pathlib.Path('/d/out'))
  assert line.startswith(f'a.mp4: {named or "/d/out"}: File too large: ')
  assert 'ulimit -f' in line
