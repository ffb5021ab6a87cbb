"""Prepares one clip: from image files to registered, interpolated crops."""

import dataclasses

import cv2
import numpy as np

from mefnet_jax.preprocess import (
  clip_records,
  faces,
  flow,
  images,
  interpolate,
  magnify,
  maps,
  motion_clips,
  options,
  reading,
  regions,
  registration,
)
from mefnet_jax.runs import errors, findings

Options = options.Options
STREAMS = options.CROPS
# Number of frames, from the onset on, on which the face is looked for.
TRIES = 5


@dataclasses.dataclass(frozen=True)
class Prepared:
  """A prepared clip.

  Attributes:
    clip: its id.
    streams: 'face', 'eyes', 'mouth' and perhaps flows, (T, S, S, C) uint8; None
      where the clip had to be left out.
    findings: the reason for that, or the repairs.
  """

  clip: str
  streams: dict[str, np.ndarray] | None
  findings: tuple[findings.Finding, ...]


@dataclasses.dataclass(frozen=True)
class Aligned:
  """A clip whose face was found and whose frames were registered.

  Attributes:
    frames: n images, as read.
    numbers: their frame numbers, or their times in frames.
    reference: index of the frame on which the face was found.
    landmarks: landmarks in that frame; None where the whole image is the face.
    matrices: n registrations (2, 3), from the reference frame to each.
  """

  frames: list[np.ndarray]
  numbers: tuple[int, ...] | tuple[float, ...]
  reference: int
  landmarks: faces.Landmarks | None
  matrices: list[np.ndarray]

  def region(self, name: str, size: int) -> np.ndarray:
    """Returns the region (2, 3) of a crop in the reference frame: `regions`."""
    if self.landmarks is None:
      return regions.whole_crop(name, self.frames[0].shape, size)
    return STREAMS[name](self.landmarks, size)

  def cut(self, name: str, size: int) -> np.ndarray:
    """Returns a crop of each frame, (n, size, size, C) float32."""
    # Registration and cutting are one matrix, so that each pixel is
    # interpolated once: a second time would blur motions of a tenth of a pixel.
    region = self.region(name, size)
    crops = [
      regions.cut(frame, regions.chain(matrix, region), size)
      for frame, matrix in zip(self.frames, self.matrices, strict=True)
    ]
    return np.stack(crops).reshape(len(crops), size, size, -1)


def prepare(
  row: clip_records.Row, how: 'Options | maps.Options | motion_clips.Options'
) -> Prepared:
  """Prepares one clip; one that cannot be prepared is left out with a finding.

  Args:
    row: the clip.
    how: the options of its data set.

  Raises:
    errors.UserError: the detector is not installed; nothing else is raised.
  """
  noted: list[findings.Finding] = []
  try:
    if isinstance(how, maps.Options):
      streams = _maps(row, noted)
    elif isinstance(how, motion_clips.Options):
      streams = _motion(align(row, how, noted), how)
    else:
      streams = crop_streams(align(row, how, noted), how)
  except errors.UserError:
    raise
  except reading.LeftOut as reason:
    noted.append(reason.finding)
    streams = None
  except Exception as error:  # one odd clip must not end an hour of work
    what = f'preparation failed: {type(error).__name__}: {error}'
    noted.append(reading.finding(findings.LEFT_OUT, row, '', what))
    streams = None
  return Prepared(row.clip, streams, tuple(noted))


def align(
  row: clip_records.Row, how: 'Options | motion_clips.Options', noted: list
) -> Aligned:
  """Reads a clip, finds its face once and registers its frames to that one.

  Args:
    row: the clip.
    how: the options of its data set.
    noted: a list to which findings are appended.

  Raises:
    reading.LeftOut: it cannot be read, or there is no face in it.
  """
  frames, numbers = reading.read(row, noted, colour=how.colour)
  if len(frames) == 1:
    what = 'one frame only: a clip without motion'
    noted.append(reading.finding(findings.REPAIRED, row, '', what))
  greys = [images.grey(frame) for frame in frames]
  landmarks, reference = None, 0
  if how.detector != 'none':
    landmarks, reference = _face(row, greys, how, noted)
  matrices = _register(row, greys, landmarks, reference, how, noted)
  return Aligned(frames, numbers, reference, landmarks, matrices)


def _maps(row, noted):
  """The stored flow maps of a clip."""
  try:
    return maps.streams(row, noted)
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or str(error)
    file = reading.short(row.frames[0])
    raise reading.LeftOut(row, file, f'unreadable: {why}') from None


def _motion(aligned, how):
  return motion_clips.streams(
    aligned.frames, aligned.landmarks, aligned.matrices, how
  )


