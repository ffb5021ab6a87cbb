"""One source of frames for a video, a folder of images, or arrays in memory.

A video is decoded in a process of its own (`decoder`). If that crashes, hangs
or takes too much memory, the video ends there, and a row notes it. Between the
two processes lies a short queue, so that memory does not grow with the video.
"""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import typing
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mefnet_jax.predict import decoder
from mefnet_jax.runs import child_processes, errors

STALLED = 60.0  # seconds without a frame after which decoding is given up
# Enough to keep the decoder busy while a frame is scored, but at most 64 MB.
_QUEUED = 16
_QUEUED_BYTES = 2**26
_LARGEST = 2**28  # bytes of one record; larger ones are damaged
_DECODE = 'from mefnet_jax.predict import decoder; decoder.main()'


class Frame(typing.NamedTuple):
  """One frame.

  Attributes:
    number: from 1, in the order in which frames are shown.
    time: seconds since the first frame, increasing.
    image: (H, W) grey uint8; None if it is damaged.
    note: an oddity, such as that the video broke here; '' if there is none.
  """

  number: int
  time: float
  image: np.ndarray | None
  note: str = ''


class Source(typing.Protocol):
  """A source of frames: a file, a camera, or arrays.

  Attributes:
    name: its name in tables.
    path: path of the file, '' if it is none.
    expected: estimated number of frames; 0 if it is unknown.
    fps: average frames a second according to the file; 0 if it is unknown.
    notes: oddities of the whole, complete after the last frame.
  """

  name: str
  path: str
  expected: int
  fps: float
  notes: list[str]

  def __iter__(self) -> Iterator[Frame]: ...


class Arrays:
  """Frames that lie in memory, or are made as they are asked for.

  Args:
    images: (H, W) or (H, W, 3) red green blue, uint8 each.
    fps: frames a second, or the time of each frame in seconds.
    name: the name in tables.
  """

  path = ''

  def __init__(
    self,
    images: Iterable[np.ndarray],
    fps: float | Iterable[float],
    name: str = 'frames',
  ):
    self.name = name
    self.notes: list[str] = []
    self.expected = len(images) if isinstance(images, typing.Sized) else 0
    self.fps = float(fps) if isinstance(fps, int | float) else 0.0
    self._images, self._fps = images, fps

  def __iter__(self) -> Iterator[Frame]:
    if self.fps:
      times: Iterable[float] = (n / self.fps for n in itertools.count())
    else:
      times = typing.cast(Iterable[float], self._fps)
    for number, (image, time) in enumerate(
      zip(self._images, times, strict=False), start=1
    ):
      yield Frame(number, float(time), _grey(np.asarray(image)))


def _grey(image):
  if image.dtype != np.uint8 or image.ndim not in (2, 3):
    raise errors.UserError(
      f'frames must be (H, W) or (H, W, 3) uint8, not {image.dtype} of shape '
      f'{image.shape}'
    )
  if image.ndim == 2:
    return image
  # Those of BT.601, as in OpenCV.
  weights = np.array([0.299, 0.587, 0.114], np.float32)
  return np.rint(image[..., :3] @ weights).astype(np.uint8)


@contextlib.contextmanager
def opened(
  path: str | os.PathLike,
  fps: float | None = None,
  meanwhile: Callable[[], object] | None = None,
) -> Iterator['File']:
  """Opens a video or a folder of images; ends the decoder at the end.

  Args:
    path: the file or folder.
    fps: frames a second, overriding the file's; a folder needs it.
    meanwhile: called while the decoder starts.

  Raises:
    errors.UserError: it cannot be decoded, or fps is not above 0.
  """
  if fps is not None and not 0 < fps < 1e5:
    raise errors.UserError(f'--fps={fps}: must be above 0')
  file = File(os.fspath(path), fps)
  try:
    if meanwhile is not None:
      meanwhile()
    file.start()
    yield file
  finally:
    file.close()


