"""Prepares a clip as one motion map, in the same way as prediction does."""

import dataclasses
import typing

import numpy as np

from mefnet_jax.preprocess import (
  face_crop,
  faces,
  flow,
  images,
  motion_map,
  options,
  regions,
)

if typing.TYPE_CHECKING:
  from collections.abc import Sequence

# Of the stored flow, which is in shares of the crop's side.
_SHARE = face_crop.EYES / face_crop.SIDE


@dataclasses.dataclass(frozen=True)
class Options:
  """How clips become motion maps; the fields of `config.dataset`."""

  detector: str = 'dlib'
  registration: str = 'ecc'
  flow: str = 'dis_fine'
  colour: typing.ClassVar[bool] = False

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """Returns the shape (T, H, W, C) of each stream that is stored."""
    side = motion_map.SIDE
    half = (1, side // 2, side, 3)
    return {'face': (1, side, side, 3), 'eyes': half, 'mouth': half}

  def weights(self) -> str:
    """Returns a text that changes with the detector's weights."""
    return faces.weights(self.detector)

  def check(self) -> None:
    """Raises errors.UserError for a value that no preparation has."""
    options.Options(
      detector=self.detector, registration=self.registration, flow=self.flow
    ).check()


def streams(
  frames: 'Sequence[np.ndarray]',
  landmarks: 'faces.Landmarks | None',
  matrices: 'Sequence[np.ndarray]',
  how: Options,
) -> dict[str, np.ndarray]:
  """Returns the map of a clip as 'face', its halves as 'eyes' and 'mouth'.

  u, v and strain as in the public maps, but at one fixed scale and zero
  (`flow.encode`).

  Args:
    frames, landmarks, matrices: as in `clips.Aligned`, from onset to offset.
    how: the options.

  Returns:
    uint8 of the shapes (1, H, W, 3) of `Options.shapes`.
  """
  greys = [images.grey(frame) for frame in frames]
  if landmarks is None:
    where = regions.whole_crop('face', greys[0].shape, face_crop.SIDE)
  else:
    where = face_crop.matrix(landmarks.points)
  made = motion_map.of_frames(greys, where, matrices, how.flow)
  shares = made[None] * np.float32(_SHARE)
  stored = flow.encode(shares, flow.strain(shares))
  half = motion_map.SIDE // 2
  return {
    'face': stored,
    'eyes': stored[:, :half],
    'mouth': stored[:, half:],
  }


def decode(stored: np.ndarray) -> np.ndarray:
  """Returns the motion (..., 2) of stored maps (..., C), in eyes' distances."""
  return flow.decode(stored)[0] / np.float32(_SHARE)
