"""The figures of a run: scores, confusion matrix, curves and subjects."""

import textwrap

import numpy as np

from mefnet_jax.evaluation import metrics, results
from mefnet_jax.runs import figure_file, fonts

_BLUE, _ORANGE, _GREY = '#0b62a4', '#b3400a', '#5b6570'
_LETTERS = 36  # of class names that fit side by side below a confusion matrix
_STYLE = {
  'font.size': 10,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.titlelocation': 'left',
  'axes.titlesize': 11,
  'figure.dpi': 150,
  # The same run gives the same bytes, and text in an SVG stays text.
  'svg.hashsalt': 'mefnet_jax',
  'svg.fonttype': 'none',
}


def draw(result: results.Result, summary: dict) -> dict[str, bytes]:
  """Draws the figures of a run; returns PNGs and SVGs by file name.

  Titles carry the notices SYNTHETIC, LEAKY and SHUFFLED LABELS that apply, and
  a line below each figure gives the reasons. Curves are drawn only if the run
  has a history.

  Args:
    result: the run's result.
    summary: the return value of `summaries.summary(result)`.
  """
  import matplotlib

  files = {}
  with (
    fonts.legible(summary) as (summary, note),
    matplotlib.rc_context(_STYLE),
  ):
    for name, plot in _plots(result).items():
      figure = _framed(plot, summary, note)
      for suffix in ('png', 'svg'):
        files[f'{name}.{suffix}'] = _encoded(figure, suffix, summary)
  return files


def _plots(result):
  plots = {
    'scores': _scores,
    'confusion': _confusion,
    'subjects': _subjects,
    'calibration': _calibration,
  }
  if result.history:
    plots['curves'] = lambda figure, summary: _curves(figure, result)
  return plots


def _framed(plot, summary, note):
  """A figure with the run in its title and the notices below."""
  from matplotlib import figure as figures  # not pyplot: it keeps all figures

  figure = figures.Figure(figsize=(6.4, 4.8), layout='constrained')
  figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
  words = ' · '.join(summary['notices'])
  run = '{model} on {dataset}, {protocol}'.format(**summary)
  figure.suptitle(
    f'{words}\n{run}' if words else run,
    x=0.02,
    ha='left',
    fontweight='bold',
    color=_ORANGE if words else 'black',
  )
  plot(figure, summary)
  why = [f'{word}: {why}.' for word, why in summary['notices'].items()]
  if note:
    why.append(f'{note}.')
  if why:
    lines = '\n'.join(textwrap.fill(line, 96) for line in why)
    figure.supxlabel(lines, x=0.02, ha='left', fontsize=7.5, color=_ORANGE)
  return figure


def _encoded(figure, suffix: str, summary) -> bytes:
  # The notices stay with an image even if it is copied out of its report.
  title = '; '.join([*summary['notices'], summary['verdict']])
  return figure_file.encoded(figure, suffix, metadata={'Title': title})


def _scores(figure, summary):
  """Scores with their intervals, and those of the majority class."""
  axes = figure.add_subplot()
  names = list(metrics.NAMES)[::-1]
  for y, name in enumerate(names):
    bounds = summary['intervals'][name]
    if bounds:
      axes.plot(bounds, [y, y], color=_BLUE, lw=5, alpha=0.35)
  measured, majority = (
    [summary[key][name] for name in names] for key in ('metrics', 'majority')
  )
  rows = range(len(names))
  axes.plot(measured, rows, 'o', color=_BLUE, label='measured, 95 % interval')
  axes.plot(
    majority, rows, '|', color=_ORANGE, ms=14, mew=2, label='majority class'
  )
  axes.set(xlim=(0, 1), yticks=rows, title='Scores')
  axes.set_yticklabels([metrics.title(name) for name in names])
  _legend(axes)
  axes.grid(axis='x', alpha=0.3)


