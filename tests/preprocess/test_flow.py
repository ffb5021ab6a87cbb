"""Flow, strain and magnification: known motions come back."""

import dataclasses

import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import clips, flow, images, magnify, regions
from mefnet_jax.runs import errors
from tests.fixtures import releases

SMALL = clips.Options(frames=6, face=32, eyes=16, mouth=16, flow='dis')


def shifted(dx, dy, size=96):
  """Textures (2, S, S): one and the same moved by dx, dy."""
  image = releases.texture(180)
  matrix = np.array([[1, 0, -26.0], [0, 1, -26]])
  moved = matrix + [[0, 0, dx], [0, 0, dy]]
  return np.stack(
    [
      cv2.warpAffine(image, m, (size, size), flags=cv2.INTER_CUBIC)
      for m in (matrix, moved)
    ]
  )


@pytest.mark.parametrize('method', ['dis', 'dis_fine', 'farneback', 'tvl1'])
@pytest.mark.parametrize('motion', [(1.0, 0.0), (0.0, -0.5), (1.5, 1.0)])
def test_a_known_shift_comes_back(method, motion):
  found = flow.to_each(shifted(*motion), method) * 96
  assert (found[0] == 0).all() and found.dtype == np.float32
  inner = found[1, 16:-16, 16:-16].reshape(-1, 2)
  np.testing.assert_allclose(inner.mean(0), motion, atol=0.12)
  if method != 'farneback':
    np.testing.assert_allclose(inner.mean(0), motion, atol=0.04)


@pytest.mark.parametrize('method', ['dis', 'dis_fine'])
def test_a_flow_does_not_depend_on_flows_before(method):
  """OpenCV changes the settings of an engine that is given a small image."""
  pair = shifted(0.7, -0.4, size=112)
  alone = flow.to_each(pair, method)
  flow.to_each(shifted(0.7, -0.4, size=40), method)
  np.testing.assert_array_equal(flow.to_each(pair, method), alone)


def test_strain_is_the_stretch_and_knows_no_motion():
  y, x = np.mgrid[:64, :64] / 64
  still = np.stack([np.full((64, 64), 0.1), np.full((64, 64), -0.2)], -1)
  stretched = np.stack([0.05 * x, 0 * y], -1)
  turned = np.stack([0.05 * y, -0.05 * x], -1)
  strains = flow.strain(np.stack([still, stretched, turned]))
  for strain, wanted in zip(strains, (0, 0.05, 0), strict=True):
    np.testing.assert_allclose(strain, wanted, atol=1e-6)


def test_what_is_stored_has_one_scale_and_a_zero():
  moved = np.linspace(-0.05, 0.05, 4 * 9 * 9 * 2).reshape(4, 9, 9, 2)
  strain = np.linspace(0, 0.2, 4 * 9 * 9).reshape(4, 9, 9)
  stored = flow.encode(moved, strain)
  again, of_strain = flow.decode(stored)
  np.testing.assert_allclose(
    again, np.clip(moved, -0.04, 0.04), atol=0.04 / 127
  )
  np.testing.assert_allclose(
    of_strain, np.clip(strain, 0, 0.15), atol=0.15 / 127
  )
  assert (flow.encode(0 * moved, 0 * strain) == flow.NEUTRAL).all()


def test_flow_of_a_clip_is_stored_beside_its_crops(rendered):
  streams = clips.prepare(rendered[0], SMALL).streams
  assert {n: s.shape for n, s in streams.items()} == SMALL.shapes()
  assert set(streams) == {
    *('face', 'eyes', 'mouth', 'flow', 'eyes_flow', 'mouth_flow')
  }
  for name in ('flow', 'eyes_flow', 'mouth_flow'):
    assert (streams[name][0] == flow.NEUTRAL).all()
    assert (streams[name][1:] != flow.NEUTRAL).any()
  plain = clips.prepare(rendered[0], dataclasses.replace(SMALL, flow='none'))
  both = plain.streams['face'].astype(int) - streams['face']
  assert np.abs(both).mean() < 1


@pytest.mark.parametrize('method', ['farneback', 'tvl1'])
def test_each_method_fills_the_same_streams(rendered, method):
  row = dataclasses.replace(
    rendered[0],
    frames=rendered[0].frames[::5],
    numbers=rendered[0].numbers[::5],
  )
  one, other = (
    clips.prepare(row, dataclasses.replace(SMALL, flow=name)).streams['flow']
    for name in ('dis', method)
  )
  assert one.shape == other.shape and (other[1:] != flow.NEUTRAL).any()
  signs = [flow.decode(made)[0].ravel() for made in (one, other)]
  assert np.corrcoef(*signs)[0, 1] > 0.4


def test_a_still_clip_has_no_flow(rendered):
  row = dataclasses.replace(
    rendered[0], frames=rendered[0].frames[:1] * 9, numbers=tuple(range(9))
  )
  streams = clips.prepare(row, SMALL).streams
  moved, _ = flow.decode(streams['flow'])
  assert np.abs(moved).max() <= 0.04 / 127 + 1e-9


def test_magnification_enlarges_what_moves_and_nothing_else(rendered):
  streams, more = (
    clips.prepare(rendered[0], dataclasses.replace(SMALL, magnify=m)).streams
    for m in (0.0, 4.0)
  )
  np.testing.assert_array_equal(streams['face'][0], more['face'][0])

  def motion(made):
    return np.abs(flow.decode(made['flow'])[0]).mean()

  assert motion(more) > 1.5 * motion(streams)
  still = np.tile(releases.texture(64)[None, ..., None], (5, 1, 1, 1))
  np.testing.assert_array_equal(magnify.clip(still, 9.0), still)


def test_colour_crops_hold_the_same_picture(rendered):
  grey = clips.prepare(rendered[0], SMALL).streams
  colour = clips.prepare(rendered[0], dataclasses.replace(SMALL, colour=True))
  assert colour.streams['face'].shape == (6, 32, 32, 3)
  for c in range(3):  # SMIC is grey
    np.testing.assert_allclose(
      colour.streams['face'][..., c : c + 1].astype(int), grey['face'], atol=1
    )
  np.testing.assert_array_equal(colour.streams['flow'], grey['flow'])


def test_red_is_the_first_channel(tmp_path):
  red = np.zeros((20, 20, 3), np.uint8)
  red[..., 2] = 200  # OpenCV writes blue, green, red
  cv2.imwrite(str(tmp_path / 'a.png'), red)
  assert images.read(tmp_path / 'a.png', colour=True)[0, 0].tolist() == [
    *(200, 0, 0)
  ]


def test_a_face_crop_is_taken_whole():
  image = np.tile(np.arange(100, dtype=np.float32), (120, 1))
  region = regions.whole_crop('face', image.shape, 50)
  cut = regions.cut(image, region, 50)
  np.testing.assert_allclose(
    cut[0, 5:-5], 2 * np.arange(50)[5:-5] + 0.5, atol=0.1
  )


@pytest.mark.parametrize(
  'wrong',
  [
    dict(flow='lk'),
    dict(magnify=-1.0),
    dict(detector='none', registration='landmarks'),
  ],
)
def test_wrong_choices_are_one_line(wrong):
  with pytest.raises(errors.UserError, match=r'--config.dataset.\w+='):
    dataclasses.replace(SMALL, **wrong).check()
