"""The table, the heat maps and the Pareto plot of the kernel sizes."""

import csv
import io
import os
import pathlib

import numpy as np

_BLUE, _ORANGE = '#0b62a4', '#b3400a'
_SCORES = ('accuracy', 'uf1', 'uar')


def write(out: pathlib.Path, rows: list[dict]):
  """kernel_size.csv, .md, heat_map.png and pareto.png, each renamed whole."""
  file = io.StringIO()
  writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  for name, data in {
    'kernel_size.csv': file.getvalue().encode(),
    'kernel_size.md': (table(rows) + '\n').encode(),
    'heat_map.png': heat_map(rows),
    'pareto.png': pareto(rows),
  }.items():
    (out / f'.{name}').write_bytes(data)
    os.replace(out / f'.{name}', out / name)


def table(rows: list[dict]) -> str:
  """The rows as a Markdown table."""
  head = (
    'network',
    'T',
    'kernel',
    *_SCORES,
    'parameters',
    'MFLOP a clip',
    'seconds',
  )
  lines = [_title(rows), '', '| ' + ' | '.join(head) + ' |']
  lines.append('|' + '---|' * len(head))
  for row in rows:
    cells = [
      f'{row["model"]} {row["convolution"]}',
      str(row['frames']),
      f'{row["temporal"]}x{row["spatial"]}x{row["spatial"]}',
      *(_score(row, key) for key in _SCORES),
      f'{row["parameters"]:,}',
      f'{row["flops"] / 1e6:.1f}',
      f'{row["seconds"]:.1f}',
    ]
    lines.append('| ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def heat_map(rows: list[dict]) -> bytes:
  """UAR over spatial and temporal size, a panel a network and T."""
  from matplotlib import figure as figures

  kinds = list(dict.fromkeys(map(_kind, rows)))
  columns = min(4, len(kinds))
  lines = -(-len(kinds) // columns)
  figure = figures.Figure(
    figsize=(max(9, 1.5 + 3.4 * columns), 0.8 + 2.6 * lines),
    dpi=120,
    layout='constrained',
  )
  panels = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
  temporal = sorted({row['temporal'] for row in rows})
  spatial = sorted({row['spatial'] for row in rows})
  for axes, kind in zip(panels, kinds, strict=False):
    grid = np.full((len(spatial), len(temporal)), np.nan)
    for row in rows:
      if _kind(row) == kind:
        at = spatial.index(row['spatial']), temporal.index(row['temporal'])
        grid[at] = row['uar']
    image = axes.imshow(
      grid, origin='lower', aspect='auto', cmap='viridis', vmin=0.2, vmax=1
    )
    for (i, j), value in np.ndenumerate(grid):
      if np.isfinite(value):
        colour = 'white' if value < 0.65 else 'black'
        axes.text(
          j,
          i,
          f'{value:.2f}',
          ha='center',
          va='center',
          color=colour,
          fontsize=8,
        )
    axes.set_xticks(range(len(temporal)), temporal)
    axes.set_yticks(range(len(spatial)), spatial)
    axes.set(xlabel='frames', ylabel='rows, columns')
    axes.set_title(kind, loc='left', fontsize=9)
  for axes in panels[len(kinds) :]:
    axes.set_axis_off()
  figure.colorbar(image, ax=list(panels), label='UAR', shrink=0.8)
  return _encoded(figure, rows)


def pareto(rows: list[dict]) -> bytes:
  """UAR over operations and over parameters; the front drawn through."""
  from matplotlib import figure as figures

  figure = figures.Figure(figsize=(10, 4.2), dpi=120, layout='constrained')
  both = figure.subplots(1, 2, sharey=True)
  for axes, key, label in zip(
    both,
    ('flops', 'parameters'),
    ('FLOPs a clip', 'parameters'),
    strict=True,
  ):
    for kind, colour, mark in zip(
      dict.fromkeys(f'{r["model"]} {r["convolution"]}' for r in rows),
      (_BLUE, '#6aa9d8', _ORANGE, '#e0a080'),
      'os^v',
      strict=False,
    ):
      own = [r for r in rows if f'{r["model"]} {r["convolution"]}' == kind]
      for row in own:
        bounds = row['uar_low'], row['uar_high']
        if None not in bounds:
          axes.plot([row[key]] * 2, bounds, color=colour, alpha=0.2, lw=2)
      axes.plot(
        [r[key] for r in own],
        [r['uar'] for r in own],
        mark,
        color=colour,
        label=kind,
        ms=5,
      )
    best = front(rows, key)
    axes.plot(
      [r[key] for r in best],
      [r['uar'] for r in best],
      '-',
      color='black',
      lw=1,
      label='Pareto front',
    )
    for row in best:
      name = f'{row["temporal"]}x{row["spatial"]}x{row["spatial"]}'
      axes.annotate(
        name,
        (row[key], row['uar']),
        fontsize=7,
        xytext=(3, 4),
        textcoords='offset points',
      )
    axes.axhline(1 / 3, color='#5b6570', lw=1, ls='--')
    axes.set(xscale='log', xlabel=label)
    axes.tick_params(axis='x', which='minor', labelsize=6)
    axes.grid(alpha=0.3)
  both[0].set_ylabel('UAR, 95 % over people')
  both[1].legend(fontsize=7)
  return _encoded(figure, rows)


def front(rows: list[dict], key: str) -> list[dict]:
  """The rows than which none is both cheaper (in `key`) and better (UAR)."""
  made = []
  for row in sorted(rows, key=lambda r: (r[key], -r['uar'])):
    if not made or row['uar'] > made[-1]['uar']:
      made.append(row)
  return made


def _title(rows):
  row = rows[0]
  kind = 'SYNTHETIC' if row['release'] == 'synthetic' else 'real release'
  return (
    f'{kind}, {row["protocol"]}, whole subjects held out, {row["seeds"]} '
    f'seed(s), {len(rows)} cells; intervals 95 % over people'
  )


def _kind(row):
  return f'{row["model"]} {row["convolution"]}, T = {row["frames"]}'


def _score(row, key):
  low, high = row[f'{key}_low'], row[f'{key}_high']
  if low is None:
    return f'{row[key]:.3f}'
  return f'{row[key]:.3f} [{low:.3f}, {high:.3f}]'


def _encoded(figure, rows):
  figure.suptitle(_title(rows), x=0.01, ha='left', fontsize=10, color=_ORANGE)
  file = io.BytesIO()
  figure.savefig(file, format='png', metadata={'Software': None})
  return file.getvalue()