def _confusion(figure, summary):
  """Numbers of clips, coloured by their share of the true class."""
  axes = figure.add_subplot()
  counts_CC = np.array(summary['confusion'])
  share_CC = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
  image = axes.imshow(share_CC, cmap='Blues', vmin=0, vmax=1)
  figure.colorbar(image, label='share of the true class')
  for (row, column), count in np.ndenumerate(counts_CC):
    dark = share_CC[row, column] > 0.65
    axes.text(
      column,
      row,
      f'{count}\n{share_CC[row, column]:.0%}',
      ha='center',
      va='center',
      color='white' if dark else 'black',
    )
  names, ticks = summary['classes'], range(len(counts_CC))
  axes.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
  if max(map(len, names)) * len(names) > _LETTERS:
    axes.tick_params(axis='x', rotation=30)
    for tick in axes.get_xticklabels():
      tick.set(ha='right', rotation_mode='anchor')
  axes.set(xlabel='predicted', ylabel='true', title='Confusion matrix, clips')
  axes.spines[:].set_visible(False)


def _subjects(figure, summary):
  """Accuracy of each person; the area of a dot is the number of clips."""
  axes = figure.add_subplot()
  people = summary['per_subject']
  clips = np.array([person['clips'] for person in people])
  accuracy = [person['accuracy'] for person in people]
  area = 400 * clips / clips.max()  # matplotlib's size is an area
  axes.scatter(range(len(people)), accuracy, s=area, color=_BLUE, clip_on=False)
  for y, style, name in (
    (summary['metrics']['accuracy'], '-', 'all clips'),
    (summary['baseline']['majority_accuracy'], '--', 'majority class'),
  ):
    axes.axhline(y, color=_GREY, ls=style, lw=1, label=name, zorder=0)
  axes.set_xticks(range(len(people)), [x['subject'] for x in people])
  axes.tick_params(axis='x', rotation=90, labelsize=8)
  axes.set(ylim=(-0.05, 1.05), ylabel='accuracy')
  axes.set_title('Subjects; area: clips')
  _legend(axes)


def _calibration(figure, summary):
  """Accuracy over confidence; the area of a dot is the number of clips."""
  axes = figure.add_subplot()
  bins = summary['calibration']['bins']
  clips = np.array([x['clips'] for x in bins])
  x, y = ([row[key] for row in bins] for key in ('confidence', 'accuracy'))
  axes.plot((0, 1), (0, 1), color=_GREY, ls='--', lw=1, zorder=0)
  area = 400 * clips / clips.max()
  axes.scatter(x, y, s=area, color=_BLUE, clip_on=False)
  axes.set(xlim=(0, 1.05), ylim=(-0.05, 1.05))
  axes.set(xlabel='confidence', ylabel='accuracy')
  ece = summary['calibration']['ece']
  axes.set_title(f'Calibration; area: clips; ECE {ece:.3f}')


def _curves(figure, result):
  """Loss and accuracy over the epochs: mean and range over the folds."""
  held_out = results.held_out_legend(result.selection)
  both = figure.subplots(1, 2)
  for axes, key in zip(both, ('loss', 'accuracy'), strict=True):
    for split, name, color, style in (
      ('train', 'training', _BLUE, '-'),
      ('held-out', held_out, _ORANGE, '--'),
    ):
      rows = results.curve(result.history, split, key)
      if not len(rows):
        continue
      epoch, mean, low, high = rows.T
      axes.plot(epoch, mean, color=color, ls=style, label=name)
      axes.fill_between(epoch, low, high, color=color, alpha=0.15, lw=0)
    axes.set(xlabel='epoch', title=f'{key}, mean and range')
    axes.set_ylim(0, 1 if key == 'accuracy' else None)
    if axes.lines:
      axes.legend(fontsize=8)


def _legend(axes):
  """Puts the legend above the axes on the right, where it covers nothing."""
  axes.legend(
    loc='lower right',
    bbox_to_anchor=(1, 1),
    ncols=2,
    fontsize=8,
    frameon=False,
    borderpad=0,
    borderaxespad=0.4,
  )
