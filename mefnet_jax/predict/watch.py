"""From frames to rows and events, as they become known; memory stays constant.

    frames -> faces (track) -> crops on an even clock (resample)
      -> windows and expressions (events) -> rows of frames.csv, events

A row is yielded once the windows around its frame have been scored, an event
about a second after its offset. One thread follows faces some frames ahead, and
others compute the flow of windows: nearly all of that time is spent in OpenCV
and dlib, which let other threads run. The results are those of a single thread.
"""

import collections
import contextlib
import dataclasses
import typing
from collections.abc import Iterator, Sequence
from concurrent import futures

from mefnet_jax.predict import (
  event,
  events,
  expressions,
  face_finder,
  frame_rows,
  frames,
  resample,
  thresholds,
)
from mefnet_jax.predict import track as tracks
from mefnet_jax.preprocess import face_crop, registration
from mefnet_jax.runs import environment

_SINCE = 20.0  # seconds of frames whose numbers are remembered for events
_GONE = 0.5  # seconds of damaged frames after which expressions are closed


class Seen(typing.NamedTuple):
  """The result of one step of `watch`.

  Attributes:
    rows: new rows of frames.csv, see `event.frame_columns`.
    events: new events.
    frame: the latest frame; None at the end.
    faces: the faces in that frame.
    notes: oddities of the video; complete at the end.
  """

  rows: list[frame_rows.Row]
  events: list[event.Event]
  frame: frames.Frame | None
  faces: list[tracks.Sighting]
  notes: Sequence[str] = ()


def watch(
  source: frames.Source,
  scorer: expressions.Scorer,
  limits: thresholds.Thresholds = thresholds.CHOSEN,
  *,
  detector: str = 'dlib',
  at_once: int = 16,
  find: face_finder.Find | None = None,
) -> Iterator[Seen]:
  """Watches a video to its end.

  Args:
    source: the frames.
    scorer: a model's, see `scorers`.
    limits: thresholds that separate expressions from other motion.
    detector: face detector.
    at_once: windows in a batch; the smaller it is, the sooner the answer.
    find: a `face_finder.Finder`; by default faces are found in this process.

  Yields:
    A `Seen` for each frame, and a last one with the rest. Each frame has one
    row for each face in it, or a single row with success 0.

  Raises:
    errors.UserError: no frame can be decoded, or the detector is not
      installed.
  """
  ahead: collections.deque[futures.Future] = collections.deque()
  with contextlib.ExitStack() as stack:
    follower = stack.enter_context(futures.ThreadPoolExecutor(1))
    threads = min(4, environment.cores())  # more would wait for the frames
    pool = stack.enter_context(futures.ThreadPoolExecutor(threads))
    stack.callback(lambda: [one.cancel() for one in ahead])
    tracker = tracks.Tracker(detector, find)
    watcher = Watcher(source.name, scorer, limits, tracker, at_once, pool, pool)
    for frame in source:
      ahead.append(follower.submit(watcher.follow, frame))
      # Small batches of windows ask for quick answers: then few frames wait.
      if len(ahead) > at_once // 2:
        yield watcher.spot(ahead.popleft().result())
    while ahead:
      yield watcher.spot(ahead.popleft().result())
    yield watcher.finish()._replace(notes=source.notes)


@dataclasses.dataclass
class _Face:
  """One face as long as its track is unbroken."""

  clock: resample.Clock
  squares: resample.Clock
  spotter: events.Spotter
  since: float
  last: float
  sighting: tracks.Sighting
  moments: dict[int, expressions.Moment] = dataclasses.field(
    default_factory=dict
  )


class Followed(typing.NamedTuple):
  """A frame, the faces in it, and whether it is the first one after a cut."""

  frame: frames.Frame
  faces: list[tracks.Sighting]
  cut: bool


