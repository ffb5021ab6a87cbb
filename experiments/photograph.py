"""A photograph of a real face that is moved as a head moves: no expression.

The face is NASA's portrait of Eileen Collins, in the public domain and part of
scikit-image. Whatever a spotter finds here is false. Nobody blinks or speaks in
it, so it is easier than footage of a person at rest.
"""

import os
import pathlib

import av
import cv2
import numpy as np
import skimage.data

_ZOOM = 1.6
_PART = (
  slice(0, 400),
  slice(40, 440),
)  # rows and columns with head and shoulders
# Standard deviations of a slow sway: pixels, degrees, size, brightness.
_SWAY = {'x': 6.0, 'y': 4.0, 'turn': 1.5, 'size': 0.01, 'light': 0.01}
_PERIOD = 1.5  # seconds over which the sway is smooth
_NOISE = 2.0  # grey levels of each pixel and frame


def write(
  path: str | os.PathLike, *, seed: int, fps: int, seconds: float
) -> None:
  """Writes a video, in H.264 with sensor noise; the same for one seed."""
  rng = np.random.default_rng(seed)
  image = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)[_PART]
  image = cv2.resize(image, None, fx=_ZOOM, fy=_ZOOM)
  count = round(seconds * fps)
  sway = {k: sd * _smooth(rng, count, fps) for k, sd in _SWAY.items()}
  middle = image.shape[1] / 2, image.shape[0] / 2
  with av.open(str(pathlib.Path(path)), 'w', format='mp4') as container:
    stream = container.add_stream('libx264', rate=fps)
    stream.height, stream.width = image.shape
    stream.pix_fmt, stream.options = 'yuv420p', {'crf': '20'}
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
      grey = np.clip(shown.round(), 0, 255).astype(np.uint8)
      container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, 'gray')))
    container.mux(stream.encode())


def _smooth(rng, count, fps):
  """Noise (count,) of standard deviation 1, smooth over `_PERIOD`."""
  width = round(_PERIOD * fps)
  window = np.hanning(2 * width + 1)
  wide = rng.normal(size=count + 2 * width)
  made = np.convolve(wide, window, 'valid')
  return (made - made.mean()) / max(made.std(), 1e-9)
