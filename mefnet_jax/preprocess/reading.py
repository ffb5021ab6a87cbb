"""The frames of one clip, from image files or a video, damaged ones noted."""

import collections
import typing

import numpy as np

from mefnet_jax.preprocess import clip_records, images, video
from mefnet_jax.runs import findings

if typing.TYPE_CHECKING:
  from collections.abc import Iterator


# A clip is kept as long as no more than this share of its frames is damaged.
DAMAGED = 0.2
# More would be no expression, and fill the memory.
_MOST_FRAMES = 1500
_MOST_BYTES = 2**31  # of all its frames


class LeftOut(Exception):
  """Carries the finding on a clip that cannot be prepared."""

  def __init__(self, row: clip_records.Row, file: str, what: str):
    super().__init__(what)
    self.finding = finding(findings.LEFT_OUT, row, file, what)


def read(
  row: clip_records.Row, noted: list, *, colour: bool = False
) -> tuple[list[np.ndarray], tuple[int, ...] | tuple[float, ...]]:
  """Returns the readable frames, all of the first's size, and their numbers.

  Of a video with a variable frame rate the numbers are its times, in frames.

  Args:
    row: the clip.
    noted: frames that had to be passed over are added to it.
    colour: (H, W, 3) red green blue instead of (H, W) grey.

  Raises:
    LeftOut: no frame, or too few, can be read.
  """
  if len(row.numbers) > _MOST_FRAMES:
    what = (
      f'{len(row.numbers)} frames: a clip of at most {_MOST_FRAMES} is read'
    )
    raise LeftOut(row, short(row.place), f'{what}; say its onset and offset')
  frames, numbers, times, bad = [], [], [], []
  for file, number, time, image in _all(row, colour):
    if not isinstance(image, Exception) and frames:
      if image.shape != frames[0].shape:
        image = ValueError('of another size than the first')
    if isinstance(image, Exception):
      bad.append((file, getattr(image, 'strerror', None) or str(image)))
    elif image.size * len(row.numbers) > _MOST_BYTES:
      size = ' x '.join(map(str, image.shape[1::-1]))
      what = f'{len(row.numbers)} frames of {size} pixels fill the memory'
      raise LeftOut(row, file, f'{what}; make them smaller')
    else:
      frames.append(image)
      numbers.append(number)
      times.append(time)
  whole = len(frames) + len(bad)
  if not frames or len(bad) > DAMAGED * whole:
    file, why = bad[0] if bad else (short(row.place), 'it has no frames')
    raise LeftOut(row, file, f'{len(bad)} of {whole} frames unreadable: {why}')
  for file, why in bad:
    what = f'unreadable frame, filled in from its neighbours: {why}'
    noted.append(finding(findings.REPAIRED, row, file, what))
  return frames, video.positions(numbers, times)


def finding(kind: str, row: clip_records.Row, file: str, what: str):
  """Returns a finding on a clip."""
  return findings.Finding(kind, row.clip, file, what)


def short(path) -> str:
  """Returns the end of a path, enough to find it in its release."""
  return '/'.join(path.parts[-3:])


def _all(row, colour) -> 'Iterator[tuple]':
  """(file, number, seconds or None, image or error) of each frame."""
  if row.video is not None:
    yield from _of_video(row, colour)
    return
  for path, number in zip(row.frames, row.numbers, strict=True):
    try:
      yield short(path), number, None, images.read(path, colour=colour)
    except (OSError, ValueError) as error:
      yield short(path), number, None, error


def _of_video(row, colour):
  file, wanted = short(row.video), collections.deque(row.numbers)
  why: Exception = ValueError('damaged, or the video ends before it')
  try:
    for frame in video.frames(
      row.video, row.numbers[0], row.numbers[-1], colour=colour
    ):
      while wanted and wanted[0] < frame.number:
        yield file, wanted.popleft(), None, why
      if wanted and wanted[0] == frame.number:
        yield file, wanted.popleft(), frame.time, frame.image
  except (OSError, ValueError) as error:
    why = error
  for number in wanted:
    yield file, number, None, why
