"""Shared by the formats: the video, its times, and intervals on them."""

import dataclasses
import functools
import os
import pathlib
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from xml.sax import saxutils

import numpy as np

from mefnet_jax.predict import event
from mefnet_jax.runs import errors, escape

UNSURE = 'unsure'  # stands for the class where the model names none
_TICK = 0.001  # seconds: annotation tools keep whole milliseconds
_NO_XML = re.compile('[\ufffe\uffff]')


@dataclasses.dataclass(frozen=True, eq=False)
class Media:
  """A video and the times of its frames.

  Attributes:
    path: the video, or the folder of images.
    times: (frames,) seconds since the first shown frame, increasing.
  """

  path: str | os.PathLike
  times: Sequence[float] | np.ndarray

  @property
  def name(self) -> str:
    """The name of the file, without its folder."""
    return pathlib.Path(self.path).name

  @functools.cached_property
  def seconds(self) -> np.ndarray:
    """The times as an array, float64."""
    return np.asarray(self.times, np.float64)

  @functools.cached_property
  def step(self) -> float:
    """Median seconds between frames; 1/25 for a single frame."""
    steps = np.diff(self.seconds)
    return float(np.median(steps)) if len(steps) else 1 / 25

  @property
  def fps(self) -> float:
    """Median frames per second."""
    return 1 / self.step

  @property
  def duration(self) -> float:
    """Seconds until the last frame has been shown."""
    return float(self.seconds[-1]) + self.step if len(self.seconds) else 0.0

  def frame_at(self, seconds: float) -> int:
    """The number, from 1, of the frame that is shown at that time."""
    # A tool's milliseconds may lie just before the frame that they mean.
    passed = np.searchsorted(self.seconds, seconds + _TICK, side='right')
    return min(max(int(passed), 1), max(len(self.seconds), 1))

  def end(self, seconds: float) -> float:
    """The end, in seconds, of an interval whose last frame begins at `seconds`.

    It is the middle of that frame, so that neither milliseconds nor another
    program's rounding moves it to another frame.
    """
    number = self.frame_at(seconds)
    step = self.step
    if number < len(self.seconds):
      step = min(step, self.seconds[number] - self.seconds[number - 1])
    return seconds + step / 2

  def relative_to(self, folder: str | os.PathLike) -> str:
    """The path of the video from a folder, with slashes."""
    try:
      found = os.path.relpath(self.path, folder)
    except ValueError:  # another drive
      found = self.name
    return pathlib.PurePath(found).as_posix()


class Annotation(typing.NamedTuple):
  """An interval that a person or a model has annotated.

  Attributes:
    onset, offset: seconds; the offset lies in the last frame.
    apex: seconds; None if the file has no apex.
    label: the class; '' if it is unsure.
    face: number of the face.
    file: name of the video in the annotation's file, '' if it has none.
    annotator: name of the annotator, '' if the file has none.
    fps: frames per second of the video; None if the file has none.
  """

  onset: float
  offset: float
  label: str
  apex: float | None = None
  face: int = 1
  file: str = ''
  annotator: str = ''
  fps: float | None = None


def to_events(
  annotations: Iterable[Annotation], media: Media, where: str
) -> list[event.Event]:
  """Puts annotations on the frames of their video.

  Args:
    annotations: those of one video.
    media: the video.
    where: the file of the annotations, for messages.

  Raises:
    errors.UserError: an annotation ends before it begins, lies outside the
      video or is of another frame rate; two of one face overlap; an apex lies
      outside its interval.
  """
  events = [
    _event(one, media, where)
    for one in sorted(annotations, key=lambda one: (one.face, one.onset))
  ]
  for first, second in zip(events, events[1:], strict=False):
    if first.face == second.face and second.onset_frame <= first.offset_frame:
      raise errors.UserError(
        f'{where}: face {first.face}: the annotation at {second.onset:.3f} s '
        f'begins before the one at {first.onset:.3f} s has ended: separate them'
      )
  return events


