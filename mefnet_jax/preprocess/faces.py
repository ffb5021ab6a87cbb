"""Finds the face in an image, and 68 points on it.

The points are numbered as by iBUG: 17-26 brows, 36-47 eyes, 48-67 mouth, each
from the left of the image to its right. dlib's weights come with the package
face-recognition-models; their training data exclude commercial use.
"""

import dataclasses
import functools
import importlib.util
import pathlib
import typing

import cv2
import numpy as np

from mefnet_jax.preprocess import insight
from mefnet_jax.runs import errors, object_pool

if typing.TYPE_CHECKING:
  from collections.abc import Callable

PACK = 'buffalo_l'
# (border as a share of the image, enlargement) of each attempt: a release's
# face crops are often too tight and too small for a detector.
_ATTEMPTS = ((0.0, 1.0), (0.0, 2.0), (0.3, 1.0), (0.3, 2.0))
# Small images are enlarged at once, large ones never: that would take seconds.
_SMALL, _LARGE = 240, 1200
_SEARCHED = 800  # pixels of the longer side; dlib finds faces from 80 on
# dlib's points are whole pixels; on an enlarged crop they are quarters.
_ENLARGED = 4.0
_POINTS = 'shape_predictor_68_face_landmarks.dat'


@dataclasses.dataclass(frozen=True)
class Landmarks:
  """A face.

  Attributes:
    points: (68, 2) float64, x and y in pixels of the image.
    how: how the image had to be changed to find it; '' if not at all.
    faces: number of faces found in the image, of which this is the largest.
  """

  points: np.ndarray
  how: str = ''
  faces: int = 1

  @property
  def box(self) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the points: brows to chin, ear to ear."""
    return (*self.points.min(0).tolist(), *self.points.max(0).tolist())


def find(image: np.ndarray, detector: str = 'dlib') -> Landmarks | None:
  """Finds the largest face in a grey image (H, W) uint8; None without one.

  Args:
    detector: 'dlib', 'insightface' (its pack buffalo_l), or
      'insightface:NAME' with the name of another pack or a folder.

  Raises:
    errors.UserError: the detector or its weights are not there.
  """
  points_of = finder(detector)
  for border, enlarged in _attempts(image):
    padded, matrix = _padded(image, border, enlarged)
    points, count = points_of(padded)
    if points is not None:
      points = (points - matrix[:, 2]) / matrix[0, 0]
      how = f'found with a border of {border:.0%}' if border else ''
      return Landmarks(points, how, count)
  return None


def find_all(image: np.ndarray, detector: str = 'dlib') -> list[Landmarks]:
  """Finds all faces in a grey image (H, W) uint8, the largest first.

  A large image is searched at `_SEARCHED` pixels a side; the points are found
  at its full size. Other detectors than dlib give the largest face alone.

  Raises:
    errors.UserError: as `find`.
  """
  if detector != 'dlib':
    found = find(image, detector)
    return [] if found is None else [found]
  points_in = _points_in()
  longer = max(image.shape)
  scale = min(2.0, _SMALL / min(image.shape)) if longer < _SMALL else 1.0
  scale = _SEARCHED / longer if longer > _SEARCHED else scale
  image = searched = np.ascontiguousarray(image)  # dlib knows no strides
  if scale != 1:
    searched = cv2.resize(
      image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
  found = sorted(_boxes(searched), key=lambda box: -box.area())
  return [
    Landmarks(points_in(image, *_corners(box, scale)), faces=len(found))
    for box in found
  ]


@functools.cache
def finder(
  detector: str,
) -> 'Callable[[np.ndarray], tuple[np.ndarray | None, int]]':
  """Returns a function from a grey image to (points, number of faces).

  The points are those of the largest face, None without one.

  Raises:
    errors.UserError: as `find`.
  """
  name, pack = _name_and_pack(detector)
  if name != 'dlib':
    return insight.finder(pack)
  with _detector():  # it is there, and so are the points' weights
    _points_in()
  return _largest


def weights(detector: str) -> str:
  """Returns a text that changes with the detector's weights, loading none.

  Raises:
    errors.UserError: the detector is unknown, or its weights are not there.
  """
  name, pack = _name_and_pack(detector)
  if name == 'none':
    return 'none'
  return _weights().name if name == 'dlib' else insight.weights(pack)


def _name_and_pack(detector):
  name, _, pack = detector.partition(':')
  if detector not in ('dlib', 'none') and name != 'insightface':
    raise errors.UserError(
      f'--config.dataset.detector={detector!r}: must be dlib, insightface, '
      'insightface:NAME (a pack or a folder with its models), or none (the '
      'images are face crops)'
    )
  return name, pack or PACK


def _attempts(image):
  longer = max(image.shape)
  attempts = _ATTEMPTS if longer < _LARGE else _ATTEMPTS[::2]
  return attempts[1:] if longer < _SMALL else attempts


def _padded(image, border, enlarged):
  """The image with its edge repeated outwards, enlarged; and how (2, 3)."""
  height, width = image.shape
  x, y = round(border * width), round(border * height)
  padded = cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_REPLICATE)
  if enlarged != 1:
    padded = cv2.resize(
      padded, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_LINEAR
    )
  centre = (enlarged - 1) / 2
  shift = [enlarged * x + centre, enlarged * y + centre]
  return padded, np.column_stack([np.eye(2) * enlarged, shift])


def _largest(image):
  """(points, number of faces) by dlib; see `finder`."""
  points_in, found = _points_in(), _boxes(image)
  if not found:
    return None, 0
  box = max(found, key=lambda box: box.area())
  return points_in(image, *_corners(box, 1)), len(found)


def _corners(box, scale):
  """Left, top, right, bottom of dlib's box, in an image `scale` times finer."""
  sides = (box.left(), box.top(), box.right(), box.bottom())
  return tuple(side / scale for side in sides)


