"""Frames of a camera as they come; those not taken in time are dropped.

The newest frame is always the next one, so there is no backlog. A dropped frame
is yielded without its image, so that every frame has a row.
"""

import collections
import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator

import av
import numpy as np

from mefnet_jax.predict import frames
from mefnet_jax.runs import errors

DROPPED = 'dropped'
STALLED = 10.0  # seconds without a frame after which a camera is gone
_MOST = 100_000  # latencies that are remembered: an hour at 30 a second


class Camera:
  """A `frames.Source` of anything PyAV opens: a camera, a stream, a video.

  A video is played in real time, so that it stands in for a camera.

  Attributes:
    dropped: number of frames that were not taken in time.
    latencies: for each frame the seconds until the next one was asked for,
      counted for a camera from its decoding, for a video from when it is due.
    notes: faults of the camera.
  """

  expected = 0

  def __init__(self, source: str):
    """Opens it.

    Args:
      source: number of a camera, 0 for the first; or anything PyAV opens.

    Raises:
      errors.UserError: it does not exist or cannot be opened.
    """
    self.name = f'camera {source}' if source.isdecimal() else source
    self.path = source
    self.notes: list[str] = []
    self.dropped = 0
    self.latencies: collections.deque[float] = collections.deque(maxlen=_MOST)
    place, form = _place(source)
    try:
      self._container = av.open(place, format=form, timeout=STALLED)
      self._stream = self._container.streams.video[0]
    except (av.FFmpegError, OSError, LookupError, ValueError) as error:
      why = getattr(error, 'strerror', None) or str(error) or 'no video in it'
      raise _unopened(source, why) from None
    self.fps = float(self._stream.average_rate or 0)
    self._paced = os.path.isfile(place)
    self._waiting: collections.deque = collections.deque()
    self._changed = threading.Condition()
    self._ended = self._closed = False
    self._thread = threading.Thread(target=self._read, daemon=True)

  def __iter__(self) -> Iterator[frames.Frame]:
    """Yields the dropped frames without image, then the newest one.

    Raises:
      errors.UserError: no frame ever came.
    """
    self._thread.start()
    count = 0
    while waiting := self._take():
      *late, (number, moment, image, arrived) = waiting
      for old in late:
        self.dropped += 1
        yield frames.Frame(old[0], old[1], None, DROPPED)
      yield frames.Frame(number, moment, image)
      self.latencies.append(time.monotonic() - arrived)
      count += 1
    if not count:
      why = '; '.join(self.notes) or 'it gives no frames'
      raise errors.UserError(f'--camera={self.path}: {why}')

  def latest(self, count: int) -> list[float]:
    """The last `count` of `latencies`, in seconds."""
    found = itertools.islice(reversed(self.latencies.copy()), count)
    return list(found)

  def close(self) -> None:
    """Releases the camera."""
    self._closed = True
    if self._thread.ident:
      self._thread.join(STALLED)
    with contextlib.suppress(OSError):
      self._container.close()

  def _take(self):
    """All frames that have come meanwhile; [] at the end."""
    with self._changed:
      there = self._changed.wait_for(
        lambda: self._waiting or self._ended, STALLED
      )
      if not there:
        self.notes.append(f'no frame for {STALLED:g} s: was it unplugged?')
      found = list(self._waiting)
      self._waiting.clear()
      return found

  def _read(self):
    """Puts frames where `_take` finds them; in a thread."""
    reformatter = av.video.reformatter.VideoReformatter()
    began, first, last = time.monotonic(), None, -1.0
    try:
      for number, frame in enumerate(
        self._container.decode(self._stream), start=1
      ):
        if self._closed:
          return
        if self._paced and frame.time is not None:
          first = frame.time if first is None else first
          moment = frame.time - first
          time.sleep(max(0.0, began + moment - time.monotonic()))
        else:
          moment = time.monotonic() - began
        arrived = began + moment
        moment = last = max(moment, last + 1e-4, 0.0)
        plain = reformatter.reformat(frame, format='gray', threads=1)
        image = np.ascontiguousarray(plain.to_ndarray())
        self._put(number, moment, image, arrived)
    except (av.FFmpegError, OSError, ValueError) as error:
      why = getattr(error, 'strerror', None) or str(error)
      self.notes.append(f'it stopped ({why})')
    finally:
      with self._changed:
        self._ended = True
        self._changed.notify()

  def _put(self, number, moment, image, arrived):
    with self._changed:
      for i, (old, then, _, since) in enumerate(self._waiting):
        self._waiting[i] = (old, then, None, since)  # it has been dropped
      self._waiting.append((number, moment, image, arrived))
      self._changed.notify()


def check_device(source: str) -> None:
  """Checks that a device exists; streams and files are checked when opened.

  Raises:
    errors.UserError: there is no such device.
  """
  place, form = _place(source)
  if form and not os.path.exists(place):
    raise _unopened(source, 'no such device')


def _unopened(source, why):
  return errors.UserError(
    f'--camera={source}: cannot be opened ({why}): is it there, and does no '
    'other program use it?'
  )


def _place(source):
  """The path that PyAV opens for a source, and its format."""
  if source.isdecimal():
    return f'/dev/video{source}', 'v4l2'
  if source.startswith('/dev/video'):
    return source, 'v4l2'
  return source, None


@contextlib.contextmanager
def opened(source: str) -> Iterator[Camera]:
  """Yields a `Camera`, and releases it at the end."""
  camera = Camera(source)
  try:
    yield camera
  finally:
    camera.close()
