"""Decodes one source in a process of its own, which `frames` starts and reads.

It writes records to stdout. A stranger's file may crash a decoder or make it
take all memory; here only this process ends. Imports no jax.
"""

import array
import contextlib
import json
import os
import pathlib
import re
import struct
import sys
import typing
from collections.abc import Callable, Iterator

import numpy as np

from mefnet_jax.preprocess import (
  containers,
  decoding,
  images,
  media,
  quantiser,
)
from mefnet_jax.runs import child_processes, errors

# kind, number, time, height, width, bytes of the payload that follows
HEADER = struct.Struct('<cqdiiI')
INFO, FRAME, DAMAGED, END, ERROR = b'i', b'f', b'd', b'e', b'x'
QUANTISER = b'q'  # once, for codecs that give one
MEMORY = 4 * 2**30  # bytes of address space; a frame of 8K has 2^25 pixels
_AVERAGED = 100  # first frames, whose quantisers are averaged
_LEAST = 1e-4  # seconds between two frames
_RESTART = 0.5  # a step back by so many seconds starts another clock
_FPS = 25.0  # if neither the file nor the user gives a rate

Send = Callable[..., None]


def run(path: str, fps: float | None, send: Send) -> None:
  """Sends INFO, a FRAME or DAMAGED for each frame, and END; or ERROR.

  Args:
    path: a video, or a folder of images.
    fps: frames a second, overriding the file's; None for the file's.
    send: called with kind, number, time, and an image or a text.
  """
  try:
    if os.path.isdir(path):
      _folder(pathlib.Path(path), fps, send)
    else:
      _video(path, fps, send)
  except errors.UserError as error:
    send(ERROR, text={'error': str(error).removeprefix(f'{path}: ')})
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or str(error)
    send(ERROR, text={'error': why})
  except MemoryError:
    send(ERROR, text={'error': f'it needs more than {MEMORY >> 30} GiB'})


def _video(path, fps, send):
  """The frames of a video at their times, as a player shows them."""
  unbounded = containers.Budget(float('inf'), float('inf'))
  with decoding.opened(path) as decoder:
    stream = decoder.stream
    quantiser.export(stream)
    rate = float(fps or stream.average_rate or _FPS)
    seconds = (
      float(stream.duration * stream.time_base) if stream.duration else 0
    )
    seconds = seconds or (decoder.container.duration or 0) / 1e6
    guess = stream.frames or round(seconds * float(stream.average_rate or 0))
    send(INFO, text={'frames': guess, 'fps': rate})
    clock, quantisers = _Clock(rate, given=bool(fps)), []
    for number, frame in enumerate(
      decoder.shown(unbounded, float('inf')), start=1
    ):
      if number <= _AVERAGED:
        quantisers.append(quantiser.of_frame(frame))
      if number == _AVERAGED:
        _send_mean(quantisers, send)
      time = clock.next(decoder.time(frame, number))
      if number == 1:
        decoder.size(frame)  # notes what changes it
      image = decoder.image(frame, 'gray')
      if image is None:
        send(DAMAGED, number, time)
      else:
        send(FRAME, number, time, image=image)
    if not clock.times:
      raise ValueError('a video without frames')
    if len(clock.times) < _AVERAGED:
      _send_mean(quantisers, send)
    notes = [*decoder.notes(() if fps else clock.times), *clock.notes()]
    send(END, text={'notes': notes})


def _send_mean(quantisers, send):
  """Sends the mean of the quantisers, if the codec gives them."""
  if quantisers and None not in quantisers:
    send(QUANTISER, text={'mean': sum(quantisers) / len(quantisers)})


class _Clock:
  """The times of a video's frames, made to increase even if the file's do not.

  Attributes:
    times: seconds since the first frame, one for each call of `next`.
  """

  def __init__(self, rate: float, *, given: bool):
    self.rate, self._given = rate, given
    self.times = array.array('d')
    self._start: float | None = None
    self._untimed = self._back = 0

  def next(self, shown: float | None) -> float:
    """Returns the time of the next frame, given the file's own (seconds)."""
    if self._start is None:
      self._start = shown
    time = len(self.times) / self.rate
    if shown is not None and not self._given:
      time = shown - typing.cast(float, self._start)
    if self.times and time <= self.times[-1]:
      self._back += 1
      if time < self.times[-1] - _RESTART and shown is not None:
        # Two files in one: the second one's clock goes on from here.
        time = self.times[-1] + 1 / self.rate
        self._start = shown - time
      else:
        time = self.times[-1] + _LEAST
    self._untimed += shown is None
    self.times.append(max(time, 0.0))
    return self.times[-1]

  def notes(self) -> list[str]:
    """Returns notes about the file's times."""
    if self._given:
      return []
    made = []
    if self._untimed:
      made.append(
        f'{self._untimed} frames without times: {self.rate:g} a second'
      )
    if self._back:
      of = f'{self._back} of {len(self.times)} frames'
      made.append(f'the times of {of} do not run forward')
    return made


def _folder(folder, fps, send):
  """The images of a folder in the order of the numbers in their names."""
  if not fps:
    raise ValueError('a folder of images has no clock: give --fps')
  named = sorted(
    (
      entry
      for entry in os.scandir(folder)
      if pathlib.PurePath(entry.name).suffix.lower() in media.PICTURES
      and not media.is_litter(entry.name)
    ),
    key=lambda entry: _natural(entry.name),
  )
  if not named:
    raise ValueError('a folder without images')
  send(INFO, text={'frames': len(named), 'fps': fps})
  damaged = 0
  for number, entry in enumerate(named, start=1):
    time = (number - 1) / fps
    try:
      send(FRAME, number, time, image=images.read_grey(entry.path))
    except (OSError, ValueError) as error:
      if isinstance(error, BrokenPipeError):
        raise
      damaged += 1
      send(DAMAGED, number, time)
  if damaged == len(named):
    raise ValueError('none of its images can be read')
  send(END, text={'notes': [f'{damaged} images are damaged'] * (damaged > 0)})


def _natural(name):
  """'img9' before 'img10'."""
  parts = re.split(r'(\d+)', name.casefold())
  return [(int(p), '') if p.isdecimal() else (-1, p) for p in parts if p]


@contextlib.contextmanager
def _to_stdout() -> Iterator[Send]:
  """Yields a function that sends records; prints of libraries go elsewhere."""
  with os.fdopen(os.dup(1), 'wb', buffering=0) as out:
    os.dup2(2, 1)

    def send(kind, number=0, time=0.0, *, image=None, text=None):
      payload: bytes | memoryview = b''
      height = width = 0
      if image is not None:
        height, width = image.shape
        payload = np.ascontiguousarray(image).data.cast('B')
      elif text is not None:
        payload = json.dumps(text).encode()
      head = HEADER.pack(kind, number, time, height, width, len(payload))
      _write(out, head)
      _write(out, payload)

    yield send


def _write(out, data):
  view = memoryview(data)
  while view:
    view = view[out.write(view) :]


def _bound_memory():
  try:
    import resource
  except ImportError:  # Windows
    return
  _, hard = resource.getrlimit(resource.RLIMIT_AS)
  low = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
  resource.setrlimit(resource.RLIMIT_AS, (low, hard))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
  """Sends the frames of the arguments PATH [FPS].

  It ends without an error if the parent has gone.
  """
  path, *rest = sys.argv[1:]
  child_processes.end_with_stdin()
  _bound_memory()
  with contextlib.suppress(BrokenPipeError), _to_stdout() as send:
    run(path, float(rest[0]) if rest else None, send)
  os._exit(0)  # the thread above still waits
