"""The parts of a face, and the position of each stream's crop in it.

Coordinates are pixels of the face crop (upright, S pixels a side) or of a
stream's own crop; both are mapped to the frame of the release.
"""

import concurrent.futures
import dataclasses
import functools
import itertools
import os

import cv2
import numpy as np
from ml_collections import ConfigDict

from mefnet_jax import datasets
from mefnet_jax.explain import average_face
from mefnet_jax.preprocess import clips, images, regions, video
from mefnet_jax.preprocess import faces as detector
from mefnet_jax.runs import errors

REGIONS = ('brows', 'eyes', 'nose', 'cheeks', 'mouth', 'chin', 'elsewhere')
# Lines of the outline, as iBUG numbers of the 68 landmarks.
_LINES = (
  range(0, 17),
  range(17, 22),
  range(22, 27),
  range(27, 31),
  range(31, 36),
  (*range(36, 42), 36),
  (*range(42, 48), 42),
  (*range(48, 60), 48),
  (*range(60, 68), 60),
)


# The size of a crop: pixels a side, or (rows, columns).
Size = int | tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Face:
  """The 68 landmarks of a clip's onset frame.

  Attributes:
    points: (68, 2) x and y in pixels of the frame.
    whole: (H, W) of an image that is a face crop already; its points are then
      those of an average face. None if the landmarks were detected.
    halves: whether the upper and the lower half of the image are the streams
      'eyes' and 'mouth', as in flow maps.
  """

  points: np.ndarray
  whole: tuple[int, int] | None = None
  halves: bool = False

  def region(self, stream: str, size: Size) -> np.ndarray:
    """Returns the (2, 3) affine map from pixels of a crop to the frame.

    Args:
      stream: 'face', 'eyes', 'mouth'; any other stream, such as a flow, has the
        region of the face.
      size: size of the crop.
    """
    rows, columns = size if isinstance(size, tuple) else (size, size)
    if self.whole is None:
      crop = clips.STREAMS.get(stream, regions.face)
      return crop(detector.Landmarks(self.points), columns)
    if not self.halves or stream not in ('eyes', 'mouth'):
      name = stream if stream in clips.STREAMS else 'face'
      return regions.whole_crop(name, self.whole, columns)
    # Halves of a flow map: as wide as the map, and half as high.
    high, wide = self.whole[0] / 2 / rows, self.whole[1] / columns
    top = self.whole[0] / 2 if stream == 'mouth' else 0
    return np.array(
      [[wide, 0, wide / 2 - 0.5], [0, high, top + high / 2 - 0.5]]
    )

  def inside(self, stream: str, size: Size) -> np.ndarray:
    """Returns the (68, 2) landmarks in pixels of the crop."""
    region = self.region(stream, size)
    inverse = np.linalg.inv(region[:, :2])
    return (self.points - region[:, 2]) @ inverse.T

  def labels(self, stream: str, size: Size) -> np.ndarray:
    """Returns (H, W) indices into `REGIONS` for the pixels of a crop."""
    return _labels(self.inside(stream, size), size)

  def in_face(self, maps_THW: np.ndarray, stream: str, size: int) -> np.ndarray:
    """Warps maps (T, H, W) of a stream's crop into the face crop."""
    # From the face crop to the frame, and from there to the stream's crop.
    into_stream = regions.chain(
      _inverse(self.region(stream, maps_THW.shape[-2:])),
      self.region('face', size),
    )
    return np.stack(
      [
        cv2.warpAffine(
          frame.astype(np.float32),
          into_stream,
          (size, size),
          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
          borderMode=cv2.BORDER_CONSTANT,  # nothing outside of the crop
        )
        for frame in maps_THW
      ]
    )

  def outline(self, size: int) -> np.ndarray:
    """Draws the landmarks in the face crop, (size, size) uint8."""
    canvas = np.full((size, size), 40, np.uint8)
    # OpenCV draws between pixels in units of 1/8 (shift=3).
    points = np.rint(self.inside('face', size) * 8).astype(int)
    for line in _LINES:
      cv2.polylines(
        canvas, [points[list(line)]], False, 190, 1, cv2.LINE_AA, shift=3
      )
    return canvas

  def sampled(self, image: np.ndarray, size: int) -> np.ndarray:
    """Warps an image of the frame, (H, W) or (H, W, C), into the face crop."""
    return cv2.warpAffine(
      image.astype(np.float32),
      self.region('face', size),
      (size, size),
      flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_CONSTANT,
    )


