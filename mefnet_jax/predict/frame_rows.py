"""Rows of frames.csv: of each face on each frame, and what its windows say."""

import typing
from collections.abc import Mapping, Sequence

import numpy as np

from mefnet_jax.predict import expressions, frames, resample, track

Row = dict[str, typing.Any]


def blank(
  frame: frames.Frame, found: Sequence[track.Sighting], note: str
) -> list[Row]:
  """Rows of one frame, without what windows will say.

  Args:
    frame: any.
    found: faces in it; without one there is a row that says so.
    note: what is odd about it.
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
  """Writes what the window around a frame says into its row.

  Args:
    row: of the frame; one that is filled stays as it is.
    moments: windows of the face by `key`.
    units: numbers of the action units.
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
  """By which windows are found: the tick of the clock before their middle."""
  # min: `finish` of a watcher asks for all times, up to infinity.
  return int(np.floor(min(time, 1e9) * resample.RATE))
