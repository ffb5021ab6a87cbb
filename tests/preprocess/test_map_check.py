"""Motion maps of another order or form are recognised."""

import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import clip_records, clips, map_check, maps
from mefnet_jax.runs import errors
from tests.fixtures import motion_maps

GOOD = motion_maps.stored(40)
SIGNED = (GOOD.astype(np.float32) - 128) / 40  # -3.2 to 3.2


def wrapped(factor):
  return (np.rint(SIGNED * factor).astype(int) % 256).astype(np.uint8)


def only_upwards():
  """The direction of v turned: v is motion up, the strain is that of before."""
  return np.stack([GOOD[..., 0], 255 - GOOD[..., 1], GOOD[..., 2]], axis=-1)


@pytest.mark.parametrize('seed', range(5))
def test_good_maps_have_no_faults(seed):
  assert map_check.faults(motion_maps.stored(40, seed)) == []
  assert map_check.faults(motion_maps.stored(1, seed)) == []


def test_half_the_range_and_floats_are_good_too():
  assert map_check.faults(GOOD // 2 + 64) == []
  assert map_check.faults(SIGNED) == []


@pytest.mark.parametrize(
  ('wrong', 'said'),
  [
    (GOOD[..., [1, 0, 2]], 'u and v are exchanged'),
    (GOOD[..., ::-1], 'channels are strain, v, u, not u, v, strain'),
    (GOOD[..., [2, 0, 1]], 'channels are strain, u, v, not u, v, strain'),
    (only_upwards(), 'other sign'),
    (np.repeat(GOOD[..., :1], 3, axis=-1), 'grey pictures'),
    (np.clip(SIGNED * 40, 0, 255).astype(np.uint8), 'cut off'),
    (np.clip(np.rint(SIGNED), 0, 255).astype(np.uint8), 'values a map'),
    (wrapped(12), 'wrapped'),
    (wrapped(1), 'wrapped|cut off'),
  ],
  ids=(
    'u and v, BGR, strain first, v up, grey, negative lost, rounded, '
    'wrapped, rounded and wrapped'
  ).split(', '),
)
def test_other_orders_and_forms_are_refused(wrong, said):
  with pytest.raises(errors.UserError, match=f'^maps: .*({said})'):
    map_check.refuse(wrong, 'maps')


def test_what_is_not_sure_is_said_and_not_refused():
  magnitude = np.linalg.norm(SIGNED[..., :2], axis=-1)
  other = np.concatenate([SIGNED[..., :2], magnitude[..., None]], axis=-1)
  (fault,) = map_check.refuse(other, 'maps')
  assert 'not the strain' in fault.what
  (fault,) = map_check.refuse(GOOD // 20 * 20, 'maps')
  assert 'coarse' in fault.what
  # Of a few maps alone nobody can tell u from v.
  assert map_check.refuse(GOOD[:5, ..., [1, 0, 2]], 'maps') == []


def test_constant_maps_are_named_and_counted():
  some = GOOD.copy()
  some[3] = 7
  some[5, ..., 1] = 0
  assert np.flatnonzero(map_check.constant(some)).tolist() == [3, 5]
  names = tuple(f'clip{i}' for i in range(len(some)))
  *each, whole = map_check.inspect(some, names)
  assert [f.clip for f in each] == ['clip3', 'clip5']
  assert whole.clip == '' and '2 of 40 maps are constant' in whole.what
  assert map_check.faults(some[[3, 5]]) == []
  (finding,) = map_check.inspect(GOOD[..., ::-1], names)
  assert 'strain, v, u' in finding.what
  assert map_check.inspect(GOOD[..., ::-1], names, public=False) == []


def test_a_map_of_another_size_is_averaged_and_said(tmp_path):
  file = tmp_path / 'a.png'
  cv2.imwrite(str(file), cv2.resize(GOOD[0], (56, 56)))
  row = clip_records.Row('a', 's', 0, 1, 1, 1, (file,), (1,))
  made = clips.prepare(row, maps.Options())
  (finding,) = made.findings
  assert finding.kind == 'repaired' and '56 x 56 pixels' in finding.what
  assert made.streams['face'].shape == (1, 28, 28, 3)
  cv2.imwrite(str(file), GOOD[0])
  assert clips.prepare(row, maps.Options()).findings == ()
