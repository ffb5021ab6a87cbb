"""Preparing clips: what comes out, and what must not stop it."""

import dataclasses

import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import clips, images, pool, reading, registration
from mefnet_jax.runs import errors, findings

SMALL = clips.Options(frames=6, face=16, eyes=8, mouth=8)


def test_a_clip_is_prepared(rendered):
  prepared = clips.prepare(rendered[0], clips.Options())
  assert not prepared.findings
  shapes = {name: value.shape for name, value in prepared.streams.items()}
  assert shapes == {
    'face': (18, 64, 64, 1),
    'eyes': (18, 32, 32, 1),
    'mouth': (18, 32, 32, 1),
  }
  assert all(v.dtype == np.uint8 for v in prepared.streams.values())


@pytest.mark.parametrize('method', registration.METHODS)
def test_every_registration_prepares_and_ecc_is_the_stillest(rendered, method):
  def restless(registered):
    options = dataclasses.replace(SMALL, registration=registered, face=32)
    clip = clips.prepare(rendered[0], options).streams['face'].astype(float)
    return np.abs(np.diff(clip, axis=0)).mean()

  assert restless('ecc') <= restless(method) + 0.05


def test_a_still_clip_stays_still_to_the_bit(rendered):
  first = rendered[0].frames[0]
  row = dataclasses.replace(
    rendered[0], frames=(first,) * 9, numbers=tuple(range(9))
  )
  streams = clips.prepare(row, SMALL).streams
  assert all((clip == clip[:1]).all() for clip in streams.values())


def test_one_frame_is_a_clip_without_motion(rendered):
  row = dataclasses.replace(
    rendered[0], frames=rendered[0].frames[:1], numbers=(1,)
  )
  prepared = clips.prepare(row, SMALL)
  assert (prepared.streams['face'] == prepared.streams['face'][:1]).all()
  assert 'one frame only' in prepared.findings[0].what


def row_of(rendered, tmp_path, change):
  """A copy of the first clip with some frames replaced: {index: bytes}."""
  paths = []
  for i, frame in enumerate(rendered[0].frames):
    path = tmp_path / frame.name
    path.write_bytes(change.get(i, frame.read_bytes()))
    paths.append(path)
  return dataclasses.replace(rendered[0], frames=tuple(paths))


def test_an_unreadable_frame_is_filled_in_and_reported(rendered, tmp_path):
  row = row_of(rendered, tmp_path, {3: b'', 5: b'BM' + b'0' * 99})
  prepared = clips.prepare(row, SMALL)
  assert [f.kind for f in prepared.findings] == [findings.REPAIRED] * 2
  assert row.frames[3].name in prepared.findings[0].file
  whole = clips.prepare(rendered[0], SMALL).streams['face'].astype(int)
  assert np.abs(prepared.streams['face'] - whole).mean() < 2


def test_a_clip_of_unreadable_frames_is_left_out(rendered, tmp_path):
  row = row_of(rendered, tmp_path, dict.fromkeys(range(99), b'x'))
  prepared = clips.prepare(row, SMALL)
  assert prepared.streams is None
  (finding,) = prepared.findings
  assert finding.kind == findings.LEFT_OUT
  assert 'unreadable: not an image' in finding.what


def test_a_frame_of_another_size_is_left_aside(rendered, tmp_path):
  other = cv2.imencode('.bmp', np.zeros((20, 20), np.uint8))[1].tobytes()
  prepared = clips.prepare(row_of(rendered, tmp_path, {4: other}), SMALL)
  assert 'another size' in prepared.findings[0].what
  assert prepared.streams is not None


def blank_like(rendered):
  image = images.read_grey(rendered[0].frames[0])
  return cv2.imencode('.bmp', np.full_like(image, 90))[1].tobytes()


def test_a_clip_that_fills_the_memory_is_left_out(rendered, monkeypatch):
  for limit, why in (
    ('_MOST_BYTES', 'pixels fill'),
    ('_MOST_FRAMES', 'give its'),
  ):
    with monkeypatch.context() as patch:
      patch.setattr(reading, limit, len(rendered[0].numbers) - 1)
      (told,) = clips.prepare(rendered[0], SMALL).findings
    assert told.kind == findings.LEFT_OUT and why in told.what


def test_a_face_is_looked_for_on_the_next_frames_too(rendered, tmp_path):
  row = row_of(rendered, tmp_path, dict.fromkeys((0, 1), blank_like(rendered)))
  prepared = clips.prepare(row, SMALL)
  assert prepared.streams is not None
  assert any('2 later' in f.what for f in prepared.findings)


def test_a_clip_without_a_face_is_left_out(rendered, tmp_path):
  blank = blank_like(rendered)
  row = row_of(rendered, tmp_path, dict.fromkeys(range(99), blank))
  prepared = clips.prepare(row, SMALL)
  assert prepared.streams is None
  assert 'no face found' in prepared.findings[-1].what
  assert row.clip == prepared.findings[-1].clip


def test_what_no_one_thought_of_costs_one_clip(rendered, monkeypatch):
  def broken(*_):
    raise RuntimeError('odd')

  monkeypatch.setattr(registration, 'ecc', broken)
  prepared = clips.prepare(rendered[0], SMALL)
  assert prepared.streams is None
  assert 'RuntimeError: odd' in prepared.findings[-1].what


def test_clips_do_not_depend_on_the_number_of_processes(rendered):
  some = rendered[:4]
  alone = pool.prepare(some, SMALL, workers=1)
  together = pool.prepare(some, SMALL, workers=2)
  assert [p.clip for p in alone] == [row.clip for row in some]
  for one, other in zip(alone, together, strict=True):
    for name in clips.STREAMS:
      np.testing.assert_array_equal(one.streams[name], other.streams[name])


@pytest.mark.parametrize(
  'wrong',
  [
    dict(frames=0),
    dict(face=0),
    dict(registration='affine'),
    dict(interpolation='cubic'),
    dict(detector='x'),
  ],
)
def test_options_that_no_preparation_has_are_one_line(wrong):
  with pytest.raises(errors.UserError, match=r'--config.dataset.\w+='):
    pool.prepare([], dataclasses.replace(SMALL, **wrong))
