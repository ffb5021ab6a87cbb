"""Finds clips of one recording, by exact digests and by perceptual hashes.

A mark is a perceptual hash of 384 bits in hex, which survives small changes:
the first half describes how a face looks, the second how it moves. Axes of
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
# differ by 85 or more; 91 to 100 % of brighter, noisy, JPEG and cut copies by
# _MOST or less. A bit on looks counts for four.
_LOOKS, _MOST = 4, 64
_ROWS, _COLUMNS = 60, 4096  # marks that are compared at a time, in the cache


def digest(clip_THWC: np.ndarray) -> str:
  """Returns the SHA-256 of a clip's shape and pixels."""
  sha256 = hashlib.sha256(str(clip_THWC.shape).encode())
  sha256.update(np.ascontiguousarray(clip_THWC).tobytes())
  return sha256.hexdigest()


def mark(clip_THWC: np.ndarray) -> str:
  """Returns the mark of a clip; '' for a single frame, where nothing moves.

  Bits on looks: whether a cell is brighter than its left neighbour, in an 8 x 8
  grid of the first, middle and last frames. Bits on motion: whether a cell
  changes more since the onset than the median cell, in each third of the clip.
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
  """Yields (i, j) of each True in `near`, in memory that grows only with N.

  All pairs are compared, a nanosecond each: faces are so much alike that no
  index by parts of a mark would leave out many.
  """
  bits = np.stack([_bits(x) for x in marks])
  # The bits in which faces differ most come first, in one word: it alone
  # settles most pairs.
  bits_of_looks = np.argsort(-bits[:, :_HALF].var(0), kind='stable')
  order = np.concatenate([bits_of_looks, np.arange(_HALF, 2 * _HALF)])
  words = _words(bits[:, order])
  space = np.empty((_ROWS, _COLUMNS), np.uint64)
  for other in (words, _words(_mirrored(bits)[:, order])):
    # Both relations are symmetric: each pair is met once.
    for i in range(0, len(bits), _ROWS):
      for j in range(i, len(bits), _COLUMNS):
        rows, columns = _alike(
          words[:, i : i + _ROWS], other[:, j : j + _COLUMNS], space
        )
        rows, columns = rows + i, columns + j
        once = rows < columns
        pairs = zip(rows[once].tolist(), columns[once].tolist(), strict=True)
        for one, two in pairs:
          yield one, two
          yield two, one


def _words(bits_NB):
  """Bits as words (W, N) of 64; the first half of W is on how faces look."""
  packed = np.ascontiguousarray(np.packbits(bits_NB, axis=1))
  return np.ascontiguousarray(packed.view(np.uint64).T)


def _alike(one_WR, two_WC, space):
  """Where two marks are of one recording, as indices (P,) and (P,).

  Into `space` the first words are compared: new memory would take longer.
  """
  looks = len(one_WR) // 2
  space_RC = space[: one_WR.shape[1], : two_WC.shape[1]]
  np.bitwise_xor(one_WR[0][:, None], two_WC[0], out=space_RC)
  different_RC = np.bitwise_count(space_RC)
  at = np.flatnonzero(different_RC <= _MOST // _LOOKS)
  rows, columns = np.divmod(at, two_WC.shape[1])
  distance = _LOOKS * different_RC.ravel()[at].astype(np.int64)
  for word in range(1, len(one_WR)):
    different = np.bitwise_count(one_WR[word, rows] ^ two_WC[word, columns])
    distance += (_LOOKS if word < looks else 1) * different.astype(np.int64)
    near = distance <= _MOST
    rows, columns, distance = rows[near], columns[near], distance[near]
  return rows, columns


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