def _event(one, media, where):
  place = f'{where}: face {one.face}: the annotation at {one.onset:.3f} s'
  # 29.97 and 30 are one video; 25 and 30 are not.
  if one.fps and not 0.99 < one.fps / media.fps < 1.01:
    raise errors.UserError(
      f'{place} is of a video with {one.fps:g} frames per second; {media.name} '
      f'has {media.fps:g}: name the video that was annotated'
    )
  if one.offset < one.onset:
    raise errors.UserError(
      f'{place} ends at {one.offset:.3f} s, before it begins: correct its end'
    )
  if one.onset < -_TICK or one.offset > media.duration + media.step:
    raise errors.UserError(
      f'{place} lies outside {media.name}, which lasts {media.duration:.3f} s: '
      'is it of another video or frame rate?'
    )
  first, last = media.frame_at(one.onset), media.frame_at(one.offset)
  middle = (first + last) // 2
  if one.apex is not None:
    middle = media.frame_at(one.apex)
    if not first <= middle <= last:
      raise errors.UserError(
        f'{place} has its apex at {one.apex:.3f} s, outside: move the apex'
      )
  onset, apex, offset = (
    # The times of those frames, not the annotator's, which lie between frames.
    float(media.seconds[n - 1])
    for n in (first, middle, last)
  )
  return event.Event(
    media.name,
    one.face,
    onset,
    apex,
    offset,
    first,
    middle,
    last,
    label=one.label,
  )


def lanes(events: Iterable[event.Event]) -> Iterator[tuple[str, list]]:
  """Events by face, as ('face 1', events) in order of their onsets.

  A tier holds no two events at once: those that overlap an earlier one of the
  same face come as 'face 1 +2', and so on.
  """
  found: dict[tuple[int, int], list[event.Event]] = {}
  for one in sorted(events, key=lambda one: (one.face, one.onset)):
    number = 1
    while (one.face, number) in found:
      # The last of a lane is the only one that can overlap: onsets are in
      # order.
      if found[one.face, number][-1].offset_frame < one.onset_frame:
        break
      number += 1
    found.setdefault((one.face, number), []).append(one)
  for (face, number), some in sorted(found.items()):
    yield f'face {face}' + (f' +{number}' if number > 1 else ''), some


def tier_parts(name: str) -> tuple[int, str] | None:
  """(face, kind) of a tier such as 'face 1 +2 events'; None for others."""
  match = re.fullmatch(r'face (\d{1,6})(?: \+\d+)? (.+)', name.strip())
  return (int(match[1]), match[2]) if match else None


def text(value: object) -> str:
  """A label as one line that XML, TextGrid and WebVTT can hold."""
  return _NO_XML.sub('\ufffd', escape.terminal(value))


def class_text(one: event.Event) -> str:
  """The class of an event, or `UNSURE`."""
  return UNSURE if one.unsure or not one.label else text(one.label)


def label_of(value: str) -> str:
  """The class that `class_text` wrote; '' for `UNSURE`."""
  return '' if value.strip() == UNSURE else value.strip()


def confidence_text(one: event.Event) -> str:
  """'expression 0.93, surprise 0.71': the probabilities of an event."""
  parts = []
  if not np.isnan(one.confidence):
    parts.append(f'expression {one.confidence:.2f}')
  ordered = sorted(one.probabilities.items(), key=lambda item: -item[1])
  parts += [f'{text(name)} {p:.2f}' for name, p in ordered]
  return ', '.join(parts)


def units_text(one: event.Event) -> str:
  """'AU01 0.83, AU02 0.64': the action units that probably move."""
  return ', '.join(
    f'{text(name)} {unit.p:.2f}'
    for name, unit in sorted(one.units.items())
    if unit.p >= 0.5
  )


def escaped(value: str) -> str:
  """A text with <, > and & escaped."""
  return saxutils.escape(value)
