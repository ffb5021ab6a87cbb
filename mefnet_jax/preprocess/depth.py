"""Frames of more, or fewer, than 8 bits: one scale for all frames of a clip.

A scale for each frame would change the light from frame to frame, and a network
would learn that. So the value that becomes white follows from the bits that the
clip needs, and is reported as a finding.
"""

import typing

import numpy as np

if typing.TYPE_CHECKING:
  from collections.abc import Iterable

_BITS = (8, 10, 12, 14, 16)


class Depth(typing.NamedTuple):
  """The type and the range of the values of one image.

  Attributes:
    kind: 'uint8', 'uint16', 'float32', ...
    low, high: the least and the largest value.
    white: the largest possible value, where the file holds it (PGM); else None.
  """

  kind: str
  low: float
  high: float
  white: int | None = None


def measure(values: np.ndarray, white: int | None = None) -> Depth:
  """Returns the depth of an image; nothing is measured in ordinary ones."""
  kind = values.dtype.name
  if kind == 'uint8':
    return Depth(kind, 0, 255, None if white == 255 else white)
  return Depth(kind, float(values.min()), float(values.max()), white)


def white(depths: 'Iterable[Depth]', least: float = 0) -> float | None:
  """Returns the value that is white in a clip; None for ordinary images.

  Args:
    depths: the depths of its frames.
    least: the white that other clips of the same camera need, `Row.white`.

  Raises:
    ValueError: frames of different depths, or values without a known white.
  """
  depths = list(depths)
  kinds, whites = {d.kind for d in depths}, {d.white for d in depths}
  if len(kinds) > 1 or len(whites) > 1:
    raise ValueError('frames of different bit depths: bring them to one')
  if kinds == {'uint8'} and whites == {None}:
    return None
  low, high = min(d.low for d in depths), max(d.high for d in depths)
  if not (low >= 0 and high <= 65535):  # false for nan, too
    raise ValueError(f'values from {low:g} to {high:g}: expected 0 to 65535')
  if whites != {None}:
    return float(whites.pop())
  if kinds <= {'float16', 'float32', 'float64'} and high < 2:
    if high > 1:
      raise ValueError(f'values up to {high:g}: is 1 white, or 255?')
    return 1.0
  return max(least, next(2.0**b - 1 for b in _BITS if high < 2**b))


def to_8_bits(values: np.ndarray, white: float | None) -> np.ndarray:
  """Returns an image as uint8; 16 bits lose their lower 8, as in OpenCV."""
  if white is None:
    return values
  if white == 65535 and values.dtype.kind in 'iu':
    return (values >> 8).astype(np.uint8)
  return np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)


def described(depth: Depth, white: float) -> str:
  """Returns the text of the finding on a clip of that depth and white."""
  return f'{depth.kind} values: {white:g} is white in all frames of the clip'
