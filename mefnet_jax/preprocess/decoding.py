"""Decodes the one video of a file: frames shown, upright, of square pixels."""

import array
import contextlib
import os
import typing

import cv2
import numpy as np

from mefnet_jax.preprocess import containers, display_matrix, headers

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence

  import av

MOST_FRAMES = 10**6
# Packets in which a key frame is looked for.
_MOST_BEFORE = 2000
# A header with pixels longer than this is damaged.
_MOST_ASPECT = 8
# Transfer functions of HDR videos, by FFmpeg's numbers.
_HDR = {16: 'PQ', 18: 'HLG'}
# Containers whose time 0 is the first moment that is shown.
_FROM_ZERO = ('mov', 'matroska')
# Containers that hold the length of the video; others estimate it.
_KNOWN_LENGTH = ('mov', 'matroska', 'avi', 'asf')


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> 'Iterator[Decoder]':
  """Opens a video for decoding.

  Covers and thumbnails are passed over; of several videos that last about as
  long the one with the most pixels is taken.

  Raises:
    ValueError: no video, or one whose frames are too large.
    OSError, errors.UserError: as `containers.opened`.
  """
  with containers.opened(path) as container:
    moving = _moving(container)
    if len(moving) == 1:
      yield Decoder(container, moving[0])
      return
    best = _best(container, moving)  # an index: streams end with the container
  with containers.opened(path) as container:
    stream = container.streams[best]
    decoder = Decoder(container, stream)
    size = f'{stream.width} x {stream.height} pixels'
    decoder.note(f'{len(moving)} videos in one file: that of {size} is taken')
    yield decoder