def find(dataset: ConfigDict, wanted: tuple[str, ...]) -> dict[str, Face]:
  """Detects the landmarks of some clips, on the onset frame as preparation did.

  For face crops and flow maps, in which preparation detects none, they are
  those of an average face.

  Args:
    dataset: `config.dataset` of a run.
    wanted: names of clips.

  Raises:
    UserError: the frames of a clip can no longer be read, or show no face.
  """
  rows = {row.clip: row for row in datasets.release(dataset).rows}
  chosen = [rows[name] for name in wanted]
  work = functools.partial(_find, dataset)
  # dlib releases the GIL while it detects faces.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return dict(zip(wanted, pool.map(work, chosen), strict=True))


def _find(dataset, row):
  """The face on the onset frame, or on one of the few after it."""
  is_map = datasets.is_maps(dataset)
  for image in _first_frames(row):
    if is_map or dataset.detector == 'none':
      # The centre of the first pixel is 0, its edge -0.5.
      points = average_face.POINTS * image.shape[1::-1] - 0.5
      return Face(points, image.shape[:2], is_map)
    found = detector.find(image, dataset.detector)
    if found is not None:
      return Face(found.points)
  raise errors.UserError(
    f'{row.place}: no face is found in clip {row.clip} any more, although it '
    'was prepared: restore the release'
  )


def _first_frames(row):
  """The first readable frames, in grey."""
  if row.video is not None:
    last = row.numbers[: clips.TRIES][-1]
    for frame in video.frames(row.video, row.numbers[0], last):
      yield frame.image
    return
  for path in itertools.islice(row.frames, clips.TRIES):
    try:
      yield images.read_grey(path)
    except (OSError, ValueError):
      continue


def _inverse(region):
  """The (2, 3) inverse of an affine map."""
  inverse = np.linalg.inv(region[:, :2])
  return np.column_stack([inverse, -inverse @ region[:, 2]])


def _labels(points, size):
  """Draws the parts of the face as polygons of landmarks, later ones on top."""
  shape = size if isinstance(size, tuple) else (size, size)
  label = np.full(shape, REGIONS.index('elsewhere'), np.uint8)
  # Margins are shares of the distance of the eyes, so they fit any crop.
  apart = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
  up = np.array([0, -0.25 * apart])
  jaw, low = points[:17], points[48:60]

  def fill(name, outline):
    hull = cv2.convexHull(np.asarray(outline, np.float32))
    cv2.fillConvexPoly(
      label, np.rint(hull * 8).astype(int), REGIONS.index(name), shift=3
    )

  fill('cheeks', [*jaw[:6], *jaw[11:], *points[36:48]])
  fill('chin', [*jaw[4:13], *low[6:]])
  fill('cheeks', [*jaw[:6], points[31], points[48], points[36], points[41]])
  fill('cheeks', [*jaw[11:], points[35], points[54], points[45], points[46]])
  fill('nose', [points[27], *points[31:36], points[39], points[42]])
  for one in (points[36:42], points[42:48]):
    fill('eyes', _grown(one, 1.5, apart * 0.06))
  brows = [points[17:22], points[22:27]]
  for one in brows:
    fill('brows', [*(one + up), *(one - up * 0.35)])
  fill('brows', [brows[0][-1] + up, brows[1][0] + up, points[27]])
  fill('mouth', _grown(low, 1.25, apart * 0.05))
  return label


def _grown(points, factor, margin):
  """Moves points away from their centre."""
  middle = points.mean(0)
  away = points - middle
  return middle + away * factor + np.sign(away) * margin
