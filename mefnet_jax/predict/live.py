"""Watches a camera: shows it on the terminal, and records files if asked to."""

import collections
import contextlib
import gc
import os
import pathlib
import sys
import time
import typing
from collections.abc import Sequence
from concurrent import futures

import numpy as np
import rich.console
import rich.live
import rich.panel
import rich.table
import rich.text

from mefnet_jax.predict import (
  event,
  expressions,
  face_finder,
  live_camera,
  results,
  track,
  watch,
)
from mefnet_jax.runs import escape, legal_notices

_EVENTS = 8  # events shown
_SIGNAL = 60  # values of the sparkline
_BARS = ' ▁▂▃▄▅▆▇█'
_A_SECOND = 4  # refreshes of the terminal
# Seconds for which another thread may keep the interpreter. The thread that
# answers needs it many times a frame, and Python's default is .005.
_TURN = 2e-4
AT_ONCE = 1  # windows in a batch: none waits for the next one


def run(
  source: str,
  scorer: expressions.Scorer,
  *,
  detector: str = 'dlib',
  find: face_finder.Find | None = None,
  record: pathlib.Path | None = None,
  which: Sequence[str] = (),
  seconds: float = float('inf'),
) -> live_camera.Camera:
  """Watches until the camera ends, Ctrl-C, or Escape in the window.

  Slow work does not hold a frame up: threads run the detector, follow
  expressions that are over, and draw the terminal. The results of the first two
  come some frames later.

  Args:
    source: as for `live_camera.Camera`.
    scorer: a model's (`scorers`), ideally for batches of `AT_ONCE` maps.
    detector: face detector.
    find: a `face_finder.Finder`, whose process lets this one go on.
    record: folder for the files that a video would get; None for no files.
    which: formats of the events in it.
    seconds: duration after which it ends.

  Returns:
    The camera, with its dropped frames and its latencies.

  Raises:
    errors.UserError: the camera does not exist or delivers no frame, or the
      folder cannot be written.
  """
  with contextlib.ExitStack() as stack:
    stack.enter_context(_ready(find))
    camera = stack.enter_context(live_camera.opened(source))
    view = View(camera)
    made, aside = None, None
    if record is not None:
      aside = stack.enter_context(results.staged(record))
      made = results.Results(aside, 'camera', scorer.action_units)
      stack.enter_context(made)
    later = stack.enter_context(futures.ThreadPoolExecutor(2))
    tracker = track.Tracker(detector, find, later)
    watcher = watch.Watcher(
      camera.name, scorer, tracker=tracker, at_once=AT_ONCE, later=later
    )
    with view.live():
      _watch(camera, watcher, view, made, seconds)
    last = watcher.finish()
    view.add(last)
    if made is not None:
      made.add(last)
      made.__exit__(None, None, None)
      made.write(camera.path, which)
  return camera


@contextlib.contextmanager
def _ready(find):
  """Waits for the detector's process, and prevents long pauses meanwhile."""
  if find is not None:
    find(np.zeros((120, 160), np.uint8))
  gc.freeze()  # collecting jax's objects too takes as long as a frame
  before = sys.getswitchinterval()
  sys.setswitchinterval(_TURN)
  try:
    yield
  finally:
    sys.setswitchinterval(before)
    gc.unfreeze()


def _watch(camera, watcher, view, made, seconds):
  """Watches every frame until somebody stops it."""
  window, shown = Window(), 0.0
  with contextlib.suppress(KeyboardInterrupt):
    for frame in camera:
      seen = watcher.step(frame)
      view.add(seen)
      if made is not None:
        made.add(seen)
      now = time.monotonic()
      if now - shown > 1 / _A_SECOND:
        shown = now
        if window.show(seen):
          break
      if frame.time > seconds:
        break


class View:
  """The terminal's picture: numbers, the signal and the latest events."""

  def __init__(self, camera: live_camera.Camera):
    self.console = rich.console.Console(stderr=True)
    self._camera = camera
    self._times: collections.deque[float] = collections.deque(maxlen=60)
    self._signal: collections.deque[float] = collections.deque(maxlen=_SIGNAL)
    self._events: collections.deque[event.Event] = collections.deque(
      maxlen=_EVENTS
    )
    self._faces = 0

  def add(self, seen: watch.Seen) -> None:
    """Takes one step."""
    if seen.frame is not None and seen.frame.image is not None:
      self._times.append(seen.frame.time)
      self._faces = len(seen.faces)
    for row in seen.rows:
      if row.get('expression') is not None:
        self._signal.append(float(row['expression']))
    self._events += seen.events

  def live(self) -> contextlib.AbstractContextManager:
    """Refreshes it in a thread, if there is a terminal."""
    if not self.console.is_terminal:
      return contextlib.nullcontext()
    return rich.live.Live(
      console=self.console,
      get_renderable=self.picture,
      refresh_per_second=_A_SECOND,
      transient=True,
    )

  def picture(self) -> rich.panel.Panel:
    """The picture as it is now."""
    late = self._camera.latest(300)
    p95 = np.percentile(late, 95) * 1e3 if late else 0.0
    table = rich.table.Table.grid(padding=(0, 2))
    table.add_row('frames a second', f'{_rate(self._times):.1f}')
    table.add_row('faces', str(self._faces))
    table.add_row('dropped', str(self._camera.dropped))
    table.add_row('latency, p95', f'{p95:.0f} ms')
    table.add_row('expression', rich.text.Text(sparkline(list(self._signal))))
    for one in list(self._events)[::-1]:
      label = one.label + (' (unsure)' if one.unsure else '')
      line = f'{one.kind} {label} P {one.confidence:.2f} face {one.face}'
      table.add_row(f'{one.onset:.2f} s', rich.text.Text(line))
    title = rich.text.Text(escape.terminal(self._camera.name))
    # Below the table, where it wraps; a subtitle would be cut off.
    law = rich.text.Text(legal_notices.SHORT, style='dim')
    return rich.panel.Panel(rich.console.Group(table, law), title=title)


def _rate(times):
  times = list(times)
  span = times[-1] - times[0] if len(times) > 1 else 0
  return (len(times) - 1) / span if span > 0 else 0.0


def sparkline(values: typing.Iterable[float]) -> str:
  """Values of 0 to 1 as bars of text."""
  top = len(_BARS) - 1
  return ''.join(_BARS[round(min(max(v, 0.0), 1.0) * top)] for v in values)


class Window:
  """The camera's picture, with boxes of faces, where there is a display."""

  def __init__(self) -> None:
    self._there = bool(
      os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    )

  def show(self, seen: watch.Seen) -> bool:
    """Shows a frame; returns whether Escape or q was pressed."""
    if not self._there or seen.frame is None or seen.frame.image is None:
      return False
    import cv2

    image = cv2.cvtColor(seen.frame.image, cv2.COLOR_GRAY2BGR)
    for one in seen.faces:
      left, top, right, bottom = (round(float(x)) for x in one.box)
      cv2.rectangle(image, (left, top), (right, bottom), (80, 200, 80), 2)
    try:
      cv2.imshow('mefnet', image)
      return cv2.waitKey(1) & 0xFF in (27, ord('q'))
    except cv2.error:  # a display that cannot be used
      self._there = False
      return False
