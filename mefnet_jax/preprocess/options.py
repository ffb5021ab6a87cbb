"""The options of the preparation, and the shapes that follow from them."""

import dataclasses

from mefnet_jax.preprocess import (
  faces,
  flow,
  interpolate,
  regions,
  registration,
)
from mefnet_jax.runs import errors

CROPS = {'face': regions.face, 'eyes': regions.eyes, 'mouth': regions.mouth}
# The flow of a crop is stored under a name of its own.
FLOWS = {'face': 'flow', 'eyes': 'eyes_flow', 'mouth': 'mouth_flow'}
_MOST_MAGNIFY = 100


@dataclasses.dataclass(frozen=True)
class Options:
  """How clips of faces are prepared; the fields of `config.dataset`.

  Attributes:
    detector: of faces and landmarks, see `faces.find`.
    registration: one of `registration.METHODS`.
    interpolation: one of `interpolate.METHODS`.
    flow: one of `flow.METHODS`.
    magnify: the factor of `magnify.clip`.
    colour: three channels instead of one.
    frames: their number after interpolation.
    face, eyes, mouth: pixels a side.
  """

  detector: str = 'dlib'
  registration: str = 'ecc'
  interpolation: str = 'tim'
  flow: str = 'none'
  magnify: float = 0.0
  colour: bool = False
  frames: int = 18
  face: int = 64
  eyes: int = 32
  mouth: int = 32

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """Returns the shape (T, S, S, C) of each stream that is stored."""
    channels = 3 if self.colour else 1
    shapes = {name: self._shape(name, channels) for name in CROPS}
    if self.flow != 'none':  # u, v and strain
      shapes |= {FLOWS[name]: self._shape(name, 3) for name in CROPS}
    return shapes

  def weights(self) -> str:
    """Returns a text that changes with the detector's weights."""
    return faces.weights(self.detector)

  def check(self) -> None:
    """Raises errors.UserError for an invalid option or a missing detector."""
    choices = {
      'registration': registration.METHODS,
      'interpolation': interpolate.METHODS,
    }
    for field, allowed in choices.items():
      value = getattr(self, field)
      if value not in allowed:
        raise _wrong(field, repr(value), f'must be one of {", ".join(allowed)}')
    for field in ('frames', *CROPS):
      value = getattr(self, field)
      if not 1 <= value <= 1024:
        raise _wrong(field, value, 'must be 1 to 1024')
    if not 0 <= self.magnify <= _MOST_MAGNIFY:
      raise _wrong('magnify', self.magnify, f'must be 0 to {_MOST_MAGNIFY}')
    if self.detector == 'none' and self.registration == 'landmarks':
      mend = 'needs a detector; use ecc, or --config.dataset.detector=dlib'
      raise _wrong('registration', "'landmarks'", mend)
    flow.check(self.flow)
    self.weights()  # raises if the detector is missing

  def _shape(self, crop, channels):
    size = getattr(self, crop)
    return (self.frames, size, size, channels)


def _wrong(field, value, mend):
  return errors.UserError(f'--config.dataset.{field}={value}: {mend}')
