"""Flow maps that others have computed: one small image a clip, as it is.

The public maps of the MEGC2019 composite are 28 x 28 pixels: horizontal and
vertical flow from onset to apex, and optical strain, each channel stretched to
0..255 image by image by those who made them. A clip has one frame; its halves
are the streams of the two-stream network.
"""

import dataclasses

import cv2
import numpy as np

from mefnet_jax.preprocess import clip_records, images

SIDE = 28


@dataclasses.dataclass(frozen=True)
class Options:
  """Nothing to choose: the maps are stored as they are."""

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """Returns the shape (T, H, W, C) of each stream that is stored."""
    half = (1, SIDE // 2, SIDE, 3)
    return {'face': (1, SIDE, SIDE, 3), 'eyes': half, 'mouth': half}

  def weights(self) -> str:
    """Returns '': no detector is used."""
    return ''

  def check(self) -> None:
    """Accepts: there is nothing that could be wrong."""


def streams(row: clip_records.Row) -> dict[str, np.ndarray]:
  """Returns the map as 'face', its upper half as 'eyes', its lower 'mouth'.

  A map of another size is brought to 28 x 28 by averages.

  Raises:
    OSError, ValueError: the image is missing or damaged.
  """
  image = images.read(row.frames[0], colour=True)
  if image.shape[:2] != (SIDE, SIDE):
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
  half = SIDE // 2
  return {
    'face': image[None],
    'eyes': image[None, :half],
    'mouth': image[None, half:],
  }
