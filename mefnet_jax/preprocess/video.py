"""Frames of a video file, by their number; numbers begin with 1."""

import os
import typing

import numpy as np

from mefnet_jax.preprocess import headers, images
from mefnet_jax.runs import errors

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

SUFFIXES = ('.avi', '.mp4', '.mov', '.mkv', '.mpg', '.mpeg', '.wmv', '.webm')
_MOST_FRAMES = 10**6


def count(path: str | os.PathLike) -> int:
  """Returns the number of frames: packets are counted, headers often lie.

  Raises:
    ValueError: no video, or one that is damaged from its beginning.
    OSError: the file is missing or unreadable.
    errors.UserError: PyAV is not installed.
  """
  frames = 0
  with _opened(path) as (av, container, stream):
    try:
      for packet in container.demux(stream):
        frames += packet.size > 0
        if frames > _MOST_FRAMES:
          raise ValueError(f'more than {_MOST_FRAMES} frames')
    except av.FFmpegError:
      pass  # what lies before the damage counts
  if not frames:
    raise ValueError('a video without frames')
  return frames


def frames(
  path: str | os.PathLike,
  first: int,
  last: int,
  *,
  colour: bool = False,
) -> 'Iterator[tuple[int, np.ndarray]]':
  """Yields (number, image) of the frames first..last, decoded in order.

  Ends early where the file does, or where it is damaged.

  Raises:
    ValueError, OSError, errors.UserError: as `count`.
  """
  form = 'rgb24' if colour else 'gray'
  with _opened(path) as (av, container, stream):
    decoded = enumerate(container.decode(stream), start=1)
    while True:
      try:
        number, frame = next(decoded)
      except (StopIteration, av.FFmpegError):
        return
      if number > last:
        return
      if number >= first:
        yield number, frame.to_ndarray(format=form)


class _opened:
  """A container and its video stream, closed at the end."""

  def __init__(self, path):
    self.path = path
    self.container = None

  def __enter__(self):
    images.regular(self.path)
    try:
      import av  # 0.1 s, needed by few
    except ImportError as error:
      raise errors.UserError(
        f'{self.path}: a video needs PyAV ({error}): pip install av'
      ) from None
    av.logging.set_level(None)
    try:
      self.container = av.open(str(self.path), metadata_errors='ignore')
      stream = self.container.streams.video[0]
      stream.thread_type = 'NONE'  # there is a process a core already
      pixels = stream.width * stream.height
    except (av.FFmpegError, AttributeError, IndexError, ValueError):
      self.__exit__()  # a stream of an unknown codec has no width
      raise ValueError('not a video') from None
    if not 0 < pixels <= headers.MOST_PIXELS:
      self.__exit__()
      raise ValueError(f'a video of {stream.width} x {stream.height} pixels')
    return av, self.container, stream

  def __exit__(self, *_):
    if self.container is not None:
      self.container.close()
