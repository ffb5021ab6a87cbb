"""Finds faces in a process of its own, which starts before the model is loaded.

dlib takes longer to read its weights than jax takes to be imported, and lets no
other thread run meanwhile; two processes do both at once. The results equal
those of `faces.find_all` to the bit.
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
import typing
from collections.abc import Callable, Iterator

from mefnet_jax.runs import child_processes, errors

# Imported by functions, so that the process starts before NumPy is read here.
if typing.TYPE_CHECKING:
  import numpy as np

  from mefnet_jax.preprocess import faces

Find = Callable[['np.ndarray'], 'list[faces.Landmarks]']
_HEADER = struct.Struct('<II')  # height, width; the grey values follow
_START = 'from mefnet_jax.predict import face_finder; face_finder.serve({!r})'


@contextlib.contextmanager
def started(detector: str) -> Iterator['Finder']:
  """Yields a `Finder`, and ends its process at the end."""
  finder = Finder(detector)
  try:
    yield finder
  finally:
    finder.close()


class Finder:
  """Finds faces as `faces.find_all` does, in one image at a time.

  Attributes:
    process: the detector's process.
  """

  def __init__(self, detector: str):
    self._lock = threading.Lock()
    # -P: a file called numpy.py in the user's folder is not to be imported.
    self.process = subprocess.Popen(
      [sys.executable, '-P', '-c', _START.format(detector)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      env=child_processes.environment(),
    )

  def __call__(self, image: 'np.ndarray') -> 'list[faces.Landmarks]':
    """Finds all faces in a grey image (H, W) uint8, the largest first.

    Raises:
      errors.UserError: as `faces.find_all`, or the process has died.
    """
    import numpy as np

    from mefnet_jax.preprocess import faces

    into, out = (typing.cast(typing.IO, p) for p in self._pipes())
    try:
      with self._lock:
        into.write(_HEADER.pack(*image.shape))
        into.write(np.ascontiguousarray(image).data)
        into.flush()
        answer = out.readline()
    except OSError:
      answer = b''
    if not answer.endswith(b'\n'):
      raise errors.UserError(
        f'the face detector died (status {self.process.wait()}): is there '
        'enough memory?'
      )
    found = json.loads(answer)
    if isinstance(found, str):
      raise errors.UserError(found)
    return [
      faces.Landmarks(np.array(points), how, count)
      for points, how, count in found
    ]

  def close(self) -> None:
    """Ends the process."""
    self.process.kill()
    for pipe in self._pipes():
      with contextlib.suppress(OSError):
        pipe.close()
    self.process.wait()

  def _pipes(self):
    return self.process.stdin, self.process.stdout


def serve(detector: str) -> None:
  """Answers each image on stdin with a line of JSON, until stdin is closed."""
  import numpy as np

  from mefnet_jax.preprocess import faces

  with os.fdopen(os.dup(1), 'wb') as out:
    os.dup2(2, 1)  # prints of libraries go elsewhere
    with contextlib.suppress(errors.UserError):  # it is the first answer then
      faces.finder(detector)
    while head := sys.stdin.buffer.read(_HEADER.size):
      shape = _HEADER.unpack(head)
      data = sys.stdin.buffer.read(shape[0] * shape[1])
      image = np.frombuffer(data, np.uint8).reshape(shape)
      out.write(json.dumps(_found(image, detector)).encode() + b'\n')
      out.flush()


def _found(image, detector) -> typing.Any:
  """Points (floats that JSON keeps to the bit), how, and count; or an error."""
  from mefnet_jax.preprocess import faces

  try:
    found = faces.find_all(image, detector)
  except errors.UserError as error:
    return str(error)
  return [(one.points.tolist(), one.how, one.faces) for one in found]
