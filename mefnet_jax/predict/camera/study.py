"""The recalls of a study of SYNTHETIC faces, interpolated between its cameras.

The study (`experiments.camera`) put rendered people, whose every movement is
known, before many cameras. Its table, study.json, ships with the package: the
counted recalls, and a logistic model of them that is linear in the measurements
of a recording. Between the cameras of the study the model interpolates; outside
them no recall is given.
"""

import dataclasses
import functools
import json
import math
import pathlib
import typing

import numpy as np

from mefnet_jax.predict.camera import measure

FILE = pathlib.Path(__file__).with_name('study.json')
KNOWN = ('fps', 'eyes', 'quantiser', 'noise', 'blur')
ACTIONS = {  # those of `experiments.camera_footage`: class, and in words
  'AU1+2': ('surprise', 'brow raises'),
  'AU4': ('negative', 'lowered brows'),
  'AU15': ('negative', 'lip corners pulled down'),
  'AU12': ('positive', 'smiles'),
}
_AT = {'fps': 25.0, 'eyes': 60.0, 'quantiser': 23.0}  # the reference camera
_KNOTS = (math.log(0.1), math.log(0.2), math.log(0.5))  # of durations
_LEVEL = 0.025  # quantile at each end of a 95 % interval
_UNITS = {
  'fps': 'frames a second',
  'eyes': 'px between the eyes',
  'quantiser': 'as quantiser',
  'noise': 'grey levels of noise',
  'blur': 'px of blur',
}


@dataclasses.dataclass(frozen=True)
class Camera:
  """The measurements of a recording that the study uses, see `Measured`."""

  fps: float
  eyes: float
  quantiser: float
  noise: float
  blur: float


class Recall(typing.NamedTuple):
  """The share of movements that are found; its 95 % interval over people."""

  value: float
  low: float
  high: float

  def __str__(self) -> str:
    value, low, high = (round(100 * x) for x in self)
    return f'{value} % [{low}, {high}]'


def features(
  action: str, amplitude: float, duration: float, camera: Camera
) -> np.ndarray:
  """The features (F,) in which the logarithm of the odds is linear.

  Args:
    action: a key of ACTIONS.
    amplitude: motion of the point that moves furthest, pixels.
    duration: seconds from onset to offset.
    camera: the recording.
  """
  own = [float(action == name) for name in ACTIONS]
  far = math.log(amplitude / 0.5)
  brief, _, long = (
    float(np.interp(math.log(duration), _KNOTS, hat)) for hat in np.eye(3)
  )
  rate = math.log(camera.fps / _AT['fps'])
  size = math.log(camera.eyes / _AT['eyes'])
  coarse = (camera.quantiser - _AT['quantiser']) / 10
  return np.array(
    [
      *own,
      *(far * x for x in own),
      brief,
      long,
      *_sides(rate),
      *(brief * x for x in _sides(rate)),
      *_sides(size),
      *_sides(coarse),
      camera.noise,
      camera.blur,
    ]
  )


def _sides(x):
  """The parts of a number below and above 0."""
  return min(x, 0.0), max(x, 0.0)


class Study:
  """study.json, read: recalls of cameras between those of the study."""

  def __init__(self, table: dict[str, typing.Any]):
    self.table = table
    self._fitted = np.array(table['fitted'])
    self._draws = np.array(table['draws'])

  def camera(self, measured: measure.Measured) -> tuple[Camera, list[str]]:
    """The camera of a recording, and the values outside the study, as words.

    A recording that is better than the best of the study (finer, sharper, less
    noise) counts as that best one.
    """
    quantiser = measured.quantiser
    if quantiser is None:
      quantiser = self._quantiser(measured.bits)
    values = {
      'fps': measured.fps,
      'eyes': measured.eyes,
      'quantiser': quantiser,
      'noise': measured.noise,
      'blur': measured.blur,
    }
    outside = []
    for name, value in values.items():
      low, high = self.table['range'][name]
      if name in ('quantiser', 'noise', 'blur'):
        value = values[name] = max(value, low)
      # A camera of 30 frames a second may have 29.97, one of 15 14.99.
      if not 0.97 * low <= value <= 1.03 * high:
        outside.append(
          f'{value:.3g} {_UNITS[name]} (the study: {low:.3g} to {high:.3g})'
        )
      values[name] = min(max(value, low), high)
    return Camera(**values), outside

  def recall(
    self, camera: Camera, actions: typing.Sequence[str], far: float, long: float
  ) -> Recall:
    """The share of movements found at one false event a minute.

    Args:
      camera: result of `camera`.
      actions: keys of ACTIONS, over which the mean is taken.
      far: amplitude in pixels, within `amplitudes`.
      long: duration in seconds, within `durations`.
    """
    x_AF = np.stack([features(name, far, long, camera) for name in actions])
    value = float(_chance(x_AF @ self._fitted).mean())
    draws = _chance(self._draws @ x_AF.T).mean(1)
    low, high = np.quantile(draws, (_LEVEL, 1 - _LEVEL))
    return Recall(value, min(float(low), value), max(float(high), value))

  @property
  def amplitudes(self) -> tuple[float, ...]:
    """The study's amplitudes, ascending, in pixels."""
    return tuple(self.table['amplitudes'])

  @property
  def durations(self) -> tuple[float, ...]:
    """The study's durations, ascending, in seconds."""
    return tuple(self.table['durations'])

  def _quantiser(self, bits):
    """The quantiser of a file by its bits a pixel; the best if unknown."""
    if not bits:
      return self.table['range']['quantiser'][0]
    slope, start = self.table['quantiser_of_bits']
    return slope * math.log(bits) + start


def _chance(odds):
  return 1 / (1 + np.exp(-odds))


@functools.cache
def load() -> Study:
  """The study that ships with the package."""
  return Study(json.loads(FILE.read_text(encoding='utf-8')))
