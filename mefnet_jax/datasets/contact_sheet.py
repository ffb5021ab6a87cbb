"""Contact sheets of prepared clips, to look at before training.

There is one sheet for each clip: the frames as they were read, with landmarks
and crops drawn in; the registered face, eyes and mouth over time, below each
its amplified difference from the onset frame; and the flow as colours.
"""

import collections
import itertools
import os
import pathlib

import cv2
import numpy as np

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import (
  clip_records,
  clips,
  flow,
  maps,
  motion_clips,
  options,
)
from mefnet_jax.runs import errors, files, findings, progress_lines

_CELL, _COLUMNS, _LEFT = 128, 7, 110
_INK, _PAPER = (30, 30, 30), 255
_CROPS = {'face': (60, 140, 220), 'eyes': (40, 160, 60), 'mouth': (220, 90, 40)}
_POINTS = (235, 60, 160)
_MOST_GAIN = 16  # of a difference: a still clip must not show only noise
_FLOW_FULL = 0.02  # displacement in full colour, as a share of the face's side


def write(
  release: clip_records.Release,
  how: 'clips.Options | maps.Options | motion_clips.Options',
  folder: str | os.PathLike,
  *,
  count: int = 6,
  show_faces: bool = False,
) -> list[pathlib.Path]:
  """Writes one PNG for each of some clips: classes in turn, of many subjects.

  Args:
    release: the release, as read.
    how: the options of the preparation.
    folder: created if it is missing; sheets of the same name are replaced.
    count: how many clips at most.
    show_faces: as for `may_show`.

  Returns:
    The files.

  Raises:
    errors.UserError: as `may_show`; an option that no preparation has, a
      folder that cannot be written.
  """
  may_show(release, show_faces)
  how.check()
  folder = pathlib.Path(folder)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    sample = _sample(release.rows, count)
    names = files.flat_names(row.clip for row in sample)
    return [
      _save(folder / f'{names[row.clip]}.png', _sheet(row, how, release))
      for row in progress_lines.over(sample, 'Drawing clips', len(sample))
    ]
  except OSError as error:
    raise errors.UserError(
      f'{folder}: the preview cannot be written ({error.strerror or error}): '
      + files.remedy(error, folder, 'name another folder')
    ) from None


def may_show(release: clip_records.Release, show_faces: bool) -> None:
  """Raises errors.UserError for faces of real people without show_faces."""
  if not (
    show_faces or release.synthetic or registry.DATASETS[release.name].maps
  ):
    raise errors.UserError(
      f'{release.root}: a preview shows the faces of real people: add '
      '--show-faces, and keep the sheets as their consent, or the licence of '
      'the release, asks'
    )


def _sample(all_rows, count):
  """Clips of the classes in turn, each of the subject with fewest so far."""
  left = collections.defaultdict(list)
  for row in sorted(all_rows, key=lambda row: row.clip):
    left[row.label].append(row)
  shown: collections.Counter = collections.Counter()
  chosen = []
  for label in itertools.cycle(sorted(left)):
    if len(chosen) == min(count, len(all_rows)):
      return chosen
    if left[label]:
      row = min(left[label], key=lambda row: shown[row.subject])
      left[label].remove(row)
      shown[row.subject] += 1
      chosen.append(row)


def _sheet(row, how, release):
  """The sheet of one clip, (H, W, 3) red green blue."""
  stamp = 'SYNTHETIC  ' if release.synthetic else ''
  title = (
    f'{stamp}{row.clip}   {release.classes[row.label]}   {row.subject}   '
    f'frames {row.numbers[0]}..{row.numbers[-1]}'
  )
  prepared = clips.prepare(row, how)
  # A clip that cannot be prepared has a sheet, too: with the reason.
  if prepared.streams is None:
    return _stack([_line(title), _line(_last_word(prepared))])
  lines = [_line(title)]
  lines += [_line(f'repaired: {f.what}') for f in prepared.findings[:3]]
  if isinstance(how, maps.Options | motion_clips.Options):
    return _stack([*lines, *_map_strips(prepared.streams)])
  aligned = clips.align(row, how, [])
  strips = [_strip('as read', _marked(aligned, how))]
  for name, clip in prepared.streams.items():
    strips.append(_strip(name.replace('_', ' '), _pictures(name, clip)))
    if name in options.CROPS:
      strips.append(_strip(*_difference(clip)))
  if 'flow' in prepared.streams:
    what = (
      f'flow: hue is its direction, full colour {_FLOW_FULL:.0%} of the face'
    )
    lines.append(_line(what))
  return _stack([*lines, *strips])


