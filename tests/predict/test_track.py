"""Faces keep their numbers: a rendered and a photographed head move about."""

import cv2
import numpy as np
import pytest
import skimage.data

from mefnet_jax.predict import track
from mefnet_jax.synthetic import recording
from tests.fixtures import later, recorded, shared

FPS = 10
WALL = 120


@pytest.fixture(scope='module')
def people(tmp_path_factory):
  """Two pictures of heads (176, 120): rendered, and in the public domain."""

  def make(folder):
    folder.mkdir()
    rendered = next(recording.frames(recorded.take(), [0.0]))
    photo = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    photo = cv2.resize(photo[20:284, 135:315], (120, 176))
    np.save(folder / 'people.npy', np.stack([rendered[:, 24:144], photo]))

  return np.load(shared.once(tmp_path_factory, 'people', make) / 'people.npy')


def scene(people, *places):
  """People (index, x) before a wall; the last one in front."""
  image = np.full((176, 520), WALL, np.uint8)
  for index, x in places:
    head = people[index]
    low, high = max(0, x), min(520, x + 120)
    if low < high:
      image[:, low:high] = head[:, low - x : high - x]
  return image


def watched(images, fps=FPS):
  """Of each frame {number: x of the face's middle}."""
  tracker, found = track.Tracker(), []
  noise = np.random.default_rng(0)
  for k, image in enumerate(images):
    noisy = np.clip(image + noise.normal(0, 1.5, image.shape), 0, 255)
    sightings = tracker.step(noisy.astype(np.uint8), k / fps)
    found.append({s.face: (s.box[0] + s.box[2]) / 2 for s in sightings})
  return found


def test_a_face_that_moves_is_followed_to_a_tenth_of_a_pixel(people):
  shift = [0, 3, 7, 12, 16, 18, 18, 15, 11, 6]
  found = watched([scene(people, (0, 100 + x)) for x in shift])
  assert all(set(one) == {1} for one in found)
  x = np.array([one[1] for one in found])
  np.testing.assert_allclose(x - x[0], shift, atol=0.1)


def test_a_detector_that_answers_late_is_believed_of_its_own_frame(people):
  """The face has moved on meanwhile; registration knows how far."""
  images = [scene(people, (0, 100 + 4 * k)) for k in range(14)]
  worker = later.Later()
  tracker, found = track.Tracker(later=worker), []
  for k, image in enumerate(images):
    found.append(tracker.step(image, k / FPS))
    if k % 3 == 2:  # asked on frames 0 and 10, answered after 2 and 11
      worker.work()
  assert not any(found[:3]) and all(len(one) == 1 for one in found[3:])
  assert {one.since for (one,) in found[3:]} == {0.0}
  boxes = np.array([one.box[0] for (one,) in found[3:]])
  np.testing.assert_allclose(np.diff(boxes), 4, atol=0.1)
  prompt = watched(images[:1])[0][1]
  (one,) = found[3]
  assert abs((one.box[0] + one.box[2]) / 2 - (prompt + 12)) < 1


def test_two_who_cross_keep_their_numbers(people):
  steps = [*range(0, 281, 14)]
  images = [scene(people, (0, 20 + x), (1, 300 - x)) for x in steps]
  images += [images[-1]] * 8
  found = watched(images)
  first = {number: x for number, x in found[0].items()}
  left, right = sorted(first, key=first.get)
  assert found[-1].keys() == first.keys()
  assert found[-1][left] > found[-1][right]
  assert {n for one in found for n in one} == set(first)


def test_a_face_behind_a_hand_comes_back_as_itself(people):
  images = [scene(people, (0, 100))] * 6
  images += [scene(people)] * 6  # .6 s
  images += [scene(people, (0, 130))] * 6
  found = watched(images)
  assert all(set(one) == {1} for one in found[:6])
  assert all(not one for one in found[6:12])
  assert set(found[-1]) == {1}


def test_somebody_else_gets_a_number_of_their_own(people):
  images = [scene(people, (0, 100))] * 6 + [scene(people)] * 25
  other = watched(images + [scene(people, (1, 100))] * 6)
  assert set(other[-1]) == {2}
  again = watched(images + [scene(people, (0, 260))] * 6)
  assert set(again[-1]) == {1}


def test_nobody_is_followed_across_a_cut(people):
  other = scene(people, (1, 110))
  other[:, 260:] = 230
  images = [scene(people, (0, 100))] * 8 + [other] * 8
  tracker, since = track.Tracker(), []
  for k, image in enumerate(images):
    since += [{(s.face, s.since) for s in tracker.step(image, k / FPS)}]
    assert tracker.cut == (k == 8)
  assert since[7] == {(1, 0.0)} and since[8] == {(2, 0.8)}


def test_frames_of_another_size_begin_anew(people):
  small = scene(people, (0, 100))[:, :300]
  tracker = track.Tracker()
  tracker.step(scene(people, (0, 100)), 0.0)
  (one,) = tracker.step(small, 0.1)
  assert tracker.cut and one.since == 0.1


def test_an_empty_room_has_no_face(people):
  assert not any(watched([scene(people)] * 5))
