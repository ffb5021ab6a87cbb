"""Reads one image file, and raises if it is damaged."""

import os

import cv2
import numpy as np

from mefnet_jax.preprocess import depth, headers
from mefnet_jax.runs import regular_file

# Damaged files are reported in the findings, not on the terminal as well.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read(path: str | os.PathLike, *, colour: bool = False) -> np.ndarray:
  """Returns an image as (H, W) grey, or (H, W, 3) red green blue, uint8.

  Frames of a clip that may have more than 8 bits are brought to 8 together, by
  `read_values` and `depth`.

  Raises:
    OSError, ValueError: as `read_values`; or its depth is not understood.
  """
  values, found = read_values(path, colour=colour)
  return depth.to_8_bits(values, depth.white([found]))


def read_values(
  path: str | os.PathLike, *, colour: bool = False
) -> tuple[np.ndarray, depth.Depth]:
  """Returns an image's values as they are in the file, and their depth.

  Raises:
    OSError: the file is missing, unreadable or no regular file, or has more
      than `headers.MOST_BYTES`.
    ValueError: it is no whole image: empty, truncated, of another format, or
      larger than `headers.MOST_PIXELS`.
  """
  data = regular_file.read(path, headers.MOST_BYTES)
  if not data:
    raise ValueError('empty file')
  if _is_truncated(data):
    raise ValueError('truncated image')
  headers.check(data)
  if (count := headers.pictures(data)) > 1:
    raise ValueError(f'{count} pictures in one file: save each by itself')
  how = cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE
  how |= cv2.IMREAD_ANYDEPTH
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
  except cv2.error:
    image = None
  # The spline that cuts crops needs two pixels in each direction.
  if image is None or min(image.shape[:2]) < 2:
    raise ValueError('not an image')
  if image.dtype != np.uint8 and headers.zero_is_white(data):
    raise ValueError('a TIFF of more than 8 bits whose 0 is white')
  return image, depth.measure(image, headers.white(data))


def read_grey(path: str | os.PathLike) -> np.ndarray:
  """Returns an image as (H, W) uint8; raises as `read`."""
  return read(path)


def grey(image: np.ndarray) -> np.ndarray:
  """Returns an image (H, W) or (H, W, 3) as (H, W)."""
  if image.ndim == 2:
    return image
  return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _is_truncated(data):
  """Whether a BMP or JPEG ends early; decoders fill the rest with grey."""
  if data[:2] == b'BM':
    # A BMP states its length; a JPEG ends with a marker, after which cameras
    # may append a few bytes.
    return len(data) < int.from_bytes(data[2:6], 'little')
  return data[:3] == b'\xff\xd8\xff' and b'\xff\xd9' not in data[-512:]
