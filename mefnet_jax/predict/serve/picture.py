"""The page's picture of a frame: outlines of faces, and the frame if shown."""

import base64
from typing import Any

import cv2
import numpy as np

from mefnet_jax.predict import timeline, watch

_HEIGHT = 240  # of the frame that is shown, pixels
_QUALITY = 70


def overlay(seen: watch.Seen, *, show_faces: bool) -> dict[str, Any] | None:
  """The picture of a step's frame as JSON; None if the frame has no image.

  Args:
    seen: the step.
    show_faces: whether to include the frame itself, made smaller.
  """
  if seen.frame is None or seen.frame.image is None:
    return None
  height, width = seen.frame.image.shape
  made = {
    'seconds': seen.frame.time,
    'width': width,
    'height': height,
    'faces': [_face(one) for one in seen.faces],
  }
  if show_faces:
    made['image'] = _jpeg(seen.frame.image)
  return made


def _face(one):
  left, top, right, bottom = (round(float(x), 1) for x in one.box)
  box = {'x': left, 'y': top, 'width': right - left, 'height': bottom - top}
  points = np.round(one.outline, 1)
  lines = [
    ' '.join(f'{x:.1f},{y:.1f}' for x, y in points[list(line)])
    for line in timeline.LINES
  ]
  return {'face': one.face, 'box': box, 'lines': lines}


def _jpeg(image):
  width = max(1, round(image.shape[1] * _HEIGHT / image.shape[0]))
  small = cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
  _, data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
  return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()
