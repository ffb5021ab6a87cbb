"""camera.png: the recall of each action unit over amplitude and duration."""

import textwrap
import typing

from mefnet_jax.predict.camera import study
from mefnet_jax.runs import figure_file

_COLOURS = ('#b3400a', '#0b62a4', '#1b7f4b')  # of the durations, short to long
_NUMBERS = (
  ('fps', 'frames a second', '{:.3g}'),
  ('eyes', 'px between the eyes', '{:.0f}'),
  ('quantiser', 'quantiser of H.264', '{:.0f}'),
  ('bits', 'bits a pixel', '{:.3f}'),
  ('noise', 'grey levels of noise', '{:.1f}'),
  ('blur', 'px of blur', '{:.1f}'),
  ('blockiness', 'blockiness', '{:.2f}'),
  ('flicker', 'flicker of the light', '{:.1%}'),
)


def png(name: str, content: dict[str, typing.Any]) -> bytes:
  """Draws the picture.

  Args:
    name: name of the video.
    content: the content of camera.json.
  """
  from matplotlib import figure

  plot = figure.Figure(figsize=(10, 4.6), dpi=130)
  plot.text(0.02, 0.94, f'Can this camera see it? {name}', weight='bold')
  line = textwrap.fill(content['verdict'], 150)
  plot.text(0.02, 0.915, line, fontsize=8, va='top')
  plot.text(0.02, 0.025, _numbers(content['measured']), fontsize=8)
  if content['recall']:
    panels = plot.subplots(1, len(study.ACTIONS), sharey=True)
    for axes, action in zip(panels, study.ACTIONS, strict=True):
      rows = [r for r in content['recall'] if r.get('action') == action]
      _panel(axes, action, rows)
    panels[0].set_ylabel('found, of SYNTHETIC faces')
    panels[-1].legend(frameon=False, fontsize=8, loc='lower right')
  plot.subplots_adjust(left=0.07, right=0.98, top=0.76, bottom=0.2, wspace=0.08)
  return figure_file.encoded(plot)


def _numbers(measured):
  """The measurements in one line."""
  parts = [
    f'{form.format(measured[key])} {words}'
    for key, words, form in _NUMBERS
    if measured[key] is not None
  ]
  return 'measured: ' + ', '.join(parts)


def _panel(axes, action, rows):
  """One action unit: a curve and its 95 % band for each duration."""
  durations = sorted({row['duration'] for row in rows})
  for colour, long in zip(_COLOURS, durations, strict=True):
    own = [row for row in rows if row['duration'] == long]
    far = [row['amplitude'] for row in own]
    low, high = ([row[key] for row in own] for key in ('low', 'high'))
    axes.fill_between(far, low, high, color=colour, alpha=0.15, lw=0)
    value = [row['value'] for row in own]
    axes.plot(far, value, 'o-', color=colour, ms=3, label=f'{long:g} s')
  axes.set_xscale('log')
  axes.set_xticks(far, [f'{x:g}' for x in far])
  axes.minorticks_off()
  axes.set_ylim(0, 1)
  axes.set_title(f'{action}: {study.ACTIONS[action][1]}', fontsize=9)
  axes.set_xlabel('amplitude, px', fontsize=8)
  axes.tick_params(labelsize=8)
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
