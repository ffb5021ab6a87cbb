"""Reads published flow maps: one small image for each clip, as it is stored.

The public maps of the MEGC2019 composite are 28 x 28 pixels: horizontal and
vertical flow from onset to apex, and optical strain, each channel stretched to
0..255 separately for each image by its authors. A clip has one frame; its
halves are the streams of the two-stream network.
"""

import dataclasses

import cv2
import numpy as np

from mefnet_jax.preprocess import clip_records, images, reading
from mefnet_jax.runs import findings

SIDE = 28


@dataclasses.dataclass(frozen=True)
class Options:
  """There is nothing to choose: the maps are stored as they are."""

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """Returns the shape (T, H, W, C) of each stream that is stored."""
    half = (1, SIDE // 2, SIDE, 3)
    return {'face': (1, SIDE, SIDE, 3), 'eyes': half, 'mouth': half}

  def weights(self) -> str:
    """Returns '': no detector is used."""
    return ''

  def check(self) -> None:
    """Accepts everything, since there are no options."""


def streams(row: clip_records.Row, noted: list) -> dict[str, np.ndarray]:
  """Returns the map as 'face', its upper half as 'eyes', its lower 'mouth'.

  A map of another size is resized to 28 x 28 by averaging.

  Args:
    row: the clip.
    noted: a list to which a finding is appended if the map has another size.

  Raises:
    OSError, ValueError: the image is missing or damaged.
  """
  image = images.read(row.frames[0], colour=True)
  if image.shape[:2] != (SIDE, SIDE):
    size = ' x '.join(map(str, image.shape[1::-1]))
    what = f'a map of {size} pixels, averaged to {SIDE} x {SIDE}'
    file = reading.short(row.frames[0])
    noted.append(reading.finding(findings.REPAIRED, row, file, what))
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
  half = SIDE // 2
  return {
    'face': image[None],
    'eyes': image[None, :half],
    'mouth': image[None, half:],
  }
