"""Reading SMIC: the ways to point at it, its defects."""

import pathlib

import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.runs import errors, findings
from tests.fixtures import releases


def whats(release, kind):
  return [f.what for f in release.findings if f.kind == kind]


def test_smic_class_and_subject_come_from_the_path(tmp_path):
  releases.smic_tree(tmp_path)
  release = registry.read('smic', tmp_path)
  assert [row.clip for row in release.rows] == [
    *('s02_ne_01', 's02_sur_02', 's11_po_01')
  ]
  assert [row.subject for row in release.rows] == ['s02', 's02', 's11']
  assert [release.classes[row.label] for row in release.rows] == [
    *('negative', 'surprise', 'positive')
  ]
  assert not findings.lost(release.findings)
  assert not release.synthetic


def test_frames_are_sorted_by_the_last_integer_not_as_text(tmp_path):
  camera = releases.smic_tree(tmp_path)
  numbers = (999998, 999999, 1000000, 1000001, 12345678)
  releases.smic_clip(camera, 's2_po_09', numbers)
  row = next(
    r for r in registry.read('smic', tmp_path).rows if r.clip == 's02_po_09'
  )
  assert row.numbers == numbers
  assert (row.onset, row.offset) == (numbers[0], numbers[-1])
  assert row.apex == (numbers[0] + numbers[-1]) // 2


@pytest.mark.parametrize('at', ['..', '.', 'SMIC_all_cropped', 'HS'])
def test_smic_is_found_wherever_one_points(tmp_path, at):
  camera = releases.smic_tree(tmp_path / 'mine')
  places = {
    '..': tmp_path,
    '.': tmp_path / 'mine',
    'SMIC_all_cropped': camera.parent,
    'HS': camera,
  }
  assert len(registry.read('smic', places[at]).rows) == 3


def test_smic_doubled_levels_and_other_names(tmp_path):
  camera = releases.smic_tree(tmp_path)
  camera.rename(tmp_path / 'moved')
  camera.mkdir()
  (tmp_path / 'moved').rename(camera / 'HS')
  releases.touch(camera / 'HS' / 's2' / 'micro' / '.DS_Store')
  assert len(registry.read('smic', tmp_path).rows) == 3
  (camera / 'HS').rename(tmp_path / 'my own copy')
  assert len(registry.read('smic', tmp_path / 'my own copy').rows) == 3


def test_smic_cameras_and_kinds_of_images(tmp_path):
  releases.smic_tree(tmp_path, 'cropped', 'HS')
  releases.smic_tree(tmp_path, 'raw', 'HS')
  releases.smic_tree(tmp_path, 'cropped', 'NIR')
  first = {
    images: registry.read('smic', tmp_path, images=images).rows[0].frames[0]
    for images in ('auto', 'cropped', 'raw')
  }
  assert first['auto'] == first['cropped']
  assert first['raw'].name == 'image000008.bmp'
  nir = registry.read('smic', tmp_path, subset='nir').rows[0]
  assert 'NIR' in nir.frames[0].parts
  with pytest.raises(errors.UserError, match=r'no SMIC VIS .*/HS'):
    registry.read('smic', tmp_path, subset='vis')
  with pytest.raises(errors.UserError, match='no raw SMIC NIR'):
    registry.read('smic', tmp_path, subset='nir', images='raw')


def test_smic_ignores_what_is_no_micro_expression(tmp_path):
  camera = releases.smic_tree(tmp_path)
  releases.touch(camera / 's2/non_micro/s2_non_01/reg_image000001.bmp')
  folder = releases.smic_clip(camera, 's2_po_03', (1, 2, 3))
  releases.touch(folder / 'Thumbs.db')
  releases.touch(folder / '._reg_image000001.bmp')
  release = registry.read('smic', tmp_path)
  assert len(release.rows) == 4
  assert not whats(release, findings.REPAIRED)


def test_smic_copies_of_frames_are_named_and_left_aside(tmp_path):
  folder = releases.smic_clip(
    releases.smic_tree(tmp_path), 's2_po_03', (1, 2, 3)
  )
  for name in ('reg_image000002 (1)', 'reg_image2', 'cover'):
    releases.touch(folder / f'{name}.bmp')
  release = registry.read('smic', tmp_path)
  row = next(r for r in release.rows if r.clip == 's02_po_03')
  assert row.numbers == (1, 2, 3)
  repaired = {pathlib.Path(f.file).name for f in release.findings[3:]}
  assert len(repaired) == 3


@pytest.mark.parametrize(
  ('name', 'place', 'why'),
  [
    ('s2_ne_09', 's2/micro/surprise', 'named negative, filed under surprise'),
    ('s3_ne_09', 's2/micro/negative', 'named after subject s3'),
    ('happy', 's2/micro/positive', 'not a clip name'),
    ('s2_ne_08', 's2/micro/negative', 'no frames'),
    ('s02_ne_01', 's2/micro/negative', 'a second copy'),
  ],
)
def test_smic_clips_left_out_say_why(tmp_path, name, place, why):
  folder = releases.smic_tree(tmp_path) / place / name
  folder.mkdir(parents=True)
  if why != 'no frames':
    releases.touch(folder / 'reg_image000001.bmp')
  release = registry.read('smic', tmp_path)
  assert len(release.rows) == 3
  (finding,) = (f for f in release.findings if f.kind == findings.LEFT_OUT)
  assert why in finding.what
  assert '/micro/' in finding.file


def test_smic_e_is_told_apart(tmp_path):
  releases.touch(tmp_path / 'HS_long/SMIC-HS-E/s03/s3_ne_22/image443812.jpg')
  with pytest.raises(errors.UserError, match='SMIC-E, the long clips'):
    registry.read('smic', tmp_path)
