"""A photograph of a real face that is moved as a head moves: no expression.

The face is NASA's portrait of Eileen Collins, in the public domain and part of
scikit-image. Whatever a spotter finds here is false. Nobody blinks or speaks in
it, so it is easier than footage of a person at rest.
"""

import itertools
import os
from collections.abc import Iterator

import av
import cv2
import numpy as np
import skimage.data

from mefnet_jax.runs import files
from mefnet_jax.synthetic import nuisance, recording

_ZOOM = 1.6
# Rows and columns with head and shoulders.
_PART = slice(0, 400), slice(40, 440)
# Standard deviations of a slow sway: pixels, degrees, size, brightness.
_SWAY = {'x': 6.0, 'y': 4.0, 'turn': 1.5, 'size': 0.01, 'light': 0.01}
_PERIOD = 4.5  # seconds in which it comes and goes
_NOISE = 2.0  # grey levels of each pixel and frame


def write(
  path: str | os.PathLike, *, seed: int, fps: int, seconds: float
) -> None:
  """Writes a video of `frames`, in H.264; the same bytes for one seed."""
  shown = frames(seed, round(seconds * fps), fps)
  first = next(shown)
  with (
    files.aside(path) as aside,
    av.open(str(aside), 'w', format='mp4') as container,
  ):
    images = itertools.chain([first], shown)
    options = {'crf': '20', **recording.SAME_BITS}
    recording.encode(container, images, fps, first.shape, options)


def frames(seed: int, count: int, fps: int) -> Iterator[np.ndarray]:
  """Yields frames (H, W) uint8 of a head that sways, with sensor noise."""
  rng = np.random.default_rng(seed)
  image = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)[_PART]
  image = cv2.resize(image, None, fx=_ZOOM, fy=_ZOOM)
  sway = {
    name: sd * nuisance.wander(count, _PERIOD * fps, rng)
    for name, sd in _SWAY.items()
  }
  middle = image.shape[1] / 2, image.shape[0] / 2
  for n in range(count):
    to = cv2.getRotationMatrix2D(middle, sway['turn'][n], 1 + sway['size'][n])
    to[:, 2] += sway['x'][n], sway['y'][n]
    shown = cv2.warpAffine(
      image.astype(np.float32),
      to,
      image.shape[::-1],
      flags=cv2.INTER_CUBIC,
      borderMode=cv2.BORDER_REFLECT,
    )
    shown = shown * (1 + sway['light'][n])
    shown += rng.normal(0, _NOISE, shown.shape)
    yield np.clip(shown.round(), 0, 255).astype(np.uint8)
