"""Measures a recording: frame rate, face size, noise, blur, light, codec.

All is measured on the decoded frames, so after the codec. Sources: `noise`
takes block-wise deviations of frame differences, of which the quiet ones count,
as in Amer and Dubois, "Fast and reliable structure-oriented video noise
estimation", IEEE TCSVT 15 (2005); `edge_blur` blurs once more, Zhuo and Sim,
"Defocus map estimation from a single image", Pattern Recognition 44 (2011).
"""

import dataclasses
import os

import cv2
import numpy as np

from mefnet_jax.preprocess import quantiser as quantisers

BLOCK = 8  # pixels, of codecs and of `noise`
MOST = 400  # frames that are measured
_EACH = 20  # frames between two measurements of noise and edges
_SLOPE = 1 / 3  # variance added by a difference of pixels two apart, pixels^2
_EDGES = 0.02  # share of a face's pixels that are its strongest edges
_LAMPS = {'50 Hz': 100.0, '60 Hz': 120.0}  # mains: flicker of lamps, Hz
_FAINT = 0.002  # share of the brightness below which light does not flicker
_CLEAR = 6.0  # a peak is so many times the median of all frequencies


@dataclasses.dataclass(frozen=True)
class Measured:
  """Measurements of a recording; None where they are unknown.

  Attributes:
    frames: number of frames that were measured.
    seconds: time from the first to the last of them.
    fps: one over the median of the time between frames.
    jitter: 5 to 95 % range of that time, as a share of its median.
    eyes: median distance between the eyes, pixels.
    noise: standard deviation of still pixels from frame to frame, grey levels.
    blur: of the face's edges, standard deviation in pixels: lens, focus,
      exposure and codec together.
    quantiser: mean of the frames' quantisers (H.264: 0 to 51).
    bits: bits of the file for each pixel of each frame.
    blockiness: steps over the edges of 8 x 8 blocks, relative to other steps.
    flicker: amplitude of a periodic light, as a share of the brightness.
    flicker_hz: its frequency in the recording; 0 without flicker.
    lamps: '50 Hz' or '60 Hz', the mains whose lamps flicker like that at this
      frame rate; '' for neither.
    tree: whether x264's macroblock tree raised the quantisers
      (`quantiser.has_tree`).
  """

  frames: int
  seconds: float
  fps: float
  jitter: float
  eyes: float
  noise: float
  blur: float
  quantiser: float | None
  bits: float | None
  blockiness: float
  flicker: float
  flicker_hz: float
  lamps: str
  tree: bool = False

  @property
  def is_variable(self) -> bool:
    """Whether the time between frames varies by more than a fifth."""
    return self.jitter > 0.2


class Meter:
  """Measures a recording while its frames go by, in constant memory."""

  def __init__(self) -> None:
    self._times: list[float] = []
    self._light: list[float] = []
    self._eyes: list[float] = []
    self._noise: list[float] = []
    self._blur: list[float] = []
    self._blocks: list[float] = []
    self._pixels = 0
    self._before: np.ndarray | None = None

  @property
  def faces(self) -> int:
    """Number of measured frames with a face."""
    return len(self._eyes)

  @property
  def frames(self) -> int:
    """Number of measured frames."""
    return len(self._times)

  @property
  def seconds(self) -> float:
    """Seconds from the first to the last of them."""
    return self._times[-1] - self._times[0] if self._times else 0.0

  @property
  def is_full(self) -> bool:
    """Whether further frames are ignored."""
    return len(self._times) >= MOST

  def push(
    self,
    time: float,
    image: np.ndarray | None,
    eyes: float | None,
    box: tuple[float, float, float, float] | None,
  ) -> None:
    """Measures the next frame; those after the first `MOST` are ignored.

    Args:
      time: seconds.
      image: (H, W) uint8; None if the frame is damaged.
      eyes: distance between the eyes in pixels; None without a face.
      box: left, top, right, bottom of the face in pixels; None without one.
    """
    if self.is_full:
      return
    self._times.append(time)
    if image is None or eyes is None or box is None:
      self._before = None
      self._light.append(np.nan)
      return
    face = _cut(image, box)
    self._light.append(float(face.mean()) if face.size else np.nan)
    self._pixels = image.size
    before, self._before = self._before, None
    if before is not None and before.shape == image.shape:
      self._noise.append(noise(before, image))
    if len(self._eyes) % _EACH == 0 and min(face.shape) > 2 * BLOCK:
      self._blur.append(edge_blur(face))
      self._blocks.append(blockiness(image))
      self._before = image  # of the next frame's noise
    self._eyes.append(eyes)

  def measured(
    self,
    *,
    quantiser: float | None = None,
    path: str = '',
    frames: int = 0,
  ) -> Measured:
    """The numbers; at least 2 frames with a face must have been pushed.

    Args:
      quantiser: mean quantiser from the decoder, if it gives one.
      path: the file, for its size and `has_tree`; '' if there is none.
      frames: number of frames in that file.
    """
    times = np.array(self._times)
    steps = np.diff(times)
    step = float(np.median(steps))
    low, high = np.quantile(steps, (0.05, 0.95))
    bits = None
    if frames and os.path.isfile(path):
      bits = 8 * os.path.getsize(path) / (frames * self._pixels)
    strength, hertz = flicker(times, np.array(self._light))
    return Measured(
      frames=len(times),
      seconds=float(times[-1] - times[0]),
      fps=1 / step,
      jitter=float(high - low) / step,
      eyes=float(np.median(self._eyes)),
      noise=float(np.quantile(self._noise, 0.25)) if self._noise else 0.0,
      blur=float(np.median(self._blur)) if self._blur else 0.0,
      quantiser=quantiser,
      bits=bits,
      blockiness=float(np.median(self._blocks)) if self._blocks else 1.0,
      flicker=strength,
      flicker_hz=hertz,
      lamps=lamps(hertz, 1 / step, float(times[-1] - times[0])),
      tree=quantisers.has_tree(path),
    )


