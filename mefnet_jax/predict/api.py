"""The package's interface for Python: a model that predicts videos.

import mefnet_jax
found = mefnet_jax.load('mefnet-zero').predict('face.mp4')
print(found.events)
"""

import contextlib
import dataclasses
import functools
import os
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mefnet_jax.predict import (
  event,
  frame_rows,
  frames,
  progress,
  scorers,
  thresholds,
  trained_model,
  watch,
)
from mefnet_jax.runs import errors

if typing.TYPE_CHECKING:
  import pandas as pd

Video = str | os.PathLike | Iterable[np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
  """The result for one video.

  Attributes:
    events: one row for each expression, see `event.table`.
    frames: one row for each frame and face, see `event.frame_columns`.
    notes: one line for each oddity of the video.
  """

  events: 'pd.DataFrame'
  frames: 'pd.DataFrame'
  notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Model(trained_model.Model):
  """A trained network that can also predict videos."""

  def predict(
    self,
    video: Video,
    fps: float | Sequence[float] | None = None,
    *,
    detector: str = 'dlib',
    limits: thresholds.Thresholds = thresholds.CHOSEN,
    show_progress: bool | None = None,
  ) -> Prediction:
    """Finds the expressions in a video.

    Args:
      video: path of a video or of a folder of images; or frames, (H, W) grey or
        (H, W, 3) red green blue, uint8 each.
      fps: frames a second. A folder and frames need it; for frames it may also
        be the time of each in seconds. A video has times of its own.
      detector: face detector: dlib, insightface or insightface:NAME.
      limits: thresholds that separate expressions from other motion.
      show_progress: whether to show progress and the time left on stderr; by
        default only if that is a terminal.

    Raises:
      errors.UserError: the video cannot be read, or the model's input (sound,
        words, colour) is not in the frames of a video.
    """
    # Only here: `watch` needs no table, and pandas is slow to import.
    import pandas as pd

    rows: list[frame_rows.Row] = []
    found: list[event.Event] = []
    notes: Sequence[str] = ()
    if show_progress is None:
      show_progress = sys.stderr.isatty()
    with (
      _opened(video, fps) as source,
      progress.bar(source)
      if show_progress
      else contextlib.nullcontext(lambda frame: None) as update,
    ):
      scorer = self._scorer
      for seen in watch.watch(source, scorer, limits, detector=detector):
        rows += seen.rows
        found += seen.events
        notes = seen.notes
        if seen.frame is not None:
          update(seen.frame)
    columns = event.frame_columns(scorer.action_units)
    names = [f'AU{unit:02d}' for unit in scorer.action_units]
    return Prediction(
      event.table(found, classes=scorer.classes, units=names),
      pd.DataFrame(rows, columns=columns),
      tuple(notes),
    )

  def watch(
    self,
    video: Video,
    fps: float | Sequence[float] | None = None,
    *,
    detector: str = 'dlib',
    limits: thresholds.Thresholds = thresholds.CHOSEN,
    at_once: int = 16,
  ) -> Iterator[watch.Seen]:
    """Yields rows and events as they become known, in constant memory.

    Args:
      video, fps, detector, limits: as for `predict`.
      at_once: windows in a batch; the smaller it is, the sooner the answer.

    Raises:
      errors.UserError: as `predict`.
    """
    with _opened(video, fps) as source:
      yield from watch.watch(
        source, self._scorer, limits, detector=detector, at_once=at_once
      )

  @functools.cached_property
  def _scorer(self):
    return scorers.scorer(self)


def load(path: str | os.PathLike) -> Model:
  """Opens a model.

  Args:
    path: a model folder, or the workdir of a run that holds one; or the name
      of a model that ships with the package, 'mefnet-zero'.

  Raises:
    errors.UserError: as `trained_model.load`.
  """
  plain = trained_model.load(path)
  return Model(plain.folder, plain.description, plain.network)


@contextlib.contextmanager
def _opened(video, fps):
  if isinstance(video, str | os.PathLike):
    with frames.opened(video, fps) as source:
      yield source
  else:
    yield frames.Arrays(video, fps if fps is not None else _no_clock())


def _no_clock():
  raise errors.UserError('frames in memory have no clock: give fps')
