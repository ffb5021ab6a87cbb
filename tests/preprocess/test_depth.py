"""Frames of other than 8 bits: one scale a clip, reported, or refused."""

import cv2
import numpy as np
import pytest

from mefnet_jax.datasets import check, registry
from mefnet_jax.preprocess import clip_records, clips, images, reading

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))


def row(folder):
  files = tuple(sorted(folder.iterdir()))
  numbers = tuple(range(1, len(files) + 1))
  return clip_records.Row('a', 'p', 0, 1, 1, 1, files, numbers)


def clip(folder, frames, suffix='.png'):
  folder.mkdir(parents=True, exist_ok=True)
  for i, frame in enumerate(frames):
    assert cv2.imwrite(str(folder / f'{i:03d}{suffix}'), frame)
  return row(folder)


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
def test_the_bits_of_a_clip_are_its_scale(tmp_path, bits, suffix):
  """Dim and light frames keep what they have to each other."""
  most = 2**bits - 1
  light = np.rint(RAMP.astype(float) / 252 * most).astype(np.uint16)
  noted = []
  frames, _ = reading.read(
    clip(tmp_path / 'c', [light // 8, light, light // 2], suffix), noted
  )
  wanted = np.rint(RAMP.astype(float) / 252 * 255)
  for frame, share in zip(frames, (8, 1, 2), strict=True):
    assert frame.dtype == np.uint8
    assert np.abs(frame - wanted / share).max() < 2
  (told,) = noted
  assert told.what == (
    f'uint16 values: {most} is white in all frames of the clip'
  )


@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.pgm'])
def test_full_16_bits_lose_their_lower_8(tmp_path, suffix):
  values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
  (frame,), _ = reading.read(clip(tmp_path / 'c', [values], suffix), [])
  assert (frame == values >> 8).all()
  path = next((tmp_path / 'c').iterdir())
  assert (frame == cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)).all()


@pytest.mark.parametrize('colour', [False, True])
def test_colour_of_12_bits(tmp_path, colour):
  deep = (np.stack([RAMP] * 3, axis=-1).astype(np.uint16) * 16) + 15
  (frame,), _ = reading.read(clip(tmp_path / 'c', [deep]), [], colour=colour)
  assert frame.shape == ((48, 64, 3) if colour else (48, 64))
  wanted = RAMP[..., None] if colour else RAMP
  assert np.abs(frame.astype(int) - wanted).max() <= 2


@pytest.mark.parametrize('white', [1.0, 255.0, 4095.0])
@pytest.mark.parametrize('kind', [np.float32, np.float64])
def test_floats(tmp_path, white, kind):
  values = (RAMP / 255 * white).astype(kind)
  row = clip(tmp_path / 'c', [values / 2, values], '.tiff')
  (dim, light), _ = reading.read(row, [])
  assert np.abs(light.astype(int) - RAMP).max() <= 1
  assert np.abs(dim - RAMP / 2).max() <= 1


@pytest.mark.parametrize(
  ('frames', 'why'),
  [
    ([np.full((9, 9), 1.3, np.float32)], 'is 1 white, or 255'),
    ([np.full((9, 9), -1, np.float32)], 'expected 0 to 65535'),
    ([np.full((9, 9), np.nan, np.float32)], 'expected 0 to 65535'),
    ([np.full((9, 9), np.inf, np.float32)], 'expected 0 to 65535'),
    ([np.full((9, 9), 10**6, np.uint32)], 'expected 0 to 65535'),
    ([np.full((9, 9), -5, np.int16)], 'expected 0 to 65535'),
    ([np.full((9, 9), 9, t) for t in (np.uint8, np.uint16)], 'different bit'),
  ],
)
def test_what_is_not_understood_is_refused_and_reported(tmp_path, frames, why):
  tree = tmp_path / 'sad'
  clip(tree / 'p' / 'a', frames, '.tiff')
  clip(tree / 'q' / 'b', [RAMP, RAMP])
  with pytest.raises(reading.LeftOut, match=why):
    reading.read(row(tree / 'p' / 'a'), [])
  release = registry.read('folder', tmp_path)
  inspected = check._inspected(release)
  assert [r.clip for r in inspected.rows] == ['sad/q/b']
  (told,) = (f for f in inspected.findings if f.clip == 'sad/p/a')
  assert why in told.what


@pytest.mark.parametrize(
  ('head', 'data', 'wanted'),
  [
    (b'P5 2 2 100\n', bytes([0, 50, 75, 100]), [0, 128, 191, 255]),
    (b'P5\n# x\n2 2\n255\n', bytes([0, 50, 75, 100]), [0, 50, 75, 100]),
    (b'P5 2 2 4095\n', bytes([0, 0, 1, 0, 8, 0, 15, 255]), [0, 16, 128, 255]),
    (b'P2 2 2 100\n', b'0 50 75 100 ', [0, 128, 191, 255]),
  ],
)
def test_the_white_of_a_pgm_is_in_its_header(tmp_path, head, data, wanted):
  path = tmp_path / 'a.pgm'
  path.write_bytes(head + data)
  assert np.abs(images.read(path).ravel().astype(int) - wanted).max() <= 1


def test_check_tells_the_scale(tmp_path):
  for person in 'pq':
    clip(tmp_path / 'sad' / person / 'a', [RAMP.astype(np.uint16) * 16] * 3)
  inspected = check._inspected(registry.read('folder', tmp_path))
  assert len(inspected.rows) == 2
  told = [f.what for f in inspected.findings if f.kind == 'repaired']
  assert told == ['uint16 values: 4095 is white in all frames of the clip'] * 2


def test_a_clip_of_12_bits_is_prepared_as_one_of_8(rendered, tmp_path):
  row = rendered[0]
  frames = [images.read(file) for file in row.frames[:6]]
  deep = [np.rint(x * (4095 / 255)).astype(np.uint16) for x in frames]
  options = clips.Options(frames=6)
  faces = [
    clips.prepare(clip(tmp_path / name, made), options).streams['face']
    for name, made in (('8', frames), ('12', deep))
  ]
  assert (faces[0] == faces[1]).all()


def test_a_dim_clip_has_the_white_of_its_neighbours(tmp_path):
  """Of one camera: a quarter of the light is a quarter of the grey."""
  full = np.rint(RAMP.astype(float) / 252 * 4095).astype(np.uint16)
  for person, share in (('p', 1), ('q', 4), ('r', 8)):
    clip(tmp_path / 'sad' / person / 'a', [full // share] * 3)
  release = registry.read('folder', tmp_path)
  wanted = np.rint(RAMP.astype(float) / 252 * 255)
  for row, share in zip(release.rows, (1, 4, 8), strict=True):
    (frame, *_), _ = reading.read(row, [])
    assert np.abs(frame - wanted / share).max() < 2
  told = [f for f in release.findings if '4095 is white' in f.what]
  assert [f.clip for f in told] == ['sad/q/a', 'sad/r/a']


def test_clips_of_another_camera_keep_their_white(tmp_path):
  """12 bits beside 16 would become 16 times as dark; 8 bits have no white."""
  full = np.rint(RAMP.astype(float) / 252 * 4095).astype(np.uint16)
  clip(tmp_path / 'sad' / 'p' / 'a', [full] * 2)
  clip(tmp_path / 'sad' / 'q' / 'a', [full * 16] * 2)
  clip(tmp_path / 'sad' / 'r' / 'a', [RAMP] * 2)
  release = registry.read('folder', tmp_path)
  assert {row.white for row in release.rows} == {0}
  wanted = np.rint(RAMP.astype(float) / 252 * 255)
  (frame, *_), _ = reading.read(release.rows[0], [])
  assert np.abs(frame - wanted).max() < 2
