"""The intervals of two tables of spotting, in one unit, with their subjects.

Names of people and videos are compared as `runs.names` does, videos without
their folder and suffix.
"""

import math
import pathlib

from mefnet_jax.evaluation import spotting, spotting_tables
from mefnet_jax.runs import errors, escape, names

# What predictions and annotators write where they name no class.
_UNSURE = {'', 'unsure'}
_MOST = 1e9


def intervals(
  truths: spotting_tables.Table,
  events: spotting_tables.Table,
  *,
  fps: float | None = None,
) -> tuple[list[spotting.Interval], list[spotting.Interval], bool]:
  """The truths, the events, and whether both are in frames.

  Frames are taken where both tables have them, else seconds, else frames from
  seconds by the frame rate. Without a column of kinds these follow from the
  duration, if the frame rate or seconds are known. If only one table names
  subjects, the events or truths of the other have the subjects of their videos;
  if none does, each video counts as a subject.

  Args:
    truths, events: tables, as `spotting_tables.read` returns them.
    fps: frames per second, for rows whose table has no column fps.

  Raises:
    errors.UserError: the units differ and the frame rate is unknown; a cell is
      no number, an interval ends before it begins, or a kind is unknown; a
      video without a subject belongs to several; or a video is called 01 in one
      table and 1 in the other.
  """
  # Frames first: they need no frame rate, and their overlap is exact.
  shared = [
    unit
    for unit in ('frames', 'seconds')
    if unit in truths.units and unit in events.units
  ]
  unit = shared[0] if shared else 'frames'
  read = [
    [
      (number, _interval(table, number, row, unit, fps))
      for number, row in table.rows
    ]
    for table in (truths, events)
  ]
  _refuse_doubled(truths.path, read[0])
  videos = [{one.video for _, one in rows} for rows in read]
  _check_videos(truths.path, videos[0], events.path, videos[1])
  return *_with_subjects(truths, events, *read), unit == 'frames'


def _check_videos(truth_path, truth_videos, event_path, event_videos):
  """Raises UserError if a program has dropped the zeros of a video's name.

  Its events would be those of a video of which no truth is known.
  """
  bare = {names.person_key(video): video for video in truth_videos}
  renamed = {
    video: bare[names.person_key(video)]
    for video in sorted(event_videos - truth_videos)
    if names.person_key(video) in bare
  }
  if renamed:
    here, there = next(iter(renamed.items()))
    raise errors.UserError(
      f'{event_path}: video {escape.terminal(here)} is '
      f'{escape.terminal(there)} in {truth_path}: use the same names '
      '(spreadsheets turn 01 into 1)'
    )


def _refuse_doubled(path, rows):
  """Raises UserError if a truth is there twice: no event can find it twice."""
  seen: dict[spotting.Interval, int] = {}
  for number, one in rows:
    if seen.setdefault(one, number) != number:
      raise errors.UserError(
        f'{path}: row {number}: the same as row {seen[one]}; remove one'
      )


def _interval(table, number, row, unit, fps):
  place = f'{table.path}: row {number}'
  rate = fps
  if row.get('fps'):
    rate = _number(place, 'fps', row['fps'])
  if rate is not None and not 0 < rate < 1e5:
    raise errors.UserError(f'{place}: {rate:g} frames per second: above 0')
  ends = {}
  for name in table.units:
    suffix = ' frame' if name == 'frames' else ''
    keys = [f'{key}{suffix}' for key in ('onset', 'offset')]
    ends[name] = [_number(place, table.columns[key], row[key]) for key in keys]
  if 'frames' in ends and not all(x.is_integer() for x in ends['frames']):
    raise errors.UserError(f'{place}: a frame is a whole number')
  if 'frames' not in ends and unit == 'frames':
    if rate is None:
      raise errors.UserError(
        f'{table.path} is in seconds and the other table in frames: set --fps'
      )
    # Rounded, not cut: frame 7 at 30 per second is .2333 s in a file, which
    # times 30 is a little less than 7.
    ends['frames'] = [round(x * rate) for x in ends['seconds']]
  onset, offset = ends[unit]
  if offset < onset:
    raise errors.UserError(
      f'{place}: it ends at {offset:g}, before it begins at {onset:g}'
    )
  seconds = None
  if 'seconds' in ends:
    seconds = ends['seconds'][1] - ends['seconds'][0]
  elif rate is not None:
    seconds = (offset - onset) / rate
  label = names.label_key(row.get('label', ''))
  unsure = names.label_key(row.get('unsure', ''))
  return spotting.Interval(
    names.person_key(row.get('subject', '')),
    video_key(row['video']),
    onset,
    offset,
    _kind(place, row.get('kind', ''), seconds),
    '' if label in _UNSURE or unsure in ('true', '1') else label,
  )


def video_key(text: str) -> str:
  """The name of a video without folder and suffix, in one spelling."""
  name = pathlib.PurePosixPath(text.replace('\\', '/')).name
  stem, dot, suffix = name.rpartition('.')
  is_suffix = dot and 2 <= len(suffix) <= 5 and suffix.isalnum()
  # A dot before digits belongs to the name ('part 2.5'): no suffix is a number.
  is_suffix = is_suffix and not suffix.isdecimal()
  return names.key(stem if is_suffix and stem else name)


def _number(place, column, text):
  try:
    value = float(text)
    if math.isfinite(value) and 0 <= value < _MOST:
      return value
  except ValueError:
    pass
  cell = escape.terminal(text)
  raise errors.UserError(
    f'{place}: {column} is {cell!r}, not a number of at least 0'
  )


def _kind(place, text, seconds):
  """micro or macro, by its name or else by its duration; '' if unknown."""
  plain = names.key(text)
  # Abbreviations count as a whole: 'mes' is one, 'mean' is not.
  if plain in ('me', 'mes') or plain.startswith('micro'):
    return 'micro'
  if plain in ('mae', 'maes') or plain.startswith('macro'):
    return 'macro'
  if plain:
    cell = escape.terminal(text)
    raise errors.UserError(
      f'{place}: {cell!r} is neither micro (me) nor macro (mae)'
    )
  if seconds is None:
    return ''
  return spotting.kind(seconds)


def _with_subjects(truths, events, truth_rows, event_rows):
  """Both lists, each interval with a subject."""
  people: dict[str, set[str]] = {}
  for _, one in (*truth_rows, *event_rows):
    if one.subject:
      people.setdefault(one.video, set()).add(one.subject)

  def with_subject(table, rows):
    for number, one in rows:
      # A video without a known subject counts as a subject of its own, so that
      # intervals over subjects become intervals over videos.
      known = people.get(one.video, {one.video})
      if one.subject:
        yield one
      elif len(known) == 1:
        yield one._replace(subject=next(iter(known)))
      else:
        raise errors.UserError(
          f'{table.path}: row {number}: video {escape.terminal(one.video)} is '
          f'of {len(known)} subjects: add a column subject'
        )

  return (
    list(with_subject(truths, truth_rows)),
    list(with_subject(events, event_rows)),
  )
