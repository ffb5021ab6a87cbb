"""Finds clips of one recording: by exact digests, and by perceptual hashes.

A mark is a perceptual hash of 384 bits in hex, which survives small changes:
the first half says what a face looks like, the second how it moves. Axes of
clips: T frames, H rows, W columns, 1 channel.
"""

import hashlib
import typing

import cv2
import numpy as np

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence

_HALF = 192  # bits
DIGITS = 2 * _HALF // 4  # of a mark, in hex
# Measured on two synthetic releases (docs/protocols.md): two people's faces
# never have less than 85; brighter, noisy, JPEG and cut copies have at most so
# much, at 91 to 100 %. A bit of what a face looks like counts for four.
_LOOKS, _MOST = 4, 64
_BLOCK = 512  # marks that are compared with all others at a time
_MOST_AT_ONCE = 2**16  # pairs whose distance is taken at a time


def digest(clip_THWC: np.ndarray) -> str:
  """Returns the SHA-256 of a clip's shape and pixels."""
  sha256 = hashlib.sha256(str(clip_THWC.shape).encode())
  sha256.update(np.ascontiguousarray(clip_THWC).tobytes())
  return sha256.hexdigest()


def mark(clip_THWC: np.ndarray) -> str:
  """Returns the mark of a clip; '' for a single frame, where nothing moves.

  Looks: is a cell brighter than its left neighbour, in an 8 x 8 grid of the
  first, middle and last frames. Motion: does a cell change more than the
  median cell since the onset, over three thirds of the clip.
  """
  if len(clip_THWC) < 2:
    return ''
  clip = clip_THWC[..., 0].astype(np.float32)
  bits = []
  for t in (0, len(clip) // 2, len(clip) - 1):
    grid = _grid(clip[max(0, t - 1) : t + 2].mean(0), 9)
    bits.append(grid[:8, 1:] > grid[:8, :-1])
  # Two frames, as three above: their mean holds less noise than one.
  onset = clip[:2].mean(0)
  for part in np.array_split(np.arange(1, len(clip)), 3):
    grid = _grid(clip[part if part.size else [-1]].mean(0) - onset, 8)
    bits.append(grid > np.median(grid))
  return np.packbits(np.stack(bits)).tobytes().hex()


def near(marks: 'Sequence[str]') -> np.ndarray:
  """Returns (N, N): whether two marks are of one recording or its mirror image.

  It is False on the diagonal.

  Raises:
    ValueError: a mark is not DIGITS hex digits.
  """
  alike = np.zeros((len(marks), len(marks)), bool)
  for i, j in near_pairs(marks):
    alike[i, j] = True
  return alike


def near_pairs(marks: 'Sequence[str]') -> 'Iterator[tuple[int, int]]':
  """Yields (i, j) of each True in `near`, in memory that grows only with N."""
  bits = np.stack([_bits(x) for x in marks])
  signs = _signs(bits)
  for other in (signs, _signs(_mirrored(bits))):
    for start in range(0, len(bits), _BLOCK):
      block = slice(start, start + _BLOCK)
      # Both relations are symmetric: each pair is met once.
      # Looks alone first, as one product: most pairs are settled by them.
      alike = signs[block, :_HALF] @ other[start:, :_HALF].T
      rows, columns = np.nonzero(alike >= _HALF - 2 * (_MOST // _LOOKS))
      for at in range(0, len(rows), _MOST_AT_ONCE):
        part = slice(at, at + _MOST_AT_ONCE)
        i_P, j_P = rows[part] + start, columns[part] + start
        near = _distance(signs[i_P], other[j_P]) <= _MOST
        near &= i_P < j_P
        for i, j in zip(i_P[near].tolist(), j_P[near].tolist(), strict=True):
          yield i, j
          yield j, i


def _signs(bits):
  return bits.astype(np.float32) * 2 - 1


def _distance(one_PD, other_PD):
  """The distances (P,) of pairs of marks, given as signs."""
  same_PD = one_PD * other_PD
  looks, moves = (
    (_HALF - same_PD[:, half].sum(1)) / 2
    for half in (slice(_HALF), slice(_HALF, None))
  )
  return _LOOKS * looks + moves


def _mirrored(bits_NB):
  """The bits of the clips' mirror images.

  The order of columns is reversed, and a cell that was brighter than its left
  neighbour becomes darker than its right one.
  """
  rows = bits_NB.reshape(len(bits_NB), -1, 8)[:, :, ::-1]
  turned = rows.reshape(bits_NB.shape).copy()
  turned[:, :_HALF] = 1 - turned[:, :_HALF]
  return turned


def _grid(image, side):
  return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _bits(text):
  packed = np.frombuffer(bytes.fromhex(text), np.uint8)
  if packed.size * 8 != 2 * _HALF:
    raise ValueError(f'a mark of {packed.size * 8} bits, not {2 * _HALF}')
  return np.unpackbits(packed)