def _last_word(prepared):
  return f'{findings.LEFT_OUT}: {prepared.findings[-1].what}'


def _map_strips(streams):
  """The map's channels and its halves."""
  # Each on its own: as one picture, strain would be the blue of both flows.
  channels = [np.repeat(streams['face'][0, :, :, [c]], 3, 0) for c in range(3)]
  channels = [np.moveaxis(c, 0, -1) for c in channels]
  return [
    _strip('u, v, strain', channels),
    *(_strip(name, [clip[0]]) for name, clip in streams.items()),
  ]


def _marked(aligned, how):
  """Frames over the clip, with landmarks and crops where they lie."""
  pictures = []
  for i in _picks(len(aligned.frames)):
    frame = aligned.frames[i]
    if frame.ndim == 2:
      frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    frame = frame.copy()
    thick = max(1, round(max(frame.shape[:2]) / 200))
    for name in options.CROPS:
      size = getattr(how, name)
      # The corners of pixels, whose centres have whole numbers.
      ends = np.array([[0, 0], [size, 0], [size, size], [0, size]]) - 0.5
      corners = _through(aligned.region(name, size), ends)
      corners = _through(aligned.matrices[i], corners)
      outline = [np.rint(corners).astype(np.int32)]
      cv2.polylines(frame, outline, True, _CROPS[name], thick)
    if aligned.landmarks is not None:
      points = _through(aligned.matrices[i], aligned.landmarks.points)
      for x, y in np.rint(points).astype(int):
        cv2.circle(frame, (int(x), int(y)), thick, _POINTS, -1)
    pictures.append(frame)
  return pictures


def _through(matrix, points):
  """Applies a (2, 3) matrix to points (n, 2)."""
  return points @ matrix[:, :2].T + matrix[:, 2]


def _pictures(name, clip):
  """Some frames of a stream as pictures (S, S, 3)."""
  chosen = clip[_picks(len(clip))]
  if name in options.FLOWS.values():
    moved, _ = flow.decode(chosen)
    return [flow.colours(one, _FLOW_FULL) for one in moved]
  return [
    np.repeat(one, 3, -1) if one.shape[-1] == 1 else one for one in chosen
  ]


def _difference(clip):
  """The change since the onset, grey where there is none, and its gain."""
  change = clip.astype(np.float32) - clip[:1]
  gain = min(_MOST_GAIN, 127 / max(np.percentile(np.abs(change), 99.8), 1))
  amplified = np.clip(128 + gain * change, 0, 255).astype(np.uint8)
  return f'change x{gain:.0f}', _pictures('', amplified)


def _picks(count):
  """Indices of frames that are spread evenly over a clip."""
  return np.unique(np.linspace(0, count - 1, _COLUMNS).round().astype(int))


def _strip(name, pictures):
  """Pictures in a row, their name before them."""
  strip = np.full((_CELL + 6, _width(), 3), _PAPER, np.uint8)
  _write(strip, name, 4, _CELL // 2)
  for i, picture in enumerate(pictures):
    height, width = picture.shape[:2]
    scale = _CELL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Enlarged pixels stay squares: a 28 x 28 map should look like one.
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    small = cv2.resize(picture, size, interpolation=how)
    left = _LEFT + i * (_CELL + 6)
    strip[3 : 3 + size[1], left : left + size[0]] = small
  return strip


def _line(text):
  line = np.full((24, _width(), 3), _PAPER, np.uint8)
  _write(line, text, 4, 17)
  return line


def _write(picture, text, x, y):
  # OpenCV's font has ASCII alone, and draws question marks for the rest.
  plain = text.encode('ascii', 'backslashreplace').decode()[:130]
  font = cv2.FONT_HERSHEY_SIMPLEX
  cv2.putText(picture, plain, (x, y), font, 0.45, _INK, 1, cv2.LINE_AA)


def _width():
  return _LEFT + _COLUMNS * (_CELL + 6)


def _stack(parts):
  return np.concatenate(parts)


def _save(path, picture):
  _, data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
  files.write(path, data.tobytes())
  return path
