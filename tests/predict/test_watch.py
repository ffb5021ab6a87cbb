"""From frames to rows and events; a rendered person who smiles for .45 s."""

import sys
import threading

import numpy as np
import pandas as pd
import pytest

import mefnet_jax
from mefnet_jax.predict import (
  event,
  frames,
  scorers,
  thresholds,
  track,
  watch,
)
from mefnet_jax.runs import errors
from mefnet_jax.synthetic import recording
from tests.fixtures import later, recorded, videos


@pytest.fixture(scope='module')
def model():
  return mefnet_jax.load('mefnet-zero')


@pytest.fixture
def film(smile):
  """(frames, times) of the smile."""
  return list(smile), list(np.arange(len(smile)) / recorded.FPS)


@pytest.fixture(scope='module')
def fine():
  """(n, H, W) frames of the smile, as many a second as motion is drawn."""
  return recorded.filmed(np.arange(0, recorded.SECONDS, 1 / recording.CLOCK))


@pytest.fixture
def recordings(request, film):
  """A function from a rate to (frames, times) that a camera records."""
  end = recorded.SECONDS - 0.006

  def at_rate(fps):
    if fps == recorded.FPS:
      return film
    times = np.arange(0, end, 1 / fps) if fps else uneven(end)
    index = np.round(times * recording.CLOCK).astype(int)
    times = index / recording.CLOCK
    if not fps:
      return list(recorded.filmed(times)), list(times)
    return list(request.getfixturevalue('fine')[index]), list(times)

  return at_rate


def uneven(end):
  """From slower than any camera here to several frames in one cell."""
  steps = np.random.default_rng(0).uniform(0.008, 0.05, 200)
  times = np.cumsum(steps)
  return times[times < end]


@pytest.mark.parametrize(
  'fps',
  [
    None,
    *(
      pytest.param(fps, marks=pytest.mark.slow)
      for fps in (recorded.FPS, 30, 60, 100, 200)
    ),
  ],
)
def test_the_same_event_at_any_rate(recordings, model, fps):
  images, times = recordings(fps)
  found = model.predict(images, times)
  assert len(found.frames) == len(images)
  (one,) = event.from_table(found.events)
  slowest = 1 / 25
  assert abs(one.onset - recorded.ONSET) <= slowest
  assert abs(one.apex - recorded.APEX) <= slowest
  assert abs(one.offset - recorded.OFFSET) <= slowest
  assert one.label == 'positive' and one.kind == 'micro' and not one.unsure
  for number, moment in (
    (one.onset_frame, one.onset),
    (one.apex_frame, one.apex),
    (one.offset_frame, one.offset),
  ):
    nearest = np.abs(np.array(times) - moment).argmin()
    assert number == nearest + 1


def test_a_blink_and_a_turning_head_are_no_event(smile, model):
  rest = [*smile[: int(1.2 * recorded.FPS)]]
  found = model.predict(rest, recorded.FPS)
  assert not len(found.events)


def test_each_frame_has_its_row_in_order(film, model):
  images, times = film
  images[32:38] = [np.full_like(images[0], 90)] * 6  # nobody is there
  found = model.predict(images, times).frames
  assert list(found.columns) == list(
    event.frame_columns(model.network.action_units)
  )
  assert list(found.frame) == list(range(1, len(images) + 1))
  np.testing.assert_allclose(found.timestamp, times)
  away = found.success == 0
  assert list(found.frame[away]) == list(range(33, 39))
  assert (found.face_id[away] == 0).all() and found.motion[away].isna().all()
  assert (found.face_id[~away] == 1).all()
  # Windows begin .15 s after a face is seen and end .15 s before it is gone.
  assert found.motion[6:26].notna().all()
  assert found.motion[43:58].notna().all()


