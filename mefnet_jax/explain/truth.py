"""The ground truth of a synthetic release, in the coordinates of the maps."""

import dataclasses
import pathlib
import re

import cv2
import numpy as np

from mefnet_jax.explain import face_regions
from mefnet_jax.runs import errors, regular_file

_BLINK = 45
# A pixel moves if it moves at least half as far as the strongest 1 %.
_SHARE, _STRONG = 0.5, 99.0
# The regions of the face in which FACS describes each action unit.
SEEN = {
  1: ('brows',),
  2: ('brows',),
  4: ('brows',),
  5: ('eyes',),
  6: ('cheeks', 'eyes'),
  7: ('eyes',),
  9: ('nose',),
  10: ('mouth', 'nose'),
  12: ('mouth', 'cheeks'),
  14: ('mouth',),
  15: ('mouth', 'chin'),
  17: ('chin', 'mouth'),
  18: ('mouth',),
  20: ('mouth',),
  23: ('mouth',),
  24: ('mouth',),
  25: ('mouth',),
  26: ('chin', 'mouth'),
}


@dataclasses.dataclass(frozen=True)
class Truth:
  """The ground truth of a clip.

  Attributes:
    action_units: FACS numbers of those of the emotion.
    apex: time of the apex, from 0 (onset) to 1 (offset).
    flow: (H, W, 2) motion from onset to apex in pixels of the frame, including
      that of the head.
    person: (H, W) mask of the person.
    blink: whether the eyes are closing at the apex.
  """

  action_units: tuple[int, ...]
  apex: float
  flow: np.ndarray
  person: np.ndarray
  blink: bool

  def moving(self, face: face_regions.Face, size: int) -> np.ndarray:
    """Returns a mask (size, size) in the face crop of where the face moved.

    The motion of the head, an affine motion that fits most of the face, is
    subtracted. Hair, ears and neck do not count.
    """
    length = np.linalg.norm(self._facial_motion(face), axis=-1)
    length = face.sampled(length, size)
    label = face.labels('face', size)
    length[label == face_regions.REGIONS.index('elsewhere')] = 0
    return length >= _SHARE * np.percentile(length, _STRONG)

  def _facial_motion(self, face):
    """The flow (H, W, 2) without that of the head; zero outside the face."""
    inside = np.zeros(self.person.shape, np.uint8)
    hull = cv2.convexHull(face.points.astype(np.float32))
    cv2.fillConvexPoly(inside, np.rint(hull).astype(int), 1)
    inside *= self.person
    rows, columns = np.nonzero(inside)
    here = np.stack([columns, rows], 1).astype(np.float32)
    there = here + self.flow[rows, columns].astype(np.float32)
    # RANSAC ignores the part of the face that moves by itself.
    matrix, _ = cv2.estimateAffine2D(
      here, there, method=cv2.RANSAC, ransacReprojThreshold=0.05
    )
    moved = np.zeros_like(self.flow)
    if matrix is not None:
      there = there - (here @ matrix[:, :2].T + matrix[:, 2])
    moved[rows, columns] = there
    return moved


def folder(root: pathlib.Path) -> pathlib.Path | None:
  """Returns the folder of the ground truth beside a release, or None."""
  beside = root.with_name(f'{root.name}_truth')
  return beside if beside.is_dir() else None


def load(root: pathlib.Path, clip: str) -> Truth:
  """Reads the ground truth of a clip.

  Args:
    root: folder of the ground truth.
    clip: name of the clip.

  Raises:
    UserError: the folder has no readable truth of that clip.
  """
  path = root / f'{clip}.npz'
  if not path.exists():  # SMIC's s1 is s01 in the names of our clips
    path = root / f'{re.sub("^s0", "s", clip)}.npz'
  try:
    regular_file.check(path, regular_file.MOST)
    with np.load(path) as file:
      if sum(x.file_size for x in file.zip.infolist()) > regular_file.MOST:
        raise ValueError('too large for the truth of a clip')
      given = {name: file[name] for name in file.files}
    onset, apex, offset = (int(given[k]) for k in ('onset', 'apex', 'offset'))
    at = int(np.searchsorted(given['frames'], apex))
    blink = given['action_units'].tolist().index(_BLINK)
    return Truth(
      tuple(given['expressed'].tolist()),
      (apex - onset) / max(1, offset - onset),
      given['flow'].astype(np.float64),
      given['person'],
      bool(given['intensity'][at, blink] > 0.1),
    )
  except (OSError, ValueError, KeyError, IndexError) as error:
    raise errors.UserError(
      f'{path}: no ground truth of this clip ({error}): name the folder that '
      'belongs to the release with --truth'
    ) from error
