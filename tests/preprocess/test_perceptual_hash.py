"""A recording is known again though its copy was changed; others are not."""

import time

import numpy as np
import pytest

from mefnet_jax.preprocess import perceptual_hash


def _clip(seed, frames=12, side=32):
  """A smooth random face with a smooth random motion of 10 grey values."""
  random = np.random.default_rng(seed)
  rows, columns = np.mgrid[0:side, 0:side] / side
  face, motion = (
    sum(
      random.normal() * np.sin(2 * np.pi * (a * rows + b * columns) + phase)
      for a in range(3)
      for b in range(3)
      for phase in random.uniform(0, 6, 1)
    )
    for _ in range(2)
  )
  strength = np.sin(np.linspace(0, np.pi, frames))[:, None, None]
  made = 128 + 20 * face + 5 * strength * motion
  return np.clip(made, 0, 255).astype(np.uint8)[..., None]


@pytest.mark.parametrize(
  'change',
  [
    lambda x: np.clip(x * 1.1 + 8, 0, 255),
    lambda x: x + np.random.default_rng(0).normal(0, 1, x.shape),
    lambda x: x[np.linspace(0, len(x) - 2, len(x)).round().astype(int)],
    lambda x: x[:, :, ::-1],
  ],
  ids=['brighter', 'noisy', 'cut', 'mirrored'],
)
def test_a_changed_copy_is_near(change):
  clip = _clip(0)
  copy = np.clip(change(clip), 0, 255).astype(np.uint8)
  assert perceptual_hash.digest(clip) != perceptual_hash.digest(copy)
  near = perceptual_hash.near(
    [perceptual_hash.mark(clip), perceptual_hash.mark(copy)]
  )
  assert near[0, 1] and near[1, 0] and not near[0, 0]


def test_other_clips_are_not_near():
  near = perceptual_hash.near(
    [perceptual_hash.mark(_clip(seed)) for seed in range(30)]
  )
  assert not near.any()


@pytest.mark.parametrize(
  ('looks', 'moves', 'expected'),
  [(0, 64, True), (0, 65, False), (16, 0, True), (3, 50, True), (8, 53, False)],
)
def test_a_bit_of_looks_counts_for_four(looks, moves, expected):
  """(8, 53) is what two people of the synthetic release had at 32 frames."""
  bits = np.random.default_rng(0).integers(0, 2, 384).astype(np.uint8)
  other = bits.copy()
  other[:looks] ^= 1
  other[192 : 192 + moves] ^= 1
  marks = [np.packbits(x).tobytes().hex() for x in (bits, other)]
  assert perceptual_hash.near(marks)[0, 1] == expected


def test_one_frame_has_no_mark():
  assert perceptual_hash.mark(np.zeros((1, 28, 28, 3), np.uint8)) == ''


def test_a_wrong_mark_is_refused():
  with pytest.raises(ValueError, match='bits'):
    perceptual_hash.near(['abcd', 'abcd'])


def _mirror(bits_ND):
  """The bits of mirror images: columns turned, brighter becomes darker."""
  grids = bits_ND.reshape(-1, 6, 8, 8)[..., ::-1].copy()
  grids[:, :3] ^= 1
  return grids.reshape(bits_ND.shape)


def test_the_pairs_are_those_that_each_with_each_gives(monkeypatch):
  """Copies, and copies of the mirror image, about as far as they may be."""
  monkeypatch.setattr(perceptual_hash, '_ROWS', 7)
  monkeypatch.setattr(perceptual_hash, '_COLUMNS', 11)
  rng = np.random.default_rng(0)
  faces = rng.integers(0, 2, (12, 384), np.uint8)
  bits = faces[rng.integers(12, size=90)]
  bits[::3] = _mirror(bits[::3])
  bits[:, :192] ^= rng.random((90, 192)) < rng.random((90, 1)) * 0.06
  bits[:, 192:] ^= rng.random((90, 192)) < rng.random((90, 1)) * 0.3
  expected = np.zeros((90, 90), bool)
  for other in (bits, _mirror(bits)):
    apart = bits[:, None] != other
    distance = 4 * apart[..., :192].sum(-1) + apart[..., 192:].sum(-1)
    expected |= distance <= 64
  np.fill_diagonal(expected, False)
  marks = [np.packbits(one).tobytes().hex() for one in bits]
  np.testing.assert_array_equal(perceptual_hash.near(marks), expected)
  assert 90 < expected.sum() < 600  # of 8,010, and some of each kind


def test_12_000_marks_are_compared_in_seconds():
  marks = np.random.default_rng(0).integers(0, 256, (12_000, 48), np.uint8)
  texts = [mark.tobytes().hex() for mark in marks]
  texts[-1] = texts[3]
  began = time.process_time()
  assert [*perceptual_hash.near_pairs(texts)] == [(3, 11_999), (11_999, 3)]
  assert time.process_time() - began < 5