def test_what_is_watched_is_what_is_predicted(film, model):
  images, times = film
  whole = model.predict(images, times)
  seen = list(model.watch(iter(images), times))
  rows = [row for one in seen for row in one.rows]
  pd.testing.assert_frame_equal(
    pd.DataFrame(rows, columns=whole.frames.columns), whole.frames
  )
  events = [one for step in seen for one in step.events]
  assert events == event.from_table(whole.events) or len(events) == 1
  assert len(seen[16].rows) == 0 and seen[60].rows[0]['frame'] < 60


def test_threads_change_no_bit(film, model):
  """What runs ahead in threads is what a watcher finds step by step; events
  are known some frames later."""
  images, times = film
  images[25:28] = [np.roll(images[0], 60, axis=1)] * 3  # somebody jumps
  source = frames.Arrays(images, times)
  scorer = scorers.scorer(model)
  threaded = list(watch.watch(source, scorer))
  watcher = watch.Watcher('frames', scorer)
  plain = [watcher.step(frame) for frame in source]
  plain.append(watcher.finish()._replace(notes=[]))
  given = [
    [e for one in all_ for e in one.events] for all_ in (threaded, plain)
  ]
  assert given[0] == given[1] != []
  for one, other in zip(threaded, plain, strict=True):
    assert one.rows == other.rows


def test_what_is_done_later_finds_the_same_event(film, model):
  """A detector that answers some frames later, expressions that are followed
  while further frames are taken: none of them holds a frame up."""
  images, times = film
  scorer = scorers.scorer(model)
  worker, seen = later.Later(), []
  tracker = track.Tracker(later=worker)
  watcher = watch.Watcher('x', scorer, tracker=tracker, at_once=1, later=worker)
  for frame in frames.Arrays(images, times):
    seen.append(watcher.step(frame))
    if frame.number % 3 == 0:
      worker.work()
  worker.hurry()  # at the end what is asked then is waited for
  seen.append(watcher.finish())
  (one,) = [one for step in seen for one in step.events]
  assert abs(one.onset - recorded.ONSET) <= 0.04
  assert abs(one.offset - recorded.OFFSET) <= 0.04
  assert one.label == 'positive' and one.kind == 'micro'
  rows = [row for step in seen for row in step.rows]
  assert [row['frame'] for row in rows] == list(range(1, len(images) + 1))


def test_a_calibrated_model_is_unsure_by_its_sets(film, model):
  images, times = (x[20:] for x in film)  # the blink is over
  scorer = scorers.scorer(model)
  for lacks, wanted in (
    (None, (False, 'probability')),
    (1.0, (True, 'conformal set')),  # each set holds all classes
  ):
    scorer.lacks = lacks
    seen = watch.watch(frames.Arrays(images, times), scorer)
    (one,) = [one for step in seen for one in step.events]
    assert (one.unsure, one.unsure_rule) == wanted


def test_a_video_that_is_left_early_leaves_no_thread(smile, model):
  before = threading.active_count()
  stream = model.watch([*smile], recorded.FPS)
  for _, seen in zip(range(30), stream, strict=False):
    assert seen.frame is not None
  stream.close()
  assert threading.active_count() == before


def test_a_video_file_gives_the_same_as_its_frames(smile, model, tmp_path):
  path = videos.write(tmp_path / 'smile.mp4', smile)
  (one,) = event.from_table(model.predict(path).events)
  assert one.file == 'smile.mp4' and one.label == 'positive'
  assert abs(one.onset - recorded.ONSET) <= 0.04


def test_a_floor_of_motion_is_a_floor(film, model):
  images, times = film
  high = thresholds.Thresholds(amplitude=0.5)
  assert not len(model.predict(images, times, limits=high).events)


def test_frames_without_a_clock_are_refused(smile, model):
  with pytest.raises(errors.UserError, match='give fps'):
    model.predict([*smile[:3]])


def test_python_says_what_it_waits_for_on_a_terminal_alone(
  film, model, monkeypatch, capsys
):
  images, times = (x[:12] for x in film)
  model.predict(images, times)
  assert capsys.readouterr().err == ''
  monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
  model.predict(images, times)
  assert 'compiling the model' in capsys.readouterr().err