class File:
  """A `Source`: frames that a process of its own decodes, see `opened`."""

  def __init__(self, path: str, fps: float | None):
    self.path, self.name = path, os.path.basename(os.path.normpath(path))
    self.expected, self.fps = 0, 0.0
    # Mean of the first frames; None until, and unless, the codec gives it.
    self.quantiser: float | None = None
    self.notes: list[str] = []
    # -P: a file called numpy.py in the user's folder is not to be imported.
    command = [sys.executable, '-P', '-c', _DECODE, path]
    command += [repr(float(fps))] if fps else []
    self._process = subprocess.Popen(
      command,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      env=child_processes.environment(),
    )
    child_processes.enlarge_pipe(typing.cast(typing.IO, self._process.stdout))
    self._queue: queue.Queue = queue.Queue(_QUEUED)
    self._closed = threading.Event()
    self._thread = threading.Thread(target=self._read, daemon=True)

  def start(self) -> None:
    """Waits for the decoder's description of the file.

    Raises:
      errors.UserError: the file is no video, or cannot be read.
    """
    self._thread.start()
    kind, _, _, content = self._next()
    if kind != decoder.INFO:
      raise errors.UserError(f'{self.path}: {self._why(kind, content)}')
    self.expected, self.fps = int(content['frames']), float(content['fps'])

  def __iter__(self) -> Iterator[Frame]:
    """Yields its frames; if it breaks, a last one without image.

    Raises:
      errors.UserError: no frame could be decoded.
    """
    number, time = 0, 0.0
    while True:
      kind, at, moment, content = self._next()
      if kind == decoder.QUANTISER:
        self.quantiser = content['mean']
        continue
      if kind in (decoder.FRAME, decoder.DAMAGED):
        number, time = at, moment
        note = '' if kind == decoder.FRAME else 'damaged'
        yield Frame(number, time, content, note)
        continue
      if kind == decoder.END:
        self.notes += content['notes']
        return
      why = self._why(kind, content)
      if not number:
        raise errors.UserError(f'{self.path}: {why}')
      self.notes.append(f'broken after frame {number} at {time:.3f} s: {why}')
      yield Frame(number + 1, time + 1 / max(self.fps, 1), None, why)
      return

  def close(self) -> None:
    """Ends the decoder."""
    self._closed.set()
    # Killed: it may hang in a codec, or wait for room in the pipe.
    self._process.kill()
    with contextlib.suppress(queue.Empty):
      while True:
        self._queue.get_nowait()
    if self._thread.ident:
      self._thread.join()
    for pipe in (self._process.stdin, self._process.stdout):
      with contextlib.suppress(OSError):
        typing.cast(typing.IO, pipe).close()
    self._process.wait()

  def _next(self):
    try:
      return self._queue.get(timeout=STALLED)
    except queue.Empty:
      return decoder.ERROR, 0, 0.0, {'error': f'no frame for {STALLED:g} s'}

  def _why(self, kind, content):
    """Why there are no more frames, in a few words."""
    if kind == decoder.ERROR:
      return content['error']
    code = self._process.wait()
    if code < 0:
      return f'the decoder died ({signal.Signals(-code).name})'
    return f'the decoder ended with status {code}'

  def _read(self):
    """Puts the records of the decoder into the queue, in a thread."""
    pipe, kind = self._process.stdout, None
    while kind not in (decoder.END, decoder.ERROR):
      record = _record(pipe)
      kind = record[0] if record else None
      self._put(record or (None, 0, 0.0, None))
      if record is None:
        return

  def _put(self, record):
    image = record[3]
    size = image.nbytes if isinstance(image, np.ndarray) else 0
    most = max(2, min(_QUEUED, _QUEUED_BYTES // max(size, 1)))
    while not self._closed.is_set():
      # By bytes too: sixteen frames of 8K would take half a gigabyte.
      if self._queue.qsize() >= most:
        self._closed.wait(0.002)
        continue
      self._queue.put(record)
      return


def _record(pipe):
  """(kind, number, time, content); None if the pipe ends before."""
  head = _exactly(pipe, decoder.HEADER.size)
  if head is None:
    return None
  kind, number, time, height, width, size = decoder.HEADER.unpack(head)
  payload = _exactly(pipe, size) if size <= _LARGEST else None
  if payload is None:
    return None
  if kind == decoder.FRAME:
    image = np.frombuffer(payload, np.uint8)
    # A decoder that crashes may leave half a record.
    if image.size != height * width:
      return None
    return kind, number, time, image.reshape(height, width)
  return kind, number, time, json.loads(payload) if size else None


def _exactly(pipe, size):
  """Reads so many bytes; None if the pipe ends before."""
  data = bytearray(size)
  view = memoryview(data)
  while view:
    try:
      count = pipe.readinto(view)
    except (OSError, ValueError):  # closed meanwhile
      return None
    if not count:
      return None
    view = view[count:]
  return data
