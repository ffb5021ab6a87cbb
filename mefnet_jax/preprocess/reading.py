"""Reads the frames of one clip, from image files or a video.

Damaged frames are noted as findings and passed over.
"""

import collections
import pathlib
import typing

import numpy as np

from mefnet_jax.preprocess import clip_records, depth, images, video
from mefnet_jax.runs import findings

if typing.TYPE_CHECKING:
  from collections.abc import Iterator


# A clip is kept as long as no more than this share of its frames is damaged.
DAMAGED = 0.2
# A longer clip is no expression, and would fill the memory.
_MOST_FRAMES = 1500
_MOST_BYTES = 2**31  # of all its frames


class LeftOut(Exception):
  """Carries the finding on a clip that cannot be prepared."""

  def __init__(self, row: clip_records.Row, file: str, what: str):
    super().__init__(what)
    self.finding = finding(findings.LEFT_OUT, row, file, what)


class _Frame(typing.NamedTuple):
  """A frame, or why it cannot be read; `time` in seconds, for videos."""

  file: str
  number: int
  image: np.ndarray | None
  why: str = ''
  time: float | None = None
  depth: 'depth.Depth | None' = None


def read(
  row: clip_records.Row, noted: list, *, colour: bool = False
) -> tuple[list[np.ndarray], tuple[int, ...] | tuple[float, ...]]:
  """Returns the readable frames, all of the first's size, and their numbers.

  For a video with a variable frame rate the numbers are its times, in frames.

  Args:
    row: the clip.
    noted: a list to which a finding on each unreadable frame is appended.
    colour: (H, W, 3) red green blue instead of (H, W) grey.

  Raises:
    LeftOut: no frame, or too few, can be read.
  """
  if len(row.numbers) > _MOST_FRAMES:
    what = (
      f'{len(row.numbers)} frames: a clip of at most {_MOST_FRAMES} is read'
    )
    raise LeftOut(row, short(row.place), f'{what}; give its onset and offset')
  good, bad = _sorted(row, colour)
  whole = len(good) + len(bad)
  if not good or len(bad) > DAMAGED * whole:
    file, why = bad[0] if bad else (short(row.place), 'it has no frames')
    raise LeftOut(row, file, f'{len(bad)} of {whole} frames unreadable: {why}')
  for file, why in bad:
    what = f'unreadable frame, filled in from its neighbours: {why}'
    noted.append(finding(findings.REPAIRED, row, file, what))
  numbers = [frame.number for frame in good]
  times = [frame.time for frame in good]
  return _of_8_bits(row, good, noted), video.positions(numbers, times)


def finding(
  kind: str, row: clip_records.Row, file: str, what: str
) -> findings.Finding:
  """Returns a finding on a clip.

  Args:
    kind: such as `findings.REPAIRED`.
    row: the clip.
    file: the end of the path of its file; '' for the whole clip.
    what: the defect, or the repair.
  """
  return findings.Finding(kind, row.clip, file, what)


def short(path: pathlib.Path) -> str:
  """Returns the end of a path, enough to find it in its release."""
  return '/'.join(path.parts[-3:])


def _sorted(row, colour):
  """The frames that can be used, and (file, why) of the others."""
  good: list[_Frame] = []
  bad: list[tuple[str, str]] = []
  for frame in _all(row, colour):
    image = frame.image
    if image is None:
      bad.append((frame.file, frame.why))
    elif good and image.shape != good[0].image.shape:
      bad.append((frame.file, 'of another size than the first'))
    elif image.nbytes * len(row.numbers) > _MOST_BYTES:
      size = ' x '.join(map(str, image.shape[1::-1]))
      what = f'{len(row.numbers)} frames of {size} pixels fill the memory'
      raise LeftOut(row, frame.file, f'{what}; make them smaller')
    else:
      good.append(frame)
  return good, bad


def _of_8_bits(row, good, noted):
  """The images as uint8, brought to it by one scale."""
  try:
    white = depth.white((frame.depth for frame in good), row.white)
  except ValueError as error:
    raise LeftOut(row, short(row.place), str(error)) from None
  if white is not None:
    what = depth.described(good[0].depth, white)
    noted.append(finding(findings.REPAIRED, row, short(row.place), what))
  return [depth.to_8_bits(frame.image, white) for frame in good]


def _all(row, colour) -> 'Iterator[_Frame]':
  if row.video is not None:
    yield from _of_video(row, colour)
    return
  for path, number in zip(row.frames, row.numbers, strict=True):
    try:
      image, found = images.read_values(path, colour=colour)
      yield _Frame(short(path), number, image, depth=found)
    except (OSError, ValueError) as error:
      why = getattr(error, 'strerror', None) or str(error)
      yield _Frame(short(path), number, None, why)


def _of_video(row, colour):
  file, wanted = short(row.video), collections.deque(row.numbers)
  why = 'damaged, or the video ends before it'
  try:
    for frame in video.frames(
      row.video, row.numbers[0], row.numbers[-1], colour=colour
    ):
      while wanted and wanted[0] < frame.number:
        yield _Frame(file, wanted.popleft(), None, why)
      if wanted and wanted[0] == frame.number:
        found = depth.measure(frame.image)
        number = wanted.popleft()
        yield _Frame(file, number, frame.image, '', frame.time, found)
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or str(error)
  for number in wanted:
    yield _Frame(file, number, None, why)
