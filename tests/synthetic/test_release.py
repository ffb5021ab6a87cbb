"""Synthetic releases on disk: layout, truth, determinism, bad input."""

import dataclasses
import functools
import hashlib
import itertools
import json
import re

import cv2
import dlib
import numpy as np
import openpyxl
import pytest

from mefnet_jax.runs import errors
from mefnet_jax.synthetic import cas_me2, release, smic, studio, video, workers
from tests.fixtures import forked


@pytest.fixture(scope='module')
def tiny_cas(tmp_path_factory):
  folder = tmp_path_factory.mktemp('cas') / 'release'
  defects = ('offset0', 'typo', 'incomplete_cropped', 'workbook_name')
  return release.write(
    'cas_me2', folder, clips=2, subjects=3, processes=1, defects=defects
  )


def _files(folder):
  return {
    path.relative_to(folder).as_posix(): hashlib.sha256(
      path.read_bytes()
    ).hexdigest()
    for path in folder.rglob('*')
    if path.is_file()
  }


def test_a_release_has_the_real_layout_and_says_what_it_is(tiny_smic):
  assert 'SYNTHETIC' in (tiny_smic / 'SYNTHETIC.txt').read_text()
  folders = sorted((tiny_smic / 'SMIC_all_cropped/HS').glob('s*/micro/*/*'))
  assert [f.name for f in folders] == [
    f's{subject}_{code}_01'
    for subject in (1, 2, 3)
    for code in ('ne', 'po', 'sur')
  ]
  for frame in folders[0].iterdir():
    assert re.fullmatch(r'reg_image\d{6,8}\.bmp', frame.name)
    image = cv2.imread(str(frame), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint8 and image.ndim == 2


def test_the_truth_lies_beside_and_fits_the_frames(tiny_smic):
  truth = tiny_smic.with_name('smic_truth')
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


def test_same_seed_same_bytes_for_any_number_of_processes(
  tmp_path, monkeypatch
):
  plan = smic.plan

  @functools.wraps(plan)
  def short(*given, **named):
    made = plan(*given, **named)
    cut = [dataclasses.replace(s, numbers=s.numbers[:9]) for s in made.shots]
    return dataclasses.replace(made, shots=cut)

  monkeypatch.setattr(smic, 'plan', short)
  # Processes as the generator starts them, but forked from one that has
  # imported what they need.
  monkeypatch.setattr(
    workers.multiprocessing, 'get_context', lambda _: forked.CONTEXT
  )
  first, again = (
    release.write(
      'smic', tmp_path / f'{number}', clips=1, subjects=2, processes=number
    )
    for number in (1, 2)
  )
  assert _files(again) == _files(first)
  truths = [r.with_name(f'{r.name}_truth') for r in (again, first)]
  assert _files(truths[0]) == _files(truths[1])


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


def test_a_long_video_holds_the_expression_and_rest_around_it(tmp_path):
  shot = cas_me2.plan(0, clips=1, subjects=1).shots[0]
  numbers = tuple(range(4, 4 + len(shot.numbers) // 2))
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
    ('smic', {'subset': 'uv'}, 'hs, vis, nir or all'),
    ('smic', {'macro': True}, '--macro'),
    ('smic', {'clips': 0}, 'at least 1'),
    ('smic', {'processes': 0}, 'at least 1'),
    ('smic', {'seed': -1}, '--seed=-1'),
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


def test_a_release_says_which_seed_it_is_of(tiny_smic, tmp_path):
  assert release.seed_of(tiny_smic) == 0
  with pytest.raises(errors.UserError, match='no SYNTHETIC release'):
    release.seed_of(tmp_path)
