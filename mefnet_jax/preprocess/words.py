"""The words of a transcript as numbers: hashed, so no vocabulary is needed."""

import hashlib
import re

import numpy as np

_WORD = re.compile(r'\w+')
_MOST = 2**31 - 2


def tokens(text: str, length: int) -> np.ndarray:
  """Returns the first `length` words of a text as numbers, padded with 0.

  A word's number is a hash of its letters in lower case, the same on every
  machine; a network takes it modulo the rows of its embedding.

  Returns:
    (length,) int32, 1 .. 2**31 - 1, zeros at the end.
  """
  numbers = [_number(word) for word in _WORD.findall(text.casefold())[:length]]
  return np.array(numbers + [0] * (length - len(numbers)), np.int32)


def _number(word):
  # Python's own hash of a string differs from process to process.
  digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
  return 1 + int.from_bytes(digest, 'little') % _MOST
