"""A share of `python -m tests.fuzz`, and headers that promise too much."""

import struct

import pytest

from mefnet_jax.preprocess import headers, images
from tests import fuzz


def test_mutated_releases_are_read_or_refused(tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'hashes'))
  said = fuzz.run(60, 7, tmp_path)
  assert said['cases'] == 60
  assert said['clips'] > 60 > said['refused']


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


def test_a_header_of_40000_pixels_is_refused_at_once(tmp_path):
  data = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', 40_000, 40_000)
  (tmp_path / 'a.png').write_bytes(data + bytes(99))
  with pytest.raises(ValueError, match='40000 x 40000'):
    images.read(tmp_path / 'a.png')
