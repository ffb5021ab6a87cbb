"""Prepares one clip: from image files to registered, interpolated crops."""

import dataclasses
import typing

import cv2
import numpy as np

from mefnet_jax import errors, findings
from mefnet_jax.preprocess import (
  faces,
  images,
  interpolate,
  regions,
  registration,
)

if typing.TYPE_CHECKING:
  from mefnet_jax.datasets import rows

STREAMS = {'face': regions.face, 'eyes': regions.eyes, 'mouth': regions.mouth}
# The face is looked for on the onset frame, then on so many after it.
_TRIES = 5
# A clip is kept as long as no more than this share of its frames is damaged.
_DAMAGED = 0.2


@dataclasses.dataclass(frozen=True)
class Options:
  """What a prepared clip depends on; the fields of `config.dataset`.

  `face`, `eyes`, `mouth` are pixels a side, `frames` the number after
  interpolation.
  """

  detector: str = 'dlib'
  registration: str = 'ecc'
  interpolation: str = 'tim'
  frames: int = 18
  face: int = 64
  eyes: int = 32
  mouth: int = 32

  def check(self) -> None:
    """Raises errors.UserError for a value that no preparation has."""
    choices = {
      'registration': registration.METHODS,
      'interpolation': interpolate.METHODS,
    }
    for field, allowed in choices.items():
      value = getattr(self, field)
      if value not in allowed:
        known = ', '.join(allowed)
        raise errors.UserError(
          f'config.dataset.{field}={value!r}: must be one of {known}'
        )
    for field in ('frames', *STREAMS):
      value = getattr(self, field)
      if not 1 <= value <= 1024:
        raise errors.UserError(
          f'config.dataset.{field}={value}: must be 1 to 1024'
        )
    faces.weights(self.detector)


@dataclasses.dataclass(frozen=True)
class Prepared:
  """A prepared clip.

  `streams` maps 'face', 'eyes', 'mouth' to (T, S, S, 1) uint8, and is None
  where the clip had to be left out; `findings` say why, or what was repaired.
  """

  clip: str
  streams: dict[str, np.ndarray] | None
  findings: tuple[findings.Finding, ...]


def prepare(row: 'rows.Row', options: Options) -> Prepared:
  """Prepares one clip; a clip that cannot be is left out with a finding.

  Raises:
    errors.UserError: the detector is not there; nothing else.
  """
  noted: list[findings.Finding] = []
  try:
    frames, numbers = _read(row, noted)
    streams = _streams(row, frames, numbers, options, noted)
  except errors.UserError:
    raise
  except _LeftOut as reason:
    noted.append(reason.finding)
    streams = None
  except Exception as error:  # one odd clip must not end an hour of work
    what = f'preparation failed: {type(error).__name__}: {error}'
    noted.append(_finding(findings.LEFT_OUT, row, '', what))
    streams = None
  return Prepared(row.clip, streams, tuple(noted))


class _LeftOut(Exception):
  """Carries the finding on a clip that cannot be prepared."""

  def __init__(self, row, file, what):
    super().__init__(what)
    self.finding = _finding(findings.LEFT_OUT, row, file, what)


def _read(row, noted):
  """The readable frames and their numbers; all of the first one's size."""
  frames, numbers, bad = [], [], []
  for path, number in zip(row.frames, row.numbers, strict=True):
    try:
      image = images.read_grey(path)
      if frames and image.shape != frames[0].shape:
        raise ValueError(f'of another size than {row.frames[0].name}')
    except (OSError, ValueError) as error:
      bad.append((path, getattr(error, 'strerror', None) or str(error)))
      continue
    frames.append(image)
    numbers.append(number)
  if bad and (not frames or len(bad) > _DAMAGED * len(row.frames)):
    path, why = bad[0]
    what = f'{len(bad)} of {len(row.frames)} frames unreadable: {why}'
    raise _LeftOut(row, _short(path), what)
  for path, why in bad:
    what = f'unreadable frame, filled in from its neighbours: {why}'
    noted.append(_finding(findings.REPAIRED, row, _short(path), what))
  return frames, tuple(numbers)


def _streams(row, frames, numbers, options, noted):
  """All crops of a clip, (T, S, S, 1) uint8."""
  landmarks, reference = _face(row, frames, options, noted)
  matrices = _register(row, frames, landmarks, reference, options, noted)
  to_length = interpolate.operator(
    options.interpolation, numbers, options.frames
  )
  if len(frames) == 1:
    what = 'one frame only: a clip without motion'
    noted.append(_finding(findings.REPAIRED, row, '', what))
  streams = {}
  for name, region_of in STREAMS.items():
    size = getattr(options, name)
    region = region_of(landmarks, size)
    crops = np.stack(
      [
        regions.cut(frame, regions.chain(matrix, region), size)
        for frame, matrix in zip(frames, matrices, strict=True)
      ]
    )
    crops = interpolate.clip(crops, to_length)
    streams[name] = interpolate.to_uint8(crops)[..., None]
  return streams


def _face(row, frames, options, noted):
  """The face on the onset frame, or on one of the few after it."""
  for i, frame in enumerate(frames[:_TRIES]):
    landmarks = faces.find(frame, options.detector)
    if landmarks is None:
      continue
    if i:
      what = f'no face found on the onset frame, but {i} later'
      noted.append(_finding(findings.REPAIRED, row, '', what))
    if landmarks.how:
      what = f'face {landmarks.how}'
      noted.append(_finding(findings.REPAIRED, row, '', what))
    return landmarks, i
  what = f'no face found in its first {min(_TRIES, len(frames))} frames'
  raise _LeftOut(row, _short(row.frames[0]), what)


def _register(row, frames, landmarks, reference, options, noted):
  """One matrix a frame: from the reference frame's pixels to its own."""
  if options.registration == 'none':
    return [registration.identity()] * len(frames)
  if options.registration == 'ecc':
    box = _box(landmarks, frames[0].shape)
    matrices, failed = registration.ecc(frames, box, reference)
    how = 'ECC found no answer'
  else:
    matrices, failed = _by_landmarks(frames, landmarks, reference, options)
    how = 'no face found'
  if failed:
    what = f"{how} on {len(failed)} frames: they keep the one before's place"
    noted.append(_finding(findings.REPAIRED, row, '', what))
  return matrices


def _by_landmarks(frames, landmarks, reference, options):
  matrices, failed = [], []
  for i, frame in enumerate(frames):
    found = landmarks if i == reference else faces.find(frame, options.detector)
    if found is None:
      failed.append(i)
      before = matrices[-1] if matrices else registration.identity()
      matrices.append(before)
    else:
      matrices.append(registration.by_landmarks(landmarks, found))
  return matrices, failed


def _box(landmarks, shape):
  """The face with its forehead, in whole pixels within the image."""
  left, top, right, bottom = landmarks.box
  top -= 0.2 * (bottom - top)
  low = np.floor([left, top]).astype(int)
  high = np.ceil([right, bottom]).astype(int)
  height, width = shape
  low = np.clip(low, 0, [width - 2, height - 2])
  high = np.clip(high, low + 2, [width, height])
  return (*low.tolist(), *high.tolist())


def _finding(kind, row, file, what):
  return findings.Finding(kind, row.clip, file, what)


def _short(path):
  return '/'.join(path.parts[-3:])


def use_one_thread() -> None:
  """Keeps OpenCV to one thread: there is a process a core already."""
  cv2.setNumThreads(1)