class Watcher:
  """The state of `watch`: takes frames, and returns what has become known.

  Args:
    name: the video's, for tables.
    scorer, limits, at_once: as for `watch`.
    tracker: follows the faces.
    pool: executor that computes flow in the background.
    later: executor that follows candidates in the background; their events come
      some frames later.
  """

  def __init__(
    self,
    name: str,
    scorer: expressions.Scorer,
    limits: thresholds.Thresholds = thresholds.CHOSEN,
    tracker: tracks.Tracker | None = None,
    at_once: int = 16,
    pool: futures.Executor | None = None,
    later: futures.Executor | None = None,
  ):
    self._name, self._scorer, self._limits = name, scorer, limits
    self._at_once, self._pool, self._later = at_once, pool, later
    self._tracker = tracker or tracks.Tracker()
    self._faces: dict[int, _Face] = {}
    self._rows: collections.deque[frame_rows.Row] = collections.deque()
    self._times: collections.deque[tuple[float, int]] = collections.deque()
    self._events: list[event.Event] = []
    # Seconds after which the windows around a frame have been scored.
    cells = round(limits.window * resample.RATE) / 2 + at_once + 3
    self._delay = cells * resample.CELL

  def step(self, frame: frames.Frame) -> Seen:
    """Takes the next frame."""
    return self.spot(self.follow(frame))

  def follow(self, frame: frames.Frame) -> Followed:
    """The first half of `step`; may run ahead of the second in a thread."""
    if frame.image is None:
      return Followed(frame, [], False)
    found = self._tracker.step(frame.image, frame.time)
    return Followed(frame, found, self._tracker.cut)

  def spot(self, followed: Followed) -> Seen:
    """Spots expressions, the second half of `step`."""
    frame, found, cut = followed
    self._times.append((frame.time, frame.number))
    # No event can need older ones, and memory must not grow with the video.
    while self._times[0][0] < frame.time - _SINCE:
      self._times.popleft()
    note = frame.note or ('cut' if cut else '')
    self._rows += frame_rows.blank(frame, found, note)
    for sighting in found:
      self._see(frame, sighting)
    for number, face in list(self._faces.items()):
      # On a damaged frame a face may still be there; on a good one it is gone.
      is_lost = frame.image is not None and face.last < frame.time
      if is_lost or frame.time - face.last > _GONE:
        self._close(number)
    rows, known = self._known(frame.time - self._delay)
    return Seen(rows, known, frame, found)

  def finish(self) -> Seen:
    """Returns all that is left."""
    for number in list(self._faces):
      self._close(number)
    rows, known = self._known(float('inf'))
    return Seen(rows, known, None, [])

  def _see(self, frame, sighting):
    """Passes the crop of a face to its clock, and full cells to its spotter."""
    face = self._faces.get(sighting.face)
    # A new track of the same face: motion across the break would be a jump.
    if face and face.since != sighting.since:
      self._close(sighting.face)
      face = None
    if face is None:
      face = self._faces[sighting.face] = _Face(
        resample.Clock(),
        resample.Clock(),
        events.Spotter(
          self._scorer,
          self._limits,
          self._at_once,
          pool=self._pool,
          later=self._later,
        ),
        sighting.since,
        frame.time,
        sighting,
      )
    face.last, face.sighting = frame.time, sighting
    crop = face_crop.cut(frame.image, sighting.crop)
    squares: Iterator[tuple[typing.Any, ...]] = iter(())
    if self._scorer.needs_squares:
      square = registration.square(frame.image, sighting.square)
      squares = face.squares.push(frame.time, square)
    self._spot(face, face.clock.push(frame.time, crop), squares)

  def _spot(self, face, cells, squares):
    """Passes full cells to a face's spotter."""
    for number, crop in cells:
      _, square = next(squares, (0, None))
      cell = expressions.Cell(
        crop, face.sighting.head, square, face.sighting.points
      )
      self._take(face, *face.spotter.push(number, cell))

  def _close(self, number):
    """Ends a face whose track is broken, and completes its rows."""
    face = self._faces.pop(number)
    self._spot(face, face.clock.finish(), iter(face.squares.finish()))
    self._take(face, *face.spotter.finish())
    for row in self._rows:
      if row['face_id'] == number and row['timestamp'] >= face.since:
        frame_rows.fill(row, face.moments, self._scorer.action_units)

  def _take(self, face, moments, found):
    for moment in moments:
      face.moments[frame_rows.key(moment.time)] = moment
    for one in found:
      self._events.append(self._event(face.sighting.face, one))

  def _known(self, until):
    """Takes the rows up to a time, and all events."""
    rows = []
    while self._rows and self._rows[0]['timestamp'] <= until:
      row = self._rows.popleft()
      face = self._faces.get(row['face_id'])
      if face and row['timestamp'] >= face.since:
        frame_rows.fill(row, face.moments, self._scorer.action_units)
      rows.append(row)
    for face in self._faces.values():
      least = frame_rows.key(until - 1)
      while face.moments and (first := next(iter(face.moments))) < least:
        del face.moments[first]
    known, self._events = self._events, []
    return rows, known

  def _event(self, number, found):
    onset, apex, offset = (
      self._frame_at(t) for t in (found.onset, found.apex, found.offset)
    )
    chances = found.answer.probabilities
    label = max(chances, key=lambda name: chances[name]) if chances else ''
    unsure, rule = thresholds.unsure(chances, self._scorer.lacks, self._limits)
    answers = found.answer.units
    return event.Event(
      file=self._name,
      face=number,
      onset=found.onset,
      apex=found.apex,
      offset=found.offset,
      onset_frame=onset,
      apex_frame=apex,
      offset_frame=offset,
      label=label,
      unsure=unsure,
      unsure_rule=rule,
      confidence=found.answer.confidence,
      probabilities=chances,
      spread=found.answer.spread,
      intensity=found.motion,
      units={
        f'AU{unit:02d}': event.Unit(
          *(float(answers[name][i]) for name in ('p', 'level', 'side'))
        )
        for i, unit in enumerate(self._scorer.action_units)
      },
    )

  def _frame_at(self, time):
    """The number of the frame that is nearest to a time."""
    return min(self._times, key=lambda one: abs(one[0] - time))[1]
