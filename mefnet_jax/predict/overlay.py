"""The video again, with boxes, numbers and events drawn into it."""

import fractions
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from mefnet_jax.predict import event, frames, thumbnails, timeline
from mefnet_jax.runs import csv_table

WALL = 24  # grey of frames whose faces are not shown
_PLAIN, _WHITE = (150, 160, 170), (255, 255, 255)
_CRF = '20'
_TICKS = 90_000  # a second


def write(
  path: pathlib.Path,
  rows: pathlib.Path,
  source: frames.Source,
  events: Sequence[event.Event],
  pictures: Sequence[thumbnails.Picture],
  colours: Mapping[str, str],
  *,
  show_faces: bool,
) -> None:
  """Writes an MP4 (H.264) whose frames have the times of the source's.

  Args:
    path: the file to write.
    rows: frames.csv of the source.
    source: the frames once more.
    events: drawn from onset to offset.
    pictures: the outline of each face, fitted to its box in other frames.
    colours: '#rrggbb' of each class.
    show_faces: whether to show the frames, or outlines on a plain ground.

  Raises:
    OSError: the file cannot be written.
  """
  import av

  shapes = _shapes(pictures)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('libx264')
    stream.pix_fmt, stream.options = 'yuv420p', {'crf': _CRF}
    stream.codec_context.time_base = fractions.Fraction(1, _TICKS)
    size = None
    for frame, own in zip(source, _by_frame(rows), strict=False):
      image = frame.image
      if image is None:
        continue
      if size is None:  # H.264 takes even sizes
        size = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        stream.height, stream.width = size
      image = cv2.resize(image, size[::-1]) if image.shape != size else image
      picture = _drawn(
        image, frame.time, own, events, shapes, colours, show_faces
      )
      made = av.VideoFrame.from_ndarray(picture, 'rgb24')
      made.pts = round(frame.time * _TICKS)
      made.time_base = fractions.Fraction(1, _TICKS)
      container.mux(stream.encode(made))
    container.mux(stream.encode())


def _drawn(image, time, rows, events, shapes, colours, show):
  """One frame (H, W, 3)."""
  grey = image if show else np.full_like(image, WALL)
  picture = np.repeat(grey[..., None], 3, axis=-1)
  for row in rows:
    if row['success'] != '1':
      continue
    face = int(row['face_id'])
    box = [float(row[name]) for name in ('x', 'y', 'width', 'height')]
    now = [
      one
      for one in events
      if one.face == face and one.onset <= time <= one.offset
    ]
    colour = _PLAIN
    if now:
      colour = _rgb(colours.get('' if now[0].unsure else now[0].label))
    if face in shapes:
      for line in timeline.LINES:
        points = shapes[face][list(line)] * box[2:] + box[:2]
        points = np.rint(points).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 1, cv2.LINE_AA)
    corners = np.rint([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    left, top, right, bottom = corners.astype(int).tolist()
    cv2.rectangle(picture, (left, top), (right, bottom), colour, 1)
    text = ' '.join([str(face), *(_words(one) for one in now[:1])])
    place = (left, max(12, top - 5))
    cv2.putText(picture, text, place, 0, 0.45, _WHITE, 1, cv2.LINE_AA)
  return picture


def _words(one):
  label = 'unsure' if one.unsure or not one.label else one.label
  return f'{label} ({one.kind})'.encode('ascii', 'replace').decode()


def _rgb(colour):
  digits = (colour or '#9aa3ad').lstrip('#')
  return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))


def _shapes(pictures) -> dict[int, np.ndarray]:
  """The outline of each face, its box being the unit square."""
  found: dict[int, np.ndarray] = {}
  for picture in pictures:
    for face, points in picture.outlines:
      low, high = points.min(0), points.max(0)
      found.setdefault(face, (points - low) / (high - low))
  return found


def _by_frame(path) -> Iterator[list[dict[str, str]]]:
  """The rows of each frame."""
  rows = csv_table.stream(path)
  for _, own in itertools.groupby(rows, lambda row: row['frame']):
    yield list(own)
