"""The detector of insightface, with the checks that it lacks.

Without them it ignores a missing model, and downloads a pack if a folder does
not exist. Its weights are for
non-commercial research.
"""

import os
import pathlib
import typing

import cv2
import numpy as np

from mefnet_jax.runs import errors

if typing.TYPE_CHECKING:
  from collections.abc import Callable

_HOME = pathlib.Path('~/.insightface/models')
_URL = 'https://github.com/deepinsight/insightface/releases/tag/model-zoo'
# Files of landmark models, the better first, and their names in insightface.
_LANDMARKS = {
  '1k3d68.onnx': 'landmark_3d_68',
  '2d106det.onnx': 'landmark_2d_106',
}
# The one of the 106 points that stands for each of the 68.
_OF_106 = np.array(
  [1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17]  # jaw
  + [43, 48, 49, 51, 50, 102, 103, 104, 105, 101]  # brows
  + [72, 73, 74, 86, 78, 79, 80, 85, 84]  # nose
  + [35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90]  # eyes
  + [52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55]  # lips without
  + [65, 66, 62, 70, 69, 57, 60, 54]  # and within
)


def finder(pack: str) -> 'Callable[[np.ndarray], tuple]':
  """Returns a function from a grey image to (points, number of faces).

  The points (68, 2) are those of the largest face, None without one.

  Args:
    pack: a folder with the ONNX files, or the name of a pack that lies in
      ~/.insightface/models; nothing is downloaded.

  Raises:
    errors.UserError: the folder, its landmark model or its detector is missing
      or damaged.
  """
  folder = _folder(pack)
  analysis, task = _analysis(folder), _LANDMARKS[_model(folder).name]

  def points_of(image):
    found = analysis.get(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if not found:
      return None, 0
    # The largest, not the first: a second one may be a mistake.
    face = max(found, key=lambda face: _area(face.bbox))
    points = np.asarray(getattr(face, task), np.float64)[:, :2]
    points = points[_OF_106] if len(points) == 106 else points
    return points, len(found)

  return points_of


def weights(pack: str) -> str:
  """Returns names, sizes and times of a pack's files, as its version.

  Raises:
    errors.UserError: there is no such pack.
  """
  files = sorted(_folder(pack).glob('*.onnx'))
  stats = [(file.name, file.stat()) for file in files]
  return str([(name, s.st_size, s.st_mtime_ns) for name, s in stats])


def _folder(pack):
  """The folder of a pack; archives often hold it once more in itself."""
  direct = pathlib.Path(os.path.expanduser(pack))
  folder = direct if direct.is_dir() else (_HOME / pack).expanduser()
  for place in (folder, folder / folder.name):
    if _model(place):
      return place
  if not folder.is_dir():
    raise errors.UserError(
      f'{folder}: no such model pack; download {folder.name}.zip from {_URL} '
      f'and unpack it there, or use --config.dataset.detector=dlib'
    )
  raise errors.UserError(
    f'{folder / next(iter(_LANDMARKS))} is missing, and 2d106det.onnx: 68 or '
    '106 points need one of them (packs buffalo_l, buffalo_m, buffalo_s, '
    f'antelopev2 have both, from {_URL}; offline, unpack the zip there)'
  )


def _model(folder):
  """The folder's landmark model, the better of two; None without one."""
  files = (folder / name for name in _LANDMARKS)
  return next((file for file in files if file.is_file()), None)


def _analysis(folder):
  """insightface's analysis with a detector and landmarks, on the CPU."""
  model = _model(folder)
  tasks = ['detection', _LANDMARKS[model.name]]
  try:
    from insightface import app  # 1.2 s, needed by few
  except ImportError as error:
    raise errors.UserError(
      f'insightface cannot be imported ({error}): pip install insightface'
    ) from None
  try:
    analysis = app.FaceAnalysis(
      name=str(folder),
      allowed_modules=tasks,
      providers=['CPUExecutionProvider'],
    )
    analysis.prepare(ctx_id=-1, det_size=(640, 640))
  except AssertionError:  # bare: the folder holds no detector
    raise errors.UserError(
      f'{folder}: no detector among its models (a file like det_10g.onnx)'
    ) from None
  except Exception as error:  # onnxruntime's own, of many types
    text = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'{folder}: its models cannot be read ({text}); unpack them again'
    ) from None
  # A file of another kind under the right name is ignored without a word.
  if any(task not in analysis.models for task in tasks):
    points = tasks[1].rsplit('_', 1)[1]
    raise errors.UserError(
      f'{model} is not a model of {points} points; unpack it again'
    )
  return analysis


def _area(box):
  return (box[2] - box[0]) * (box[3] - box[1])
