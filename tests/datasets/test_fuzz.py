"""A share of `python -m tests.fuzz`, and headers that promise too much."""

import struct

import pytest

from mefnet_jax.preprocess import headers, images
from tests import fuzz


@pytest.mark.parametrize(
  'count', [15, pytest.param(40, marks=pytest.mark.slow)]
)
def test_mutated_releases_are_read_or_refused(tmp_path, monkeypatch, count):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'hashes'))
  said = fuzz.run(count, 7, tmp_path)
  assert said['cases'] == count
  assert said['clips'] > count > said['refused']


@pytest.mark.slow
def test_every_mutation_changes_something(tmp_path):
  import random

  for mutate in fuzz.MUTATIONS:
    changed = False
    for seed in range(6):
      roots = fuzz.base(tmp_path / f'{mutate.__name__}{seed}')
      for root in roots.values():
        before = _content(root)
        mutate(root, random.Random(seed))
        changed |= _content(root) != before
      if changed:
        break
    assert changed, mutate


def _content(root):
  return {
    str(f): (f.is_symlink(), f.lstat().st_mode, f.lstat().st_size, _bytes(f))
    for f in root.rglob('*')
  }


def _bytes(file):
  return file.read_bytes() if file.is_file() and not file.is_symlink() else b''


@pytest.mark.parametrize('kind', ['bmp', 'png', 'jpg', 'tiff', 'pgm'])
def test_sizes_are_read_from_whole_headers(tmp_path, kind):
  import cv2
  import numpy as np

  path = tmp_path / f'a.{kind}'
  cv2.imwrite(str(path), np.zeros((30, 50), np.uint8))
  assert headers._size(path.read_bytes()) == (50, 30)
  assert images.read(path).shape == (30, 50)


SIDE = struct.pack('>II', 40_000, 40_000)
BITMAP = struct.pack('<IHHIIiiHH', 600, 0, 0, 54, 40, 40_000, 40_000, 1, 24)
TAGS = (struct.pack('<HHII', tag, 4, 1, 40_000) for tag in (256, 257))


@pytest.mark.parametrize(
  'start',
  [
    b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + SIDE,
    b'BM' + BITMAP,
    b'\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08' + SIDE[2:4] + SIDE[6:],
    b'II*\0\x08\0\0\0\2\0' + b''.join(TAGS),
    b'P5 40000 40000 255 ',
  ],
  ids=['png', 'bmp', 'jpeg', 'tiff', 'pnm'],
)
def test_a_header_of_40000_pixels_is_refused_at_once(tmp_path, start):
  (tmp_path / 'a').write_bytes(start + bytes(600) + b'\xff\xd9')
  with pytest.raises(ValueError, match='40000 x 40000'):
    images.read(tmp_path / 'a')


def test_formats_of_no_release_are_not_decoded(tmp_path):
  webp = b'RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0'
  for start in (webp + 6 * b'\x9c', b'GIF89a' + 4 * b'\x9c', b'#?RADIANCE'):
    (tmp_path / 'a.png').write_bytes(start + bytes(600))
    with pytest.raises(ValueError, match='not an image'):
      images.read(tmp_path / 'a.png')
