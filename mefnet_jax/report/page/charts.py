"""Charts as inline SVG, coloured by the page's style sheet.

Sizes are in units of the view box, which the page scales to its column.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mefnet_jax.evaluation import results
from mefnet_jax.report.page import markup

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 10, 36


def curves(history: Sequence[Mapping[str, Any]], key: str) -> str:
  """Draws the loss or the accuracy over the epochs.

  A line shows the mean over folds and seeds, a band their range; training is
  solid, held-out dashed.

  Args:
    history: the rows of metrics.jsonl.
    key: loss or accuracy.

  Returns:
    An SVG element; '' if the history has no such value.
  """
  found = {
    kind: results.curve(history, split, key)
    for kind, split in (('train', 'train'), ('held', 'held-out'))
  }
  found = {kind: rows for kind, rows in found.items() if len(rows)}
  if not found:
    return ''
  rows = np.concatenate(list(found.values()))
  # Accuracies share one scale, so that two pages can be compared by eye.
  highest = 1.0 if key == 'accuracy' else rows[:, 1:].max()
  ticks = _ticks(highest)
  place = _placer(rows[:, 0], ticks[-1])
  label = markup.text(_spoken(found, key))
  drawn = ''.join(_series(kind, x, place) for kind, x in found.items())
  return (
    f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
    f'{_axes(rows[:, 0], ticks, place)}{drawn}</svg>'
  )


def reliability(bins: list[dict[str, Any]]) -> str:
  """Draws the accuracy over the confidence, a reliability diagram.

  Each bin is a dot that grows with its number of clips; perfectly calibrated
  probabilities lie on the diagonal.

  Args:
    bins: of `metrics.calibration`.

  Returns:
    An SVG element; '' if there are no bins.
  """
  if not bins:
    return ''
  place = _placer(np.array([0.0, 1.0]), 1.0)
  most = max(x['clips'] for x in bins)
  dots = ''
  for x in bins:
    across, down = place(x['confidence'], x['accuracy'])
    # The area shows the number; at least 3, so that a single clip is seen.
    radius = 3 + 9 * math.sqrt(x['clips'] / most)
    dots += f'<circle class="mark" cx="{across}" cy="{down}" r="{radius:.1f}"/>'
  spoken = '; '.join(
    f'{x["clips"]} clips of confidence {x["confidence"]:.2f}: accuracy '
    f'{x["accuracy"]:.2f}'
    for x in bins
  )
  line = _points([place(0, 0), place(1, 1)])
  axes = _axes(np.array([0.0, 1.0]), [0, 0.25, 0.5, 0.75, 1.0], place)
  return (
    f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
    f'aria-label="{markup.text(f"Reliability plot: {spoken}.")}">'
    f'{axes.replace(">epoch<", ">confidence<")}'
    f'<polyline class="ideal line" points="{line}"/>{dots}</svg>'
  )


def _ticks(highest: float) -> list[float]:
  """At least four round numbers from 0 to at least the highest value."""
  if highest <= 0:
    return [0.0, 1.0]
  # Steps of 1, 2, 2.5 or 5 times a power of ten are the ones that people read.
  power = 10 ** math.floor(math.log10(highest / 4))
  step = next(s for s in (1, 2, 2.5, 5, 10) if s * power * 5 >= highest)
  count = math.ceil(highest / (step * power) - 1e-9)
  return [i * step * power for i in range(count + 1)]


def _placer(epochs, top: float):
  """A function from (epoch, value) to a point (x, y) of the view box."""
  first, last = epochs.min(), epochs.max()
  wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

  def place(epoch: float, value: float) -> tuple[float, float]:
    x = _LEFT + wide * (epoch - first) / max(last - first, 1)
    return round(x, 1), round(_TOP + high * (1 - value / top), 1)

  return place


def _axes(epochs, ticks, place) -> str:
  """Grid lines with their values, and the first and the last epoch."""
  parts = []
  for tick in ticks:
    y = place(epochs.min(), tick)[1]
    parts.append(
      f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
      f'y1="{y}" y2="{y}"/>'
      f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:.3g}</text>'
    )
  for epoch in sorted({epochs.min(), epochs.max()}):
    x = place(epoch, 0)[0]
    anchor = 'start' if epoch == epochs.min() else 'end'
    parts.append(
      f'<text x="{x}" y="{_HEIGHT - 20}" text-anchor="{anchor}">'
      f'{epoch:.0f}</text>'
    )
  middle = (_LEFT + _WIDTH - _RIGHT) / 2
  parts.append(
    f'<text x="{middle}" y="{_HEIGHT - 20}" text-anchor="middle">epoch</text>'
  )
  return ''.join(parts)


def _series(kind: str, rows, place) -> str:
  """The band and the line of one split."""
  band = [place(row[0], row[2]) for row in rows]
  band += [place(row[0], row[3]) for row in rows[::-1]]
  line = [place(row[0], row[1]) for row in rows]
  return (
    f'<polygon class="{kind} band" points="{_points(band)}"/>'
    f'<polyline class="{kind} line" points="{_points(line)}"/>'
  )


def _points(places) -> str:
  return ' '.join(f'{x:g},{y:g}' for x, y in places)


def _spoken(found, key: str) -> str:
  """A description of the chart for screen readers."""
  names = {'train': 'training', 'held': 'held-out'}
  parts = [
    f'{names[kind]} {key} goes from {rows[0, 1]:.3g} in epoch '
    f'{rows[0, 0]:.0f} to {rows[-1, 1]:.3g} in epoch {rows[-1, 0]:.0f}'
    for kind, rows in found.items()
  ]
  return 'Line chart: ' + '; '.join(parts) + '.'