def crop_streams(aligned: Aligned, how: Options) -> dict[str, np.ndarray]:
  """Cuts, magnifies and interpolates a clip.

  Args:
    aligned: the registered clip.
    how: the options of its data set.

  Returns:
    For each stream (T, S, S, C) uint8.
  """
  to_length = interpolate.operator(
    how.interpolation, aligned.numbers, how.frames
  )
  streams = {}
  for name in STREAMS:
    size = getattr(how, name)
    if name == 'face' and how.flow != 'none':
      # Cut once at twice the size: for the flow, and averaged for the face.
      fine = magnify.clip(aligned.cut(name, 2 * size), how.magnify)
      crops = _averaged(fine)
    else:
      crops = magnify.clip(aligned.cut(name, size), how.magnify)
    streams[name] = interpolate.to_uint8(interpolate.clip(crops, to_length))
  if how.flow != 'none':
    streams |= _flows(aligned, fine, to_length, how)
  return streams


def _flows(aligned, fine, to_length, how):
  """Flow and strain of the face, and their parts at eyes and mouth."""
  grey = np.stack([images.grey(crop.squeeze()) for crop in fine])
  # Flow first, interpolation after: a mixture of two frames shows each contour
  # twice.
  moved = interpolate.clip(flow.to_each(grey, how.flow), to_length)
  both = np.concatenate([moved, flow.strain(moved)[..., None]], axis=-1)
  streams = {}
  for name in STREAMS:
    size = getattr(how, name)
    if name == 'face':
      part = _averaged(both)
    else:
      face = aligned.region('face', both.shape[1])
      part = _part(both, face, aligned.region(name, 2 * size), 2 * size)
    streams[options.FLOWS[name]] = flow.encode(part[..., :2], part[..., 2])
  return streams


def _averaged(clip_TSSC):
  """Each 2 x 2 pixels as their mean."""
  t, side, _, channels = clip_TSSC.shape
  half = side // 2
  return clip_TSSC.reshape(t, half, 2, half, 2, channels).mean((2, 4))


def _part(clip_TSSC, face, region, size):
  """The part of a clip of face crops that lies in another region, averaged."""
  into = regions.chain(cv2.invertAffineTransform(face), region)
  parts = [
    cv2.warpAffine(
      frame,
      into,
      (size, size),
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE,
    )
    for frame in clip_TSSC
  ]
  return _averaged(np.stack(parts))


def _face(row, frames, how, noted):
  """The face on the onset frame, or on one of the few after it."""
  for i, frame in enumerate(frames[:TRIES]):
    landmarks = faces.find(frame, how.detector)
    if landmarks is None:
      continue
    if i:
      what = f'no face found on the onset frame, but {i} later'
      noted.append(reading.finding(findings.REPAIRED, row, '', what))
    if landmarks.faces > 1:
      what = f'{landmarks.faces} faces: the largest is taken'
      noted.append(reading.finding(findings.REPAIRED, row, '', what))
    if landmarks.how:
      what = f'face {landmarks.how}'
      noted.append(reading.finding(findings.REPAIRED, row, '', what))
    return landmarks, i
  what = f'no face found in its first {min(TRIES, len(frames))} frames'
  raise reading.LeftOut(row, reading.short(row.place), what)


def _register(row, frames, landmarks, reference, how, noted):
  """One matrix for each frame: from the reference frame's pixels to its own."""
  if how.registration == 'none':
    return [registration.identity()] * len(frames)
  if how.registration == 'ecc':
    box = registration.box(landmarks, frames[0].shape)
    matrices, failed = registration.ecc(frames, box, reference)
    why = 'ECC found no answer'
  else:
    matrices, failed = _by_landmarks(frames, landmarks, reference, how)
    why = 'no face found'
  if failed:
    what = f"{why} on {len(failed)} frames: they keep the one before's place"
    noted.append(reading.finding(findings.REPAIRED, row, '', what))
  return matrices


def _by_landmarks(frames, landmarks, reference, how):
  """Matrices by landmarks of every frame, and indices of frames without any."""
  matrices, failed = [], []
  for i, frame in enumerate(frames):
    found = landmarks if i == reference else faces.find(frame, how.detector)
    if found is None:
      failed.append(i)
      before = matrices[-1] if matrices else registration.identity()
      matrices.append(before)
    else:
      matrices.append(registration.by_landmarks(landmarks, found))
  return matrices, failed


def use_one_thread() -> None:
  """Limits OpenCV to one thread: there is a process for each core already."""
  cv2.setNumThreads(1)