class Decoder:
  """Decodes one stream, and collects notes on its defects and oddities."""

  def __init__(self, container, stream):
    import av

    self.container = container
    self.stream = stream
    # With threads, other frames of a damaged file would be lost than with one.
    stream.thread_type = 'NONE'
    self.kind = container.format.name.split(',')[0]
    self.aspect = _aspect(stream)
    self.met: dict[str, None] = {}
    self.hidden = self.damaged = self.packets = 0
    self._begin = None
    # PyAV would make one for each frame, with threads of its own, and keep it
    # as long as the frame.
    self._reformatter = av.video.reformatter.VideoReformatter()
    self._places = array.array('q')
    self._check(stream.width, stream.height)

  def shown(
    self,
    budget: containers.Budget | None = None,
    most: float | None = None,
  ) -> 'Iterator[av.VideoFrame]':
    """Yields what a player shows, in the order of presentation.

    Args:
      budget: bounds on decoding; by default those for a clip of a data set.
      most: the number of frames that is allowed; by default `MOST_FRAMES`.

    Raises:
      ValueError: too many frames, too large ones, or as `containers.Budget`.
    """
    import av

    budget, number = budget or containers.Budget(), 0
    most = MOST_FRAMES if most is None else most
    for packet in self._from_first_key(budget):
      try:
        decoded = budget.call(packet.decode)
      except av.FFmpegError:
        self.damaged += 1
        continue
      for frame in decoded:
        if self._is_hidden(frame):
          self.hidden += 1
          continue
        # A second file behind the first one begins its clock anew.
        self._begin = None
        number += 1
        if number > most:
          raise ValueError(f'more than {most} frames')
        self._check(frame.width, frame.height)
        self.damaged += frame.is_corrupt
        yield frame

  def size(self, frame: 'av.VideoFrame') -> tuple[int, int]:
    """Returns (H, W) of a frame as it is shown; notes the changes to it."""
    stored = frame.width, frame.height
    square = _square(*stored, self.aspect)
    if square != stored:
      shape = self.stream.sample_aspect_ratio
      self.note(f'pixels of {shape.numerator}:{shape.denominator} made square')
    if frame.interlaced_frame:
      self.note('interlaced: two fields are taken for one frame')
    if curve := _HDR.get(frame.color_trc):
      self.note(f'HDR ({curve}): its greys are those of another curve of light')
    turn = display_matrix.turn(frame)
    if turn in display_matrix.TURNS:
      self.note(f'turned {display_matrix.TURNS[turn]}, as its container says')
    if display_matrix.is_oblique(frame):
      self.note('its container turns it by an odd angle: that is not done')
    return square if turn[0] else square[::-1]

  def time(self, frame: 'av.VideoFrame', number: int) -> float | None:
    """Returns when a frame is shown, in seconds; None where that is unknown.

    AVI stores frames in the order of decoding, each at its place and without a
    time. PyAV guesses times from the places, and of a codec that shows frames
    in another order they run back and forth.
    """
    if self.kind != 'avi':
      return frame.time
    place = frame.dts
    if self.stream.codec_context.has_b_frames:
      place = self._places[number - 1] if number <= len(self._places) else None
    return None if place is None else float(place * self.stream.time_base)

  def image(self, frame: 'av.VideoFrame', form: str) -> np.ndarray | None:
    """Returns a frame's image in the form 'gray' or 'rgb24', as it is shown.

    None where it is damaged.
    """
    import av

    if frame.is_corrupt:
      return None
    try:
      plain = self._reformatter.reformat(frame, format=form, threads=1)
      return self._upright(plain.to_ndarray(), frame)
    except (av.FFmpegError, ValueError):
      return None  # a colour format that does not exist

  def _upright(self, image, frame):
    """An image with square pixels, turned as it is shown."""
    height, width = image.shape[:2]
    square = _square(width, height, self.aspect)
    if square != (width, height):
      image = cv2.resize(image, square, interpolation=cv2.INTER_LANCZOS4)
    transposed, mirrored, upside_down = display_matrix.turn(frame)
    image = image.swapaxes(0, 1) if transposed else image
    image = image[:, ::-1] if mirrored else image
    image = image[::-1] if upside_down else image
    return np.ascontiguousarray(image)

  def note(self, what: str) -> None:
    """Adds a note on the file, once."""
    self.met[what] = None

  def notes(self, times: 'Sequence[float | None]') -> tuple[str, ...]:
    """Returns the notes on the file, one line each.

    Args:
      times: times of all frames, in seconds.
    """
    made = list(self.met)
    if self.hidden:
      made.append(f'{self.hidden} frames of the file are not shown')
    if self.damaged:
      made.append(f'damaged in {self.damaged} places')
    if self._ends_early(times):
      made.append('it ends before its header says')
    return tuple(made)

  def _from_first_key(self, budget):
    """Packets from the first key frame on; all where there is none."""
    before, found = [], False
    for packet in containers.packets(budget, self.container, self.stream):
      if packet.size:
        self.packets += 1
        if self.kind == 'avi' and packet.dts is not None:
          self._places.append(packet.dts)
        self.hidden += packet.is_discard
        if packet.is_keyframe and not found:
          found, self.hidden = True, self.hidden + len(before)
          self._begin = None if packet.is_discard else packet.pts
      if found:
        yield packet
        continue
      before.append(packet)
      if len(before) > _MOST_BEFORE:  # a stream that is renewed bit by bit
        yield from before
        found, before = True, []
    if not found:
      yield from before

  def _is_hidden(self, frame):
    if frame.pts is None:  # Matroska's demuxer drops times below 0
      return self.kind == 'matroska' and frame.dts is None
    if self._begin is not None and frame.pts < self._begin:
      return True  # it depends on a frame that was cut off
    return self.kind in _FROM_ZERO and frame.pts < 0

  def _check(self, width, height):
    square = _square(width, height, self.aspect)
    if not 0 < square[0] * square[1] <= headers.MOST_PIXELS:
      raise ValueError(f'a video of {width} x {height} pixels')

  def _ends_early(self, times):
    """Whether more than two frames that the header promises are missing."""
    if self.kind not in _KNOWN_LENGTH or len(times) < 3 or None in times:
      return False
    if self.stream.frames and self.packets >= self.stream.frames:
      return False
    step = times[-1] / (len(times) - 1)
    return times[-1] + step * (3 + self.hidden) < self._promised()

  def _promised(self):
    """The length in the header, in seconds; 0 where it has none."""
    stream, own = self.stream, len(self.container.streams) == 1
    length = (self.container.duration or 0) / 1e6 if own else 0
    if self.kind == 'matroska':  # its length counts from time 0
      length -= max(0, self.container.start_time or 0) / 1e6
    if stream.duration:
      length = float(stream.duration * stream.time_base)
    if stream.frames and stream.average_rate:
      length = max(length, float(stream.frames / stream.average_rate))
    return length


def _moving(container):
  """The videos of a file that are no still pictures."""
  import av

  still = av.stream.Disposition.attached_pic
  still |= av.stream.Disposition.timed_thumbnails
  known = [s for s in container.streams.video if s.codec_context is not None]
  moving = [s for s in known if not s.disposition & still]
  if not moving:
    raise ValueError('a cover picture, not a video' if known else 'not a video')
  return moving


def _best(container, moving):
  """The index of the video with the most pixels, of those that last longest."""
  count = dict.fromkeys((s.index for s in moving), 0)
  for packet in containers.packets(containers.Budget(), container, *moving):
    count[packet.stream_index] += packet.size > 0
  long = [s for s in moving if 2 * count[s.index] >= max(count.values())]
  return max(long, key=lambda s: (s.width * s.height, -s.index)).index


def _aspect(stream):
  """Width of a pixel over its height; 1 where it is not set or not credible."""
  aspect = float(stream.sample_aspect_ratio or 1)
  return aspect if 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT else 1.0


def _square(width, height, aspect):
  """Width and height with square pixels; the shorter side grows."""
  return round(width * max(1, aspect)), round(height * max(1, 1 / aspect))
