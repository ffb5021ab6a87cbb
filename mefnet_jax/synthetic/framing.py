"""How faces are framed for motion maps: crops from brow to chin.

Crops vary between people, so each person's crop is drawn at random. There are
two kinds: crops of which only the statistics are known, as in the public maps,
and the package's own, which follow from landmarks (`preprocess.face_crop`).
"""

import dataclasses
import functools

import numpy as np

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import head as heads

_SCALE = 80.0  # pixels a dm of a crop that follows from landmarks
# Cells of 28 where `preprocess.face_crop` puts eyes and mouth, by centres.
_EYES, _EYE_ROW, _MOUTH_ROW, _CELLS = (6.3, 21.0), 7.7, 20.3, 28
# Where dlib sees the mouth's middle on the mean head, dm, and how far below an
# eyeball's middle the eye, in eyes' distances. Measured on 14 rendered people.
_MOUTH, _EYES_LOWER = (0.0, -0.678, 0.281), 0.025
_CORNERS = 4  # vertices whose mean is the mouth


@dataclasses.dataclass(frozen=True)
class Drawn:
  """Crops of which the statistics are known.

  Measured on the public maps, whose eyes lie at columns 6.3 and 21 of 28.

  Attributes:
    eyes: least and most height of the eyes, as a share of the crop's.
    width, height: median of the crop in pixels, and spread of its logarithm.
    scale: pixels a dm, and spread of its logarithm.
    across: spread of the eyes' middle about the crop's, pixels.
    pose: spread of yaw, pitch and roll before the head moves, radians.
  """

  eyes: tuple[float, float]
  width: tuple[float, float] = (112.0, 0.05)
  height: tuple[float, float] = (128.0, 0.07)
  scale: tuple[float, float] = (80.0, 0.07)
  across: float = 2.0
  pose: tuple[float, float, float] = (0.05, 0.04, 0.02)

  def camera(
    self, surface: np.ndarray, rng: np.random.Generator
  ) -> cameras.Camera:
    """One person's crop; the surface does not matter."""
    del surface
    width, height, scale = (
      median * np.exp(rng.normal(0, spread))
      for median, spread in (self.width, self.height, self.scale)
    )
    width, height = round(width), round(height)
    eyes = (
      (width - 1) / 2 + rng.normal(0, self.across),
      height * rng.uniform(*self.eyes),
    )
    return cameras.Camera((height, width), float(scale), eyes)


@dataclasses.dataclass(frozen=True)
class ByLandmarks:
  """The package's own crops: eyes and mouth where `face_crop` puts them.

  Attributes:
    eyes, mouth: spread of a detector's errors, in distances of the eyes; on
      rendered faces dlib's are .01 and less.
    pose: spread of yaw, pitch and roll before the head moves, radians. The
      crop is level, so that the roll is only a detector's error.
  """

  eyes: float = 0.02
  mouth: float = 0.04
  pose: tuple[float, float, float] = (0.08, 0.06, 0.015)

  def camera(
    self, surface: np.ndarray, rng: np.random.Generator
  ) -> cameras.Camera:
    """The crop of a person whose vertices (V, 3) are given."""
    far = cameras.Camera((1, 1), _SCALE, (0.0, 0.0))
    at, head = far.project(surface), heads.load()
    eyes = np.stack(
      [
        at[head.part == eye].mean(0)
        for eye in (heads.RIGHT_EYE, heads.LEFT_EYE)  # as the picture has them
      ]
    )
    apart = np.linalg.norm(eyes[1] - eyes[0])
    eyes[:, 1] += _EYES_LOWER * apart
    eyes += apart * rng.normal(0, self.eyes, (2, 2))
    mouth = at[_mouth()].mean(0) + apart * rng.normal(0, self.mouth, 2)
    middle = eyes.mean(0)
    width = (eyes[1, 0] - eyes[0, 0]) * _CELLS / (_EYES[1] - _EYES[0])
    height = (mouth[1] - middle[1]) * _CELLS / (_MOUTH_ROW - _EYE_ROW)
    # Of the crop's pixels, whose centres are whole.
    wanted = np.array([np.mean(_EYES), _EYE_ROW]) + 0.5
    wanted = wanted / _CELLS * (width, height) - 0.5
    x, y = (wanted - middle).tolist()
    return cameras.Camera((round(height), round(width)), _SCALE, (x, y))


@functools.lru_cache(maxsize=1)
def _mouth():
  """Numbers of the vertices around the middle of the mouth."""
  head = heads.load()
  far = np.linalg.norm(head.rest - np.array(_MOUTH), axis=1)
  far[head.part != heads.SKIN] = np.inf
  return np.argsort(far)[:_CORNERS]


CONVENTIONS: dict[str, Drawn | ByLandmarks] = {
  'megc2019': Drawn(eyes=(0.16, 0.31)),  # all three databases
  'megc2019_casme2': Drawn(eyes=(0.24, 0.31)),  # SMIC's crops too
  'megc2019_samm': Drawn(eyes=(0.16, 0.25)),
  'product': ByLandmarks(),
}
