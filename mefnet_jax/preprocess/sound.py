"""Turns the sound of a clip (WAV file or sound track) into a log-mel map."""

import pathlib
import warnings

import numpy as np

from mefnet_jax.preprocess import containers, headers, media
from mefnet_jax.runs import errors, regular_file

RATE = 16_000  # samples a second, to which every sound is resampled
WINDOW, HOP = 512, 160
LOWEST, HIGHEST = 60.0, 7600.0  # Hz
RANGE = 80.0  # dB below the loudest that are kept
LONGEST = 60  # seconds that are read
_FASTEST = 400_000  # samples a second; recorders have up to 384,000
SUFFIXES = ('.wav', *media.VIDEOS)


def read(path: pathlib.Path) -> np.ndarray:
  """Reads a sound as mono samples (n,) float32 at RATE, at most LONGEST s.

  Raises:
    ValueError: not a sound, damaged, or a video without a sound track.
    OSError: the file cannot be read.
    errors.UserError: a video's sound track is asked for without PyAV.
  """
  if path.suffix.lower() != '.wav':
    return _sound_track(path)
  if regular_file.check(path).st_size > headers.MOST_BYTES:
    raise ValueError('too large for the sound of a clip')
  from scipy.io import wavfile  # slow to import, as signal below

  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # chunks that scipy does not know
    try:
      rate, x = wavfile.read(path)
    except OSError:
      raise
    except Exception as error:  # of many types where a file is damaged
      raise ValueError(f'not a WAV file ({error})') from None
  # The filter that resamples grows with the rate: minutes at a few MHz.
  if not 1000 <= rate <= _FASTEST or not x.size:
    raise ValueError(f'{x.size} samples at {rate} a second')
  x = x[: LONGEST * rate].astype(np.float32)
  x = x.mean(1) if x.ndim == 2 else x
  from scipy import signal  # most of a second, needed by few

  shared = np.gcd(rate, RATE)
  return signal.resample_poly(x, RATE // shared, rate // shared)


def log_mel(samples: np.ndarray, times: int, bands: int) -> np.ndarray:
  """Returns the log-mel map of a sound, independent of length and loudness.

  Args:
    samples: (n,) at RATE.
    times: F, the number of instants, evenly over the sound.
    bands: M, on the mel scale from LOWEST to HIGHEST.

  Returns:
    (F, M, 1) uint8: 0 is RANGE dB below the loudest value, 255 the loudest.
    Silence is all zeros.
  """
  x = np.asarray(samples, np.float64)
  x = np.pad(x, (WINDOW // 2, WINDOW // 2 + WINDOW))
  starts = np.arange(0, len(x) - WINDOW - WINDOW // 2, HOP)
  frames = x[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
  power = np.abs(np.fft.rfft(frames)) ** 2 @ _filters(bands)
  # Power is interpolated before the logarithm: silence has none.
  at = np.linspace(0, len(power) - 1, times)
  low = np.floor(at).astype(int)
  high = np.minimum(low + 1, len(power) - 1)
  share = (at - low)[:, None]
  power = (1 - share) * power[low] + share * power[high]
  if power.max() <= 0:
    return np.zeros((times, bands, 1), np.uint8)
  level = 10 * np.log10(np.maximum(power / power.max(), 1e-12)) / RANGE + 1
  return np.round(255 * np.clip(level, 0, 1)).astype(np.uint8)[..., None]


def _filters(bands):
  """Triangles on the mel scale, (WINDOW // 2 + 1, bands)."""

  def mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)

  ends = np.linspace(mel(LOWEST), mel(HIGHEST), bands + 2)
  at = mel(np.arange(WINDOW // 2 + 1) * RATE / WINDOW)[:, None]
  left, middle, right = ends[:-2], ends[1:-1], ends[2:]
  rise, fall = (at - left) / (middle - left), (right - at) / (right - middle)
  # A low band may lie between two frequencies: then the nearest counts.
  weight = np.maximum(np.minimum(rise, fall), 0)
  nearest = np.abs(at - middle).argmin(0)
  empty = weight.sum(0) == 0
  weight[nearest[empty], np.flatnonzero(empty)] = 1
  return weight


def _sound_track(path):
  """The samples of a video's first sound track, as `read` returns them."""
  try:
    av = containers.library(path)
  except errors.UserError as error:
    raise errors.UserError(
      f'{error}, or put {path.stem}.wav beside it'
    ) from None
  parts, count, why = [], 0, ''
  with containers.opened(path) as container:
    if not container.streams.audio:
      raise ValueError('a video without a sound track')
    budget = containers.Budget()
    to_mono = av.AudioResampler(format='flt', layout='mono', rate=RATE)
    for packet in containers.packets(budget, container, _track(container)):
      try:
        for frame in budget.call(packet.decode):
          for piece in to_mono.resample(frame):
            parts.append(piece.to_ndarray().ravel())
            count += len(parts[-1])
      except av.FFmpegError as error:
        why = f' ({error})'  # the sound before and behind it is used
      if count > LONGEST * RATE:
        break
  if not parts:
    raise ValueError(f'a sound track without sound{why}')
  return np.concatenate(parts)[: LONGEST * RATE]


def _track(container):
  """The first sound track of a known codec."""
  known = [s for s in container.streams.audio if s.codec_context is not None]
  if not known:
    raise ValueError('its sound is of a codec that is not known')
  return known[0]
