"""Compares faces by dlib's recognition network: do two pictures show one face?

A description of a face is biometric data. It stays in memory while a video is
watched, and is never written to a file.
"""

import importlib.util
import pathlib

import cv2
import numpy as np

from mefnet_jax.runs import errors, object_pool

CHIP = 150  # side of the network's input in pixels
# Distances of descriptions. dlib's own threshold for one person is .6.
SAME, SURE = 0.6, 0.45
_FILE = 'dlib_face_recognition_resnet_model_v1.dat'
# Where eyes and mouth lie in a chip, as shares of its side; dlib's margin.
_EYES_APART, _EYE_LINE = 0.42, 0.36


def chip(image: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Cuts out the upright face, (CHIP, CHIP) uint8.

  Args:
    image: (H, W) grey.
    points: (68, 2) landmarks in pixels of the image.
  """
  left, right = points[36:42].mean(0), points[42:48].mean(0)
  apart = max(float(np.linalg.norm(right - left)), 1e-6)
  cosine, sine = (right - left) / apart
  step = apart / (_EYES_APART * CHIP)
  turn = step * np.array([[cosine, -sine], [sine, cosine]])
  place = np.array([0.5, _EYE_LINE]) * CHIP
  shift = (left + right) / 2 - turn @ place
  return cv2.warpAffine(
    image,
    np.column_stack([turn, shift]),
    (CHIP, CHIP),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )


def describe(chip: np.ndarray) -> np.ndarray:
  """Describes a face by a vector (128,); the Euclidean distance compares two.

  Args:
    chip: result of `chip`.

  Raises:
    errors.UserError: the network's weights are not installed.
  """
  colour = np.repeat(chip[..., None], 3, axis=-1)
  with _network() as network:
    return np.array(network.compute_face_descriptor(colour))


@object_pool.pool
def _network():
  import dlib  # its networks keep the last answer, so no two threads share one

  spec = importlib.util.find_spec('face_recognition_models')
  if spec and spec.submodule_search_locations:
    folder = pathlib.Path(next(iter(spec.submodule_search_locations)))
    if (folder / 'models' / _FILE).is_file():
      return dlib.face_recognition_model_v1(str(folder / 'models' / _FILE))
  raise errors.UserError(
    f'{_FILE} is not installed: pip install face-recognition-models==0.3.0'
  )
