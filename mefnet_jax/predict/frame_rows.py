"""Rows of frames.csv: one for each face on each frame."""

import typing
from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.predict import expressions, frames, resample, track

Row = dict[str, typing.Any]


def blank(
  frame: frames.Frame, found: Sequence[track.Sighting], note: str
) -> list[Row]:
  """Rows of one frame, still without the scores of windows.

  Args:
    frame: its number and time are used.
    found: the faces in it; if there are none, the one row has success 0.
    note: an oddity of the frame, or ''.
  """
  plain = {'frame': frame.number, 'timestamp': frame.time, 'note': note}
  if not found:
    return [{**plain, 'face_id': 0, 'confidence': 0.0, 'success': 0}]
  made = []
  for one in found:
    left, top, right, bottom = one.box
    made.append(
      {
        **plain,
        'face_id': one.face,
        'confidence': one.fit,
        'success': 1,
        'x': left,
        'y': top,
        'width': right - left,
        'height': bottom - top,
      }
    )
  return made


def fill(
  row: Row, moments: Mapping[int, expressions.Moment], units: Sequence[int]
) -> None:
  """Adds the scores of the window around a frame to its row.

  Args:
    row: the frame's row; one that has scores already stays as it is.
    moments: windows of the face by `key`.
    units: FACS numbers of the action units.
  """
  if 'motion' in row:
    return
  at = key(row['timestamp'])
  # Frames and windows tick differently, so the nearest window may be one off.
  near = (moments.get(at + step) for step in (0, 1, -1))
  moment = next((one for one in near if one), None)
  if moment is None:
    return
  row['expression'] = moment.expression
  row['returning'] = moment.returning
  row['motion'] = moment.motion
  for i, unit in enumerate(units):
    row[f'AU{unit:02d}_c'] = float(moment.units['p'][i])
    row[f'AU{unit:02d}_r'] = float(moment.units['level'][i])


def key(time: float) -> int:
  """The key of a window by its middle (seconds): the clock's tick before it."""
  # min: `finish` of a watcher asks for all times, up to infinity.
  return int(np.floor(min(time, 1e9) * resample.RATE))
