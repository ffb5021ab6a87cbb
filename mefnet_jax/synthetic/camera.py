"""Projects a person's surface into a camera.

Image coordinates are x to the right and y down, in pixels; pixel (x, y) samples
the point (x, y). Lengths are in decimetres; the origin is midway between the
eyes.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

DISTANCE = 14.0  # of the camera, dm
PIVOT = np.array([0.0, -0.9, -0.8], np.float32)  # of head rotations, dm


@dataclasses.dataclass(frozen=True)
class Camera:
  """A camera whose image is `size` (rows, columns), with the eyes at `eyes`."""

  size: tuple[int, int]
  scale: float  # pixels a dm at the eyes' distance
  eyes: tuple[float, float]  # x, y

  def project(self, points: np.ndarray) -> np.ndarray:
    """Returns image coordinates (V, 2) of points (V, 3); larger z is nearer."""
    near = DISTANCE / (DISTANCE - points[:, 2])
    x = self.eyes[0] + self.scale * near * points[:, 0]
    y = self.eyes[1] - self.scale * near * points[:, 1]
    return np.stack([x, y], axis=1)


def surface(
  neutral: np.ndarray,
  units: Mapping[str, float],
  pose: np.ndarray,
  camera: Camera,
) -> np.ndarray:
  """Returns the vertices (V, 3) of one frame.

  Args:
    neutral: (V, 3) the person's face at rest.
    units: weights of face units.
    pose: yaw, pitch, roll in radians, then a shift x, y in pixels.
    camera: the camera in whose pixels the shift is given.
  """
  moved = neutral.copy()
  for name, weight in units.items():
    if weight:
      moved += np.float32(weight) * heads.load().units[name]
  yaw, pitch, roll, x, y = pose
  # The rotation fades out along the neck; the shoulders only shift.
  follow = np.clip((neutral[:, 1:2] + 2.0) / 0.9, 0, 1)
  turned = (moved - PIVOT) @ _rotation(yaw, pitch, roll).T + PIVOT
  moved = moved + follow * (turned - moved)
  shift = np.array([x, -y, 0], np.float32) / camera.scale
  return moved + shift * (0.4 + 0.6 * follow)


def flow(
  before: np.ndarray, after: np.ndarray, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the exact optical flow between two surfaces.

  Args:
    before, after: (V, 3) vertices, dm.
    camera: the camera that sees them.

  Returns:
    flow (rows, columns, 2) in pixels, x then y, zero outside the person; and
    the mask of the person (rows, columns).
  """
  triangles = heads.load().triangles
  xy = camera.project(before)
  # The flow at a pixel is that of the surface point it shows before the motion.
  ids, weights = raster.draw(xy, before[:, 2], triangles, camera.size)
  person = ids >= 0
  moved = (camera.project(after) - xy)[triangles[ids]]
  return (moved * weights[..., None]).sum(axis=2) * person[..., None], person


def _rotation(yaw, pitch, roll):
  cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
  cr, sr = np.cos(roll), np.sin(roll)
  about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
  about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
  about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
  return (about_z @ about_x @ about_y).astype(np.float32)
