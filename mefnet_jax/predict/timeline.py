"""A figure of one video: frames above, the signal and the events below."""

import pathlib
import typing
from collections.abc import Sequence

import numpy as np

from mefnet_jax.predict import event, thresholds, thumbnails
from mefnet_jax.runs import figure_file, files, fonts

if typing.TYPE_CHECKING:
  from matplotlib.axes import Axes

_WIDTH, _SHOWN = 11.0, 8  # inches; pictures at most
_MOST_FACES = 6
_SLATE, _RULE = '#3d4a57', '#d5dbe1'
_COLOURS = ('#c2452d', '#2b7a78', '#c78a1b', '#5b5ea6', '#8a8f98')
_UNSURE = '#9aa3ad'
# The lines through the 68 points, as they are numbered by iBUG.
LINES = (
  *(range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)),
  *([*range(36, 42), 36], [*range(42, 48), 42], [*range(48, 60), 48]),
)


def draw(
  path: pathlib.Path,
  *,
  title: str,
  duration: float,
  signal: dict[int, np.ndarray],
  pictures: Sequence[thumbnails.Picture],
  events: Sequence[event.Event],
  classes: Sequence[str],
  limits: thresholds.Thresholds = thresholds.CHOSEN,
) -> None:
  """Draws the timeline of a video as PNG.

  Args:
    path: the file to write.
    title: the line above it.
    duration: length of the video in seconds.
    signal: result of `thumbnails.Signal.of_faces`.
    pictures: frames of the video.
    events: all events.
    classes: names of the classes, in the order of their colours.
    limits: motion below its `amplitude` is drawn grey.

  Raises:
    OSError: the file cannot be written.
  """
  from matplotlib import figure

  shown = sorted(signal)[:_MOST_FACES]
  colours = colours_of(classes)
  height = 1.9 + 1.25 * max(1, len(shown))
  with fonts.legible([title, *classes]) as (texts, _):
    made = figure.Figure(figsize=(_WIDTH, height))
    made.subplots_adjust(0.045, 0.48 / height, 0.985, 1 - 0.35 / height)
    rows = made.subplots(
      1 + max(1, len(shown)),
      squeeze=False,
      gridspec_kw={'height_ratios': [1.35] + [1] * max(1, len(shown))},
    )[:, 0]
    made.suptitle(texts[0], x=0.01, ha='left', fontsize=11, color=_SLATE)
    _frames(rows[0], _chosen(pictures), duration)
    for axes, face in zip(rows[1:], shown, strict=False):
      own = [one for one in events if one.face == face]
      _signal(axes, signal[face], limits.amplitude)
      _events(axes, own, colours)
      axes.set_ylabel(f'face {face}', fontsize=9, color=_SLATE)
      _frame(axes, duration)
    if not shown:
      rows[1].text(0.5, 0.5, 'no face found', ha='center', color=_SLATE)
      _frame(rows[1], duration)
    rows[-1].set_xlabel('seconds', fontsize=9, color=_SLATE)
    _legend(made, dict(zip(texts[1:], colours.values(), strict=True)), events)
    drawn = figure_file.encoded(made, dpi=130, facecolor='white')
  files.write(path, drawn)


def colours_of(classes: Sequence[str]) -> dict[str, str]:
  """'#rrggbb' of each class."""
  return dict(zip(classes, _COLOURS * (1 + len(classes)), strict=False))


def _chosen(pictures):
  """At most `_SHOWN` of them, evenly."""
  count = min(_SHOWN, len(pictures))
  index = np.linspace(0, len(pictures) - 1, count).round().astype(int)
  return [pictures[i] for i in index]


def _frames(axes: 'Axes', pictures, duration):
  """A row of frames: outlines of faces, over the frame if it is kept."""
  axes.set_axis_off()
  axes.set_xlim(0, _SHOWN)
  axes.set_ylim(0, 1)
  for k, picture in enumerate(pictures):
    part = axes.inset_axes((k / _SHOWN + 0.004, 0.0, 0.117, 0.84))
    height, width = picture.size
    if picture.image is not None:
      part.imshow(picture.image, cmap='gray', extent=(0, width, height, 0))
    colour = '#f2c14e' if picture.image is not None else _SLATE
    for number, points in picture.outlines:
      for line in LINES:
        part.plot(*points[list(line)].T, color=colour, linewidth=0.7)
      x, y = points.min(0)
      part.text(x, y - 0.1 * height, str(number), fontsize=7, color=colour)
    part.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    part.set_aspect('equal')
    part.set_title(f'{picture.time:.1f} s', fontsize=7.5, color=_SLATE, pad=2)
    for spine in part.spines.values():
      spine.set_color(_RULE)


def _signal(axes, signal, floor):
  """The probability of an expression, grey where nothing moves enough."""
  time, score, motion = signal.T
  # NaN leaves gaps: where too little moves for an event, grey shows through.
  moving = np.where(motion >= floor, score, np.nan)
  axes.fill_between(time, 0, score, color=_RULE, linewidth=0, step='mid')
  axes.fill_between(time, 0, moving, color=_SLATE, linewidth=0, step='mid')


def _events(axes, events, colours):
  """Bars above the signal, from onset to offset, a tick at the apex."""
  for one in events:
    colour = _UNSURE if one.unsure else colours.get(one.label, _UNSURE)
    # An event of one frame has no length, and would not be seen.
    width = max(one.offset - one.onset, 1e-3)
    axes.broken_barh([(one.onset, width)], (1.06, 0.2), color=colour)
    axes.axvspan(one.onset, one.offset, color=colour, alpha=0.16, linewidth=0)
    axes.plot([one.apex] * 2, [1.06, 1.26], color='white', linewidth=1)
    if one.kind == 'micro':
      axes.plot(one.apex, 1.36, marker='v', color=colour, markersize=4)


def _frame(axes, duration):
  axes.set(xlim=(0, max(duration, 1e-3)), ylim=(0, 1.45), yticks=[0, 1])
  axes.tick_params(labelsize=8, colors=_SLATE, length=2)
  for name, spine in axes.spines.items():
    spine.set_visible(name in ('left', 'bottom'))
    spine.set_color(_RULE)


def _legend(made, colours, events):
  from matplotlib import lines, patches

  marks: list[typing.Any] = [
    patches.Patch(color=c, label=name) for name, c in colours.items()
  ]
  if any(one.unsure for one in events):
    marks.append(patches.Patch(color=_UNSURE, label='unsure'))
  marks.append(patches.Patch(color=_SLATE, label='expression signal'))
  marks.append(
    lines.Line2D(
      [], [], color=_SLATE, marker='v', linewidth=0, markersize=4, label='micro'
    )
  )
  made.legend(
    handles=marks,
    loc='upper right',
    ncols=len(marks),
    fontsize=8,
    frameon=False,
    labelcolor=_SLATE,
  )
