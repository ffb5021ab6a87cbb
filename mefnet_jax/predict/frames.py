"""One source of frames for a video, a folder of images, or arrays in memory.

A video is decoded in a process of its own (`decoder`): one that crashes, hangs
or takes too much memory ends there, with a row that says where. A queue of few
frames lies between, so that memory does not grow with the length of a video.
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
# Enough to keep the decoder busy while a frame is scored; at most 64 MB of
# them.
_QUEUED = 16
_QUEUED_BYTES = 2**26
_LARGEST = 2**28  # bytes of one record; more is no record of ours
_DECODE = 'from mefnet_jax.predict import decoder; decoder.main()'


class Frame(typing.NamedTuple):
  """One frame.

  Attributes:
    number: from 1, in the order in which they are shown.
    time: seconds since the first one; it increases.
    image: (H, W) grey uint8; None where it is damaged.
    note: what is odd about it, such as where a video broke.
  """

  number: int
  time: float
  image: np.ndarray | None
  note: str = ''


class Source(typing.Protocol):
  """What frames come from; a camera is one as well.

  Attributes:
    name: of the file, for tables.
    path: of the file.
    expected: frames that there may be, 0 if nobody knows.
    fps: frames a second as the file says, on average.
    notes: what is odd about the whole, known after the last frame.
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
    name: for tables.
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
    path: of the file or folder.
    fps: frames a second, whatever the file says; a folder needs it.
    meanwhile: called while the decoder starts.

  Raises:
    errors.UserError: nothing there can be decoded.
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
    self.quantiser: float | None = None  # of the first frames, if it is told
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
    """Waits for what the decoder says of the file.

    Raises:
      errors.UserError: it is no video, or cannot be read.
    """
    self._thread.start()
    kind, _, _, content = self._next()
    if kind != decoder.INFO:
      raise errors.UserError(f'{self.path}: {self._why(kind, content)}')
    self.expected, self.fps = int(content['frames']), float(content['fps'])

  def __iter__(self) -> Iterator[Frame]:
    """Yields its frames; a last one without image says where it broke.

    Raises:
      errors.UserError: not one frame could be decoded.
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
    # Not asked to end: it may hang in a codec, or wait for room in the pipe.
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
    """Why there is nothing more, in a few words."""
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
  """(kind, number, time, content); None where there is no whole one."""
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
  """So many bytes; None where the pipe ends before."""
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