def noise(before: np.ndarray, after: np.ndarray) -> float:
  """Standard deviation of one frame's noise, grey levels.

  It is the deviation of the difference of two frames in each block, without the
  block's mean, which is light; then the median over the blocks, because most of
  a picture stands still. The noise of rounding to whole levels is subtracted.

  Args:
    before, after: (H, W) uint8.
  """
  height, width = (n // BLOCK * BLOCK for n in before.shape)
  difference = after[:height, :width].astype(np.float32)
  difference -= before[:height, :width]
  blocks = difference.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
  variance = float(np.median(blocks.var(axis=(1, 3), ddof=1)))
  return float(np.sqrt(max(variance / 2 - 1 / 12, 0.0)))


def edge_blur(face: np.ndarray) -> float:
  """Standard deviation of the blur at a face's strongest edges, pixels.

  A step that is blurred by s has its steepest slope as 1 / s. Blurred by 1 more
  the slope falls by the ratio r, so that s = 1 / sqrt(r^2 - 1).

  Args:
    face: (H, W) uint8.
  """
  once = cv2.GaussianBlur(face.astype(np.float32), (0, 0), 0.5)
  twice = cv2.GaussianBlur(face.astype(np.float32), (0, 0), np.sqrt(1.25))
  slopes = [np.hypot(*np.gradient(x)) for x in (once, twice)]
  edges = slopes[1] >= np.quantile(slopes[1], 1 - _EDGES)
  ratio = float(
    np.median(slopes[0][edges] / np.maximum(slopes[1][edges], 1e-6))
  )
  own = 1 / max(ratio**2 - 1, 1e-3)
  return float(np.sqrt(max(own - 0.25 - _SLOPE, 0.0)))


def blockiness(image: np.ndarray) -> float:
  """Steps over the edges of 8 x 8 blocks, relative to the steps within them.

  1 where nothing is coded in blocks; a codec that smooths the edges of its
  blocks (H.264) stays near 1.

  Args:
    image: (H, W) uint8.
  """
  found = []
  for axis in (0, 1):
    steps = np.abs(np.diff(image.astype(np.int16), axis=axis))
    means = steps.mean(axis=1 - axis)
    at_edge = np.arange(len(means)) % BLOCK == BLOCK - 1
    if at_edge.any():
      found.append(means[at_edge].mean() / max(means[~at_edge].mean(), 1e-6))
  return float(np.mean(found)) if found else 1.0


def flicker(times: np.ndarray, light: np.ndarray) -> tuple[float, float]:
  """Amplitude and frequency of a light that changes periodically.

  Args:
    times: (n,) seconds.
    light: (n,) mean brightness; NaN where it is unknown.

  Returns:
    Amplitude as a share of the mean, and Hz; (0, 0) without a clear period.
  """
  known = np.isfinite(light)
  span = times[-1] - times[0]
  if known.sum() < 32 or span <= 0:
    return 0.0, 0.0
  count = len(times)
  even = np.linspace(times[0], times[-1], count)
  values = np.interp(even, times[known], light[known])
  slow = np.polynomial.Polynomial.fit(even, values, 3)(even)
  window = np.hanning(count)
  size = np.abs(np.fft.rfft((values - slow) * window)) * 2 / window.sum()
  hertz = np.fft.rfftfreq(count, span / (count - 1))
  # Below 1 Hz a moving head changes the light too.
  band = hertz > max(1.0, 4 / span)
  if not band.any():
    return 0.0, 0.0
  best = int(np.flatnonzero(band)[size[band].argmax()])
  share = float(size[best] / max(values.mean(), 1e-6))
  if share < _FAINT or size[best] < _CLEAR * np.median(size[band]):
    return 0.0, 0.0
  return share, float(hertz[best])


def lamps(hertz: float, fps: float, seconds: float) -> str:
  """The mains whose lamps flicker like that, '50 Hz', '60 Hz', or '' for none.

  Lamps flicker at twice the frequency of the mains. In a recording they flicker
  at the difference to the nearest multiple of the frame rate.

  Args:
    hertz: frequency of the flicker in the recording; 0 for none.
    fps: frame rate of the camera.
    seconds: length of the recording that was measured.
  """
  if not hertz:
    return ''
  for name, own in _LAMPS.items():
    seen = abs(own - round(own / fps) * fps)
    if abs(seen - hertz) <= max(0.25, 2 / max(seconds, 1e-6)):
      return name
  return ''


def _cut(image, box):
  left, top, right, bottom = (round(float(x)) for x in box)
  return image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
