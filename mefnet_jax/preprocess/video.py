"""The frames of a video as a player shows them, with their times.

Numbers begin with 1 and count the frames in the order in which they are shown,
without those that an edit list hides, or that lie before the first key frame or
before time 0. Frames are turned upright, as their container asks, and pixels
that are not square are made so.
"""

import contextlib
import functools
import os
import time
import typing

import numpy as np

from mefnet_jax.preprocess import clock, decoding, media
from mefnet_jax.runs import cache, errors, files, regular_file

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence

SUFFIXES = media.VIDEOS
# Matroska's and Flash's clock ticks once a millisecond.
_TICK = 0.0011
_LONG = 1.0  # seconds: the scan of a video that took more is cached on disk
_FORM = 4  # to be raised when decoding gives other results
_UNEVEN = 0.1  # of a frame: less is the jitter of a clock


class Frame(typing.NamedTuple):
  """One shown frame.

  Attributes:
    number: from 1.
    time: seconds since the first shown frame; None where the file has none.
    image: (H, W) grey, or (H, W, 3) red green blue, uint8.
  """

  number: int
  time: float | None
  image: np.ndarray


class Scan(typing.NamedTuple):
  """The result of decoding a whole video once.

  Attributes:
    times: the `Frame.time` of each shown frame.
    size: (H, W) of the first frame, as it is shown.
    notes: repairs and defects, one line each.
  """

  times: tuple[float | None, ...]
  size: tuple[int, int]
  notes: tuple[str, ...]


def count(path: str | os.PathLike) -> int:
  """Returns the number of shown frames; raises as `scan`."""
  return len(scan(path).times)


def scan(path: str | os.PathLike) -> Scan:
  """Decodes a video once for its times, size and defects; cached.

  Raises:
    ValueError: no video, one that is damaged from its beginning, or one beyond
      `decoding.MOST_FRAMES`, `headers.MOST_PIXELS` or `containers.Budget`.
    OSError: the file is missing or unreadable.
    errors.UserError: PyAV is not installed.
  """
  found = regular_file.check(path)
  state = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
  return _scan(os.fspath(path), state)


def frames(
  path: str | os.PathLike,
  first: int = 1,
  last: int | None = None,
  *,
  colour: bool = False,
) -> 'Iterator[Frame]':
  """Yields the frames first..last, decoded in order.

  Ends early where the file does; passes over frames that are damaged.

  Args:
    path: the video.
    first, last: frame numbers, from 1; by default all frames.
    colour: red, green and blue instead of grey.

  Raises:
    ValueError, OSError, errors.UserError: as `scan`.
  """
  form = 'rgb24' if colour else 'gray'
  with decoding.opened(path) as decoder:
    start = None
    for number, frame in enumerate(decoder.shown(), start=1):
      if last is not None and number > last:
        return
      moment = decoder.time(frame, number)
      start = moment if number == 1 else start
      image = decoder.image(frame, form) if number >= first else None
      if image is not None:
        yield Frame(number, _since(start, moment), image)


def positions(
  numbers: 'Sequence[int]', times: 'Sequence[float | None]'
) -> tuple[int, ...] | tuple[float, ...]:
  """Returns when frames are shown, in frames.

  Args:
    numbers: n increasing frame numbers.
    times: of these frames, in seconds; None where the file has none.

  Returns:
    The numbers where the frames follow one another evenly, or have no times
    that run forward; else floats, which begin with the first number.
  """
  return _positions(numbers, clock.forward(numbers, times))


def _positions(numbers, running):
  """As `positions`, of the result of `clock.forward`."""
  if running is None or len(numbers) < 3:
    return tuple(numbers)
  shown, _ = running
  ahead = np.asarray(numbers) - numbers[0]
  step = (shown[-1] - shown[0]) / ahead[-1]
  late = shown - shown[0] - ahead * step
  if np.abs(late).max() <= max(_UNEVEN * step, _TICK):
    return tuple(numbers)
  in_frames = (shown - shown[0]) / np.median(np.diff(shown))
  return tuple(float(x) for x in np.round(numbers[0] + in_frames, 6))


def middle(first: int, last: int, times: 'Sequence[float | None]' = ()) -> int:
  """Returns the frame half-way between two others.

  Args:
    first, last: frame numbers.
    times: times of the frames 1, 2, ..., in seconds; frames without a time are
      taken to follow one another evenly.
  """
  shown = times[first - 1 : last] if first > 0 else ()
  if len(shown) != last - first + 1 or None in shown:
    return (first + last) // 2
  half = (shown[0] + shown[-1]) / 2
  late = [abs(moment - half) for moment in shown]
  return first + min(range(len(late)), key=late.__getitem__)


@functools.lru_cache(maxsize=4096)
def _scan(path, state):
  """The scan of a file in a state; that of a long video is kept on disk."""
  name = cache.digest(_FORM, os.path.abspath(path), state)
  kept = cache.root() / 'videos' / f'{name}.json'
  known = _from_json(cache.read_json(kept))
  if known is not None:
    return known
  began = time.monotonic()
  found = _decoded(path)
  if time.monotonic() - began > _LONG:
    with contextlib.suppress(OSError, errors.UserError):  # it only saves time
      files.write_json(cache.made(kept.parent) / kept.name, found._asdict())
  return found


def _from_json(content):
  """The scan of a cached dict; None if that is damaged."""
  times, size, notes = (content.get(field) for field in Scan._fields)
  if not (
    times and size and all(isinstance(x, list) for x in content.values())
  ):
    return None
  whole = all(isinstance(t, float | None) for t in times)
  whole = whole and len(size) == 2 and all(isinstance(n, int) for n in size)
  whole = whole and all(isinstance(note, str) for note in notes)
  return Scan(tuple(times), tuple(size), tuple(notes)) if whole else None


def _decoded(path):
  with decoding.opened(path) as decoder:
    times, size = [], None
    for number, frame in enumerate(decoder.shown(), start=1):
      times.append(decoder.time(frame, number))
      size = size or decoder.size(frame)
    if not times:
      raise ValueError('a video without frames')
    times = tuple(_since(times[0], moment) for moment in times)
    notes = decoder.notes(times)
  return Scan(times, size, (*notes, *_of_clock(times)))


def _of_clock(times):
  """Yields notes on the times of a video's frames."""
  numbers = range(1, len(times) + 1)
  running = clock.forward(numbers, times)
  if running is None and len(times) > 2 and set(times) != {None}:
    yield 'its times do not run forward: its frames are taken as even'
  if running and running[1]:
    yield (
      f'{running[1]} of {len(times)} frames lack a time of their own: they are '
      'placed between their neighbours'
    )
  if isinstance(_positions(numbers, running)[-1], float):
    yield 'variable frame rate: its frames are taken at their times'


def _since(start, moment):
  return None if start is None or moment is None else moment - start
