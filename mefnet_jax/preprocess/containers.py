"""Opens a video or a sound track with PyAV, within bounds of time and size.

A video is not a script: FFmpeg also knows playlists, lists of other files,
sequences of images and addresses in the network, and recognises them by their
content, not by the name of the file. Only the containers of `FORMATS` are
opened, and nothing but the file itself. Decoding needs no process of its own:
the bounds are checked between two packets, no packet is large, and clips are
prepared in other processes anyway.
"""

import contextlib
import os
import time
import typing

from mefnet_jax.runs import errors, regular_file

if typing.TYPE_CHECKING:
  from collections.abc import Callable, Iterator, Mapping

  import av

# Containers by FFmpeg's names; 'mov' stands for mp4, m4v, 3gp and their like.
FORMATS = 'avi,mov,matroska,mpeg,mpegts,mpegvideo,asf,flv,ogg'
# First bytes of Ogg, ASF, Matroska and AVI (or WAV); of 'mov' they come later.
_OF_BOTH = (b'OggS', b'0&\xb2u', b'\x1aE\xdf\xa3', b'RIFF')
# 640 x 480 pixels were decoded at 400 to 600 frames a second.
MOST_SECONDS = 300  # spent on one reading of a file
_OPENING = 60.0  # seconds that one call may wait for the disk
MOST_PACKETS = 4 * 10**6  # a day at 25 frames and 20 of sound a second


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> 'Iterator[av.container.InputContainer]':
  """Opens a file; closes it at the end.

  Raises:
    ValueError: none of `FORMATS`, or damaged from its beginning.
    OSError: the file is missing or unreadable.
    errors.UserError: PyAV is not installed.
  """
  regular_file.check(path)
  av = library(path)
  with open(path, 'rb'):
    pass  # raises with the reason; FFmpeg's errors name none
  av.logging.set_level(None)
  try:
    container = av.open(
      f'file:{os.path.abspath(path)}',
      container_options={
        'format_whitelist': FORMATS,
        'protocol_whitelist': 'file',
      },
      metadata_errors='ignore',
      timeout=_OPENING,
    )
  except (av.FFmpegError, ValueError, OSError):
    raise ValueError('not a video') from None
  with container:
    yield container


def holds_video(path: str | os.PathLike) -> bool:
  """Whether a file with the name of a sound holds moving pictures as well.

  False where that is unknown: the file is damaged, or PyAV is missing.
  """
  try:
    regular_file.check(path)
    with open(path, 'rb') as file:
      head = file.read(12)
    # Other containers hold sound alone; a release may have thousands of them.
    if not head.startswith(_OF_BOTH) and head[4:8] != b'ftyp':
      return False
    with opened(path) as container:
      return any(
        not stream.disposition & library(path).stream.Disposition.attached_pic
        for stream in container.streams.video
      )
  except (OSError, ValueError, errors.UserError):
    return False


def library(path: str | os.PathLike) -> typing.Any:
  """Returns PyAV, which takes 0.1 s to import and is needed by few.

  Raises:
    errors.UserError: it is not installed.
  """
  try:
    import av
  except ImportError as error:
    raise errors.UserError(
      f'{path}: a video needs PyAV ({error}): pip install av'
    ) from None
  return av


def side_data(frame: 'av.VideoFrame') -> 'Mapping[str, typing.Any]':
  """Returns the side data of a frame: what it carries besides its pixels.

  The frame's own attribute would keep a reference back to it, and so the pixels
  of hundreds of frames until Python looks for such circles.
  """
  from av.sidedata import sidedata

  return sidedata.SideDataContainer(frame)


class Budget:
  """Bounds on one reading of a file; only the time in PyAV counts.

  Attributes:
    seconds, packets: the bounds; by default those for a clip of a data set.
  """

  def __init__(
    self, seconds: float | None = None, packets: float | None = None
  ):
    self.seconds = MOST_SECONDS if seconds is None else seconds
    self.packets = MOST_PACKETS if packets is None else packets
    self.spent, self.calls = 0.0, 0

  def call(self, function: 'Callable', *args: object) -> object:
    """Calls a function of PyAV.

    Raises:
      ValueError: more than `seconds` or `packets` are needed.
      Exception: whatever the function raises.
    """
    if self.spent > self.seconds:
      raise ValueError(f'decoding it takes more than {self.seconds} s')
    self.calls += 1
    if self.calls > 2 * self.packets:  # each is demuxed and decoded
      raise ValueError(f'more than {self.packets} packets')
    began = time.monotonic()
    try:
      return function(*args)
    finally:
      self.spent += time.monotonic() - began


def packets(
  budget: Budget,
  container: 'av.container.InputContainer',
  *streams: 'av.stream.Stream',
) -> 'Iterator[av.Packet]':
  """Yields the packets of streams; ends where the file is damaged.

  Raises:
    ValueError: they are encrypted, or as `Budget.call`.
  """
  import av

  demuxed = container.demux(*streams)
  while True:
    try:
      packet = budget.call(next, demuxed, None)
    except av.FFmpegError:
      return
    if packet is None:
      return
    if packet.has_sidedata('encryption_info'):
      raise ValueError('an encrypted video: make a copy without protection')
    yield packet
