"""The study of cameras: its footage moves as it says, its counts are exact."""

import itertools
import json

import numpy as np
import pytest

from experiments import camera, camera_footage, camera_tables
from mefnet_jax.predict.camera import study


@pytest.fixture(scope='module')
def face():
  return camera_footage.Face(1, 1, 24.0)


def test_a_head_that_shifts_by_a_pixel_is_the_same_picture_one_pixel_on(face):
  still, moved = (
    face.image(np.array([x, 0.0]), 'AU4', 0.0, 0.0) for x in (0.0, 1.0)
  )
  np.testing.assert_allclose(
    moved[2:-2, 3:-2], still[2:-2, 2:-3], atol=0.6, rtol=0
  )


def test_an_action_moves_its_own_part_of_the_face_and_by_one_pixel(face):
  rows = face.size[0]
  for action, half in (('AU1+2', 'upper'), ('AU12', 'lower')):
    far = np.hypot(*np.moveaxis(face.fields[action][..., :2], -1, 0))
    assert 0.6 < far.max() < 1.02  # the largest lies between two pixels
    upper = far[: int(0.45 * rows)].sum() / far.sum()
    assert (upper > 0.9) if half == 'upper' else (upper < 0.3)


def test_every_event_is_there_once_and_begins_from_rest():
  events, seconds = camera_footage.plan(3, 0)
  assert {(e.action, e.amplitude, e.duration) for e in events} == {
    *itertools.product(
      camera_footage.ACTIONS,
      camera_footage.AMPLITUDES,
      camera_footage.DURATIONS,
    )
  }
  assert len(events) == 48 and events[-1].apex < seconds
  for before, after in itertools.pairwise(events):
    ends, begins = before.apex + before.duration / 2, after.apex - 0.3
    assert begins >= ends  # a window of .3 s before an apex sees it alone
  one = events[0]
  level = one.level(one.apex + one.duration * np.array([-0.5, 0, 0.5, 0.7]))
  np.testing.assert_allclose(level, [0, 1, 0, 0], atol=1e-12)


def test_actions_are_those_that_the_command_knows():
  mine = {k: name for k, (name, _) in camera_footage.ACTIONS.items()}
  assert mine == {k: name for k, (name, _) in study.ACTIONS.items()}


@pytest.mark.parametrize(
  ('minutes', 'wanted'), [(0.5, 0.03), (1.0, 0.02), (2.5, 0.01), (9, 0.0)]
)
def test_the_threshold_is_passed_once_a_minute(minutes, wanted):
  assert camera_tables.threshold([[0.01, 0.03], [0.02]], minutes) == wanted


def test_false_events_that_follow_close_are_one():
  motion = np.zeros(100)
  motion[[3, 5, 40, 90]] = (0.01, 0.02, 0.005, 0.03)
  assert camera._peaks(motion) == [0.02, 0.005, 0.03]


def test_the_table_that_ships_is_the_one_of_the_study():
  table = json.loads(study.FILE.read_text())
  known = camera.cameras()
  assert set(table['cameras']) <= set(known)
  for name, one in table['cameras'].items():
    for field in ('fps', 'eyes', 'crf', 'noise', 'blur'):
      assert one['asked'][field] == getattr(known[name], field)
  assert len(table['draws']) == camera_tables.DRAWS
  x = study.features('AU4', 0.5, 0.2, study.Camera(25, 60, 23, 0, 1))
  assert len(table['fitted']) == len(x) == len(table['draws'][0])


@pytest.mark.slow
def test_a_camera_is_computed_once_and_a_table_made_of_it(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(camera_footage, 'QUIET', 2.0)
  monkeypatch.setattr(camera_footage, 'DURATIONS', (0.2, 0.5))
  flags = [f'--out={tmp_path}', '--small', '--cameras=reference,eyes-20']
  monkeypatch.setattr(camera_footage, 'AMPLITUDES', (0.5, 1.0, 4.0))
  assert camera.main(flags) == 0
  table = json.loads((tmp_path / 'study.json').read_text())
  raises = table['cameras']['reference']['recall']['AU1+2']
  assert [row[2] for row in raises.values()] == [1.0, 1.0]
  monkeypatch.setattr(camera, 'person', None)
  assert camera.main(flags) == 0