def _boxes(image):
  """The boxes of all faces, by dlib."""
  with _detector() as detect:
    return detect(image, 0)


@object_pool.pool
def _detector():
  # A detector keeps the pyramid of the image that it searches: threads that
  # shared one would read each other's memory. To make one takes a second.
  return _imported().get_frontal_face_detector()


@functools.cache
def _points_in():
  dlib = _imported()
  predict = dlib.shape_predictor(str(_weights()))

  def points_in(image, *corners):
    crop, box, matrix = _enlarged_face(image, *corners)
    shape = predict(crop, dlib.rectangle(*box))
    points = np.array([(p.x, p.y) for p in shape.parts()], np.float64)
    return (points - matrix[:, 2]) / matrix[0, 0]

  return points_in


def _imported():
  try:
    import dlib
  except ImportError as error:
    raise errors.UserError(
      f'dlib cannot be imported ({error}): pip install dlib-bin'
    ) from None
  return dlib


def _weights():
  """The file in face_recognition_models, which itself cannot be imported."""
  spec = importlib.util.find_spec('face_recognition_models')
  if spec and spec.submodule_search_locations:
    folder = pathlib.Path(next(iter(spec.submodule_search_locations)))
    if (folder / 'models' / _POINTS).is_file():
      return folder / 'models' / _POINTS
  raise errors.UserError(
    f'{_POINTS} is not installed: pip install face-recognition-models==0.3.0'
  )


def _enlarged_face(image, left, top, right, bottom):
  """The face with a margin at 4 times its size, its box there, and how."""
  size = max(right - left, bottom - top) + 1
  scale = min(_ENLARGED, max(1.0, 1024 / size))
  margin = 0.2 * size
  # OpenCV's matrix for centres of pixels: x' = scale (x - left + .5) - .5
  centre = (scale - 1) / 2
  shift = [centre - scale * (left - margin), centre - scale * (top - margin)]
  matrix = np.column_stack([np.eye(2) * scale, shift])
  side = round((size + 2 * margin) * scale)
  crop = cv2.warpAffine(
    image,
    matrix,
    (side, side),
    flags=cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )
  corners = [[left, top], [right, bottom]]
  box = np.rint(np.array(corners) * scale + shift).astype(int).ravel()
  return crop, box.tolist(), matrix
