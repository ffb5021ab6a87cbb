"""Reads one image of a release as grey values; says so when it is damaged."""

import os

import cv2
import numpy as np


def read_grey(path: str | os.PathLike) -> np.ndarray:
  """Returns an image as (H, W) uint8.

  Raises:
    OSError: the file is missing or unreadable.
    ValueError: it is no whole image: empty, truncated, of another format.
  """
  with open(path, 'rb') as file:
    data = file.read()
  if not data:
    raise ValueError('empty file')
  if _is_truncated(data):
    raise ValueError('truncated image')
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
  except cv2.error:
    image = None
  if image is None or min(image.shape) < 2:
    raise ValueError('not an image')
  return image


def _is_truncated(data):
  """Whether a BMP or JPEG ends early; decoders fill the rest with grey."""
  if data[:2] == b'BM':
    return len(data) < int.from_bytes(data[2:6], 'little')
  return data[:3] == b'\xff\xd8\xff' and b'\xff\xd9' not in data[-512:]
