"""How far each action unit of a rendered clip truly moves, and on which side.

In the terms of the network (`motion_heads.Heads`): the level of a unit is how
far the strongest cell moves that the unit alone moves, 1 cell being 2 x 2 of
those of a stored map, in shares of the distance between the eyes.
"""

import functools
import pathlib
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from mefnet_jax.preprocess import face_crop, motion_map, regions
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import emotions, release, studio

_STEP = 0.05  # weight of a unit at which its motion is measured
_PLACES = motion_map.SIDE // 2


def moved(
  truth: Mapping[str, np.ndarray],
  root: pathlib.Path,
  dataset: str,
  where: np.ndarray,
) -> np.ndarray:
  """Level and side of the units that a clip expresses, (units, 2).

  Level: mean of both sides, from the onset to the apex. Side: 1 is the person's
  left alone, -1 the right alone.

  Args:
    truth: of the clip, as the generator wrote it.
    root: of its release.
    dataset: whose layout the release has.
    where: of `face_crop.matrix`.

  Raises:
    errors.UserError: the seed of the release is not known.
  """
  shot = _shots(dataset, release.seed_of(root))[str(truth['clip'])]
  person = studio.identity_of(release.seed_of(root), shot.dataset, shot.subject)
  apex = int(np.searchsorted(truth['frames'], truth['apex']))
  levels = truth['intensity'].astype(np.float64)
  made = []
  for unit in truth['expressed'].tolist():
    k = emotions.AUS.index(unit)
    left = levels[apex, k] - levels[0, k]
    has_sides = any(name.endswith('*') for name in emotions.ACTION_UNITS[unit])
    right = left * float(truth['right'][k]) if has_sides else left
    far = reach(person.points, unit, shot.camera, where)
    made.append(((left + right) / 2 * far, (left - right) / (left + right)))
  return np.array(made).reshape(-1, 2)


def reach(
  points: np.ndarray,
  unit: int,
  camera: cameras.Camera,
  where: np.ndarray,
) -> float:
  """How far the strongest cell moves when a unit moves fully, on both sides.

  Args:
    points: (V, 3) of a face at rest.
    unit: number of the action unit.
    camera: that films the face.
    where: of `face_crop.matrix`.
  """
  weights = {
    side: _STEP * share
    for name, share in emotions.ACTION_UNITS[unit].items()
    for side in _sides(name)
  }
  rest, after = (
    cameras.surface(points, own, np.zeros(5), camera) for own in ({}, weights)
  )
  flow, _ = cameras.flow(rest, after, camera)
  cells = shares(flow / _STEP, where, _PLACES)
  return float(np.linalg.norm(cells, axis=-1).max())


def shares(
  flow: np.ndarray, where: np.ndarray, side: int = motion_map.SIDE
) -> np.ndarray:
  """A flow in pixels of the image as a map in shares of the eyes' distance.

  Args:
    flow: (H, W, 2).
    where: of `face_crop.matrix`.
    side: cells of the map.

  Returns:
    (side, side, 2) float32.
  """
  made = flow @ np.linalg.inv(where[:, :2]).T / face_crop.EYES
  crop = regions.cut(made.astype(np.float32), where, face_crop.SIDE)
  return cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


@functools.lru_cache(maxsize=8)
def _shots(dataset: str, seed: int) -> dict[str, studio.Shot]:
  """All clips of a release by their names."""
  return {shot.name: shot for shot in release.LAYOUTS[dataset].plan(seed).shots}


def _sides(name: str) -> Sequence[str]:
  """The face units that a name stands for."""
  if not name.endswith('*'):
    return (name,)
  return (f'{name[:-1]}Left', f'{name[:-1]}Right')
