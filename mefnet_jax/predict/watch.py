"""From frames to rows and events, as they become known; memory stays constant.

    frames -> faces (track) -> crops on an even clock (resample)
      -> windows and expressions (events) -> rows of frames.csv, events

A row is given once the windows around its frame have been scored, an event
about a second after its offset. Faces are followed some frames ahead in one
thread, and the flow of windows is computed in others: nearly all of it is spent
in OpenCV and dlib, which let other threads run. The numbers are those that one
thread finds.
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
  """What one step of `watch` gives.

  Attributes:
    rows: of frames.csv that have become known, see `event.frame_columns`.
    events: that have become known.
    frame: the latest; None at the end.
    faces: in that frame.
    notes: what is odd about the video, whole at the end.
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
    source: of frames.
    scorer: of `scorers`.
    limits: by which expressions are told from other motion.
    detector: of faces.
    at_once: windows that are scored together; fewer answer sooner.
    find: of `face_finder`; by default faces are found in this process.

  Yields:
    A `Seen` a frame, and a last one with all that is left. Each frame has a
    row for each face in it, or one that says that there is none.

  Raises:
    errors.UserError: not one frame can be decoded, or no detector is there.
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
      # Few frames: whoever scores few windows at once is in a hurry.
      if len(ahead) > at_once // 2:
        yield watcher.spot(ahead.popleft().result())
    while ahead:
      yield watcher.spot(ahead.popleft().result())
    yield watcher.finish()._replace(notes=source.notes)


@dataclasses.dataclass
class _Face:
  """One face between two breaks of its track."""

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
  """The state of `watch`: takes frames, and gives what has become known.

  Args:
    name: of the video.
    scorer, limits, at_once: as of `watch`.
    tracker: of faces.
    pool: of threads in which flow is computed.
    later: of threads in which expressions that are over are followed; they are
      given some frames later.
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
    # Windows of a frame are scored at latest so much later.
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
    """The second half of `step`."""
    frame, found, cut = followed
    self._times.append((frame.time, frame.number))
    # Older ones can be of no event: memory must not grow with the video.
    while self._times[0][0] < frame.time - _SINCE:
      self._times.popleft()
    note = frame.note or ('cut' if cut else '')
    self._rows += frame_rows.blank(frame, found, note)
    for sighting in found:
      self._see(frame, sighting)
    for number, face in list(self._faces.items()):
      # A damaged frame says nothing of a face; a good one without it does.
      is_lost = frame.image is not None and face.last < frame.time
      if is_lost or frame.time - face.last > _GONE:
        self._close(number)
    rows, known = self._known(frame.time - self._delay)
    return Seen(rows, known, frame, found)

  def finish(self) -> Seen:
    """Gives all that is left."""
    for number in list(self._faces):
      self._close(number)
    rows, known = self._known(float('inf'))
    return Seen(rows, known, None, [])

  def _see(self, frame, sighting):
    """Gives the crop of a face to its clock, and full cells to its spotter."""
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
    """Gives full cells to a face's spotter."""
    for number, crop in cells:
      _, square = next(squares, (0, None))
      cell = expressions.Cell(
        crop, face.sighting.head, square, face.sighting.points
      )
      self._take(face, *face.spotter.push(number, cell))

  def _close(self, number):
    """Ends a face's run; its rows are given what its windows said."""
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
    """Rows up to a time, and all events."""
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
    given, self._events = self._events, []
    return rows, given

  def _event(self, number, found):
    onset, apex, offset = (
      self._frame_at(t) for t in (found.onset, found.apex, found.offset)
    )
    chances = found.answer.probabilities
    label = max(chances, key=lambda name: chances[name]) if chances else ''
    unsure, rule = thresholds.unsure(chances, self._scorer.lacks, self._limits)
    said = found.answer.units
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
          *(float(said[name][i]) for name in ('p', 'level', 'side'))
        )
        for i, unit in enumerate(self._scorer.action_units)
      },
    )

  def _frame_at(self, time):
    """The number of the frame that is nearest to a time."""
    return min(self._times, key=lambda one: abs(one[0] - time))[1]
