"""SMIC-E, the long clips, and the union of SMIC's cameras."""

import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.runs import errors, findings
from tests.fixtures import releases


@pytest.mark.parametrize(
  'at', ['', 'SMIC-E_raw image', 'SMIC-E_raw image/HS_long']
)
def test_expressions_are_cut_out_of_long_clips(tmp_path, at):
  releases.smic_long(tmp_path)
  release = registry.read('smic', tmp_path / at, subset='hs_long')
  marks = {r.clip: (r.onset, r.apex, r.offset) for r in release.rows}
  assert marks == {
    's03_ne_22': (105, 107, 110),
    's03_po_01': (103, 104, 106),
    's03_po_01_2': (112, 115, 118),
    's04_sur_01': (101, 102, 104),
  }
  assert [release.classes[r.label] for r in release.rows] == [
    *('negative', 'positive', 'positive', 'surprise')
  ]
  assert all(len(r.frames) == r.offset - r.onset + 1 for r in release.rows)
  assert not findings.lost(release.findings)


@pytest.mark.parametrize(
  ('row', 'why'),
  [
    ((3, 's3_ne_23', '', 1, 2, '', ''), 'no folder s03_ne_23'),
    ((3, 'smile', '', 1, 2, '', ''), 'not a clip name'),
    ((3, 's3_ne_22', '', 'soon', 110, '', ''), "'soon'"),
    ((3, 's3_ne_22', '', 110, 105, '', ''), 'onset, offset are'),
    ((3, 's3_ne_22', '', 900, 905, '', ''), 'no frame in 900..905'),
  ],
)
def test_rows_that_cannot_be_used_say_why(tmp_path, row, why):
  releases.smic_long(tmp_path, (*releases.LONG_ROWS[1:], row))
  release = registry.read('smic', tmp_path, subset='hs_long')
  (told,) = (f for f in release.findings if f.kind == findings.LEFT_OUT)
  assert why in told.what
  assert len(release.rows) == 3


def test_another_workbook_or_camera_is_one_line(tmp_path):
  releases.smic_long(tmp_path, head=('a', 'b'))
  with pytest.raises(errors.UserError, match='no header with Filename'):
    registry.read('smic', tmp_path, subset='hs_long')
  with pytest.raises(errors.UserError, match='no SMIC-VIS-E_annotation'):
    registry.read('smic', tmp_path, subset='vis_long')


def test_the_union_keeps_people_together_and_cameras_apart(tmp_path):
  for camera in ('HS', 'NIR'):
    releases.smic_tree(tmp_path, camera=camera)
  release = registry.read('smic', tmp_path, subset='all')
  assert [r.clip for r in release.rows] == [
    f'{clip}_{camera}'
    for clip in ('s02_ne_01', 's02_sur_02', 's11_po_01')
    for camera in ('hs', 'nir')
  ]
  assert {r.subject for r in release.rows} == {'s02', 's11'}
  assert {r.database for r in release.rows} == {'smic_hs', 'smic_nir'}
  assert any('no VIS' in f.what for f in release.findings)
