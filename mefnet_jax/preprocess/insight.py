"""The detector of insightface, with the checks that it lacks itself.

Left alone it ignores a missing model silently, takes an absent folder for the
name of a pack, and downloads. Its weights are for non-commercial research.
"""

import pathlib
import typing

import cv2
import numpy as np

from mefnet_jax import errors

if typing.TYPE_CHECKING:
  from collections.abc import Callable

_HOME = pathlib.Path('~/.insightface/models')
_URL = 'https://github.com/deepinsight/insightface/releases/tag/model-zoo'
_LANDMARKS = '1k3d68.onnx'
_TASKS = ('detection', 'landmark_3d_68')


def finder(pack: str) -> 'Callable[[np.ndarray], np.ndarray | None]':
  """Returns a function from a grey image to the points (68, 2) of its face.

  Args:
    pack: a folder with the ONNX files, or the name of a pack that lies in
      ~/.insightface/models; nothing is downloaded.

  Raises:
    errors.UserError: the folder, its landmark model or its detector is missing
      or damaged.
  """
  analysis = _analysis(_folder(pack))

  def points_of(image):
    found = analysis.get(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if not found:
      return None
    face = max(found, key=lambda face: _area(face.bbox))
    return np.asarray(face.landmark_3d_68, np.float64)[:, :2]

  return points_of


def weights(pack: str) -> str:
  """Returns names, sizes and times of a pack's files: its version."""
  files = sorted(_folder(pack).glob('*.onnx'))
  stats = [(file.name, file.stat()) for file in files]
  return str([(name, s.st_size, s.st_mtime_ns) for name, s in stats])


def _folder(pack):
  """The folder of a pack; archives often hold it once more in itself."""
  direct = pathlib.Path(pack).expanduser()
  folder = direct if direct.is_dir() else (_HOME / pack).expanduser()
  for place in (folder, folder / folder.name):
    if (place / _LANDMARKS).is_file():
      return place
  if not folder.is_dir():
    raise errors.UserError(
      f'{folder}: no such model pack; download {folder.name}.zip from {_URL} '
      f'and unpack it there, or use --config.dataset.detector=dlib'
    )
  raise errors.UserError(
    f'{folder / _LANDMARKS} is missing: 68 points need it (packs buffalo_l, '
    f'buffalo_m, buffalo_s, antelopev2 have it, from {_URL})'
  )


def _analysis(folder):
  try:
    from insightface import app  # 1.2 s, needed by few
  except ImportError as error:
    raise errors.UserError(
      f'insightface cannot be imported ({error}): pip install insightface'
    ) from None
  try:
    made = app.FaceAnalysis(
      name=str(folder),
      allowed_modules=list(_TASKS),
      providers=['CPUExecutionProvider'],
    )
    made.prepare(ctx_id=-1, det_size=(640, 640))
  except AssertionError:
    raise errors.UserError(
      f'{folder}: no detector among its models (a file like det_10g.onnx)'
    ) from None
  except Exception as error:  # onnxruntime's own, of many types
    text = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'{folder}: its models cannot be read ({text}); unpack them again'
    ) from None
  missing = [task for task in _TASKS if task not in made.models]
  if missing:
    raise errors.UserError(
      f'{folder / _LANDMARKS} is not a model of 68 points; unpack it again'
    )
  return made


def _area(box):
  return (box[2] - box[0]) * (box[3] - box[1])
