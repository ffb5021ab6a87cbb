"""The table, the heat maps and the Pareto plot of the kernel sizes."""

import pathlib

import numpy as np

from mefnet_jax.runs import figure_file, files

_BLUE, _ORANGE = '#0b62a4', '#b3400a'
_MARKS = {
  'MECNN 3D': (_BLUE, 'o'),
  'MECNN (2+1)D': ('#6aa9d8', 's'),
  'MFCNN 3D': (_ORANGE, '^'),
  'MFCNN (2+1)D': ('#e0a080', 'v'),
}
_SCORES = ('accuracy', 'uf1', 'uar')


def write(out: pathlib.Path, rows: list[dict]):
  """Writes kernel_size.csv, .md, kernel_uar.md, heat_map.png and pareto.png."""
  names = list(rows[0])
  cells = ([row[name] for name in names] for row in rows)
  for name, data in {
    'kernel_size.csv': files.to_csv(names, cells).encode(),
    'kernel_size.md': (table(rows) + '\n').encode(),
    'kernel_uar.md': (uar_table(rows) + '\n').encode(),
    'heat_map.png': heat_map(rows),
    'pareto.png': pareto(rows),
  }.items():
    files.write(out / name, data)


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
      _network(row),
      str(row['frames']),
      _kernel(row),
      *(_score(row, key) for key in _SCORES),
      f'{row["parameters"]:,}',
      f'{row["flops"] / 1e6:.1f}',
      f'{row["seconds"]:.1f}',
    ]
    lines.append('| ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def uar_table(rows: list[dict]) -> str:
  """UAR as a Markdown table: a row per kernel, columns by network and T."""
  kinds = list(dict.fromkeys(map(_kind, rows)))
  lines = ['| kernel | ' + ' | '.join(kinds) + ' |']
  lines.append('|---' * (1 + len(kinds)) + '|')
  for kernel in dict.fromkeys(map(_kernel, rows)):
    own = {_kind(row): row for row in rows if _kernel(row) == kernel}
    scores = [_score(own[kind], 'uar') if kind in own else '' for kind in kinds]
    lines.append('| ' + ' | '.join([kernel, *scores]) + ' |')
  return '\n'.join(lines)


def heat_map(rows: list[dict]) -> bytes:
  """UAR over spatial and temporal size, one panel per network and T."""
  from matplotlib import colors
  from matplotlib import figure as figures

  kinds = list(dict.fromkeys(map(_kind, rows)))
  columns = min(4, len(kinds)) if len(kinds) != 4 else 2
  lines = -(-len(kinds) // columns)
  figure = figures.Figure(
    figsize=(max(9, 1.5 + 3.4 * columns), 0.8 + 2.6 * lines),
    dpi=120,
    layout='constrained',
  )
  panels = figure.subplots(lines, columns, squeeze=False).ravel()
  temporal = sorted({row['temporal'] for row in rows})
  spatial = sorted({row['spatial'] for row in rows})
  shades = colors.Normalize(*_range([row['uar'] for row in rows]))
  for axes, kind in zip(panels, kinds, strict=False):
    grid = np.full((len(spatial), len(temporal)), np.nan)
    for row in rows:
      if _kind(row) == kind:
        at = spatial.index(row['spatial']), temporal.index(row['temporal'])
        grid[at] = row['uar']
    image = axes.imshow(
      grid, origin='lower', aspect='auto', cmap='viridis', norm=shades
    )
    for (i, j), value in np.ndenumerate(grid):
      if np.isfinite(value):
        dark = shades(value) < 0.6
        axes.text(
          j,
          i,
          f'{value:.2f}',
          ha='center',
          va='center',
          color='white' if dark else 'black',
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
  """UAR over operations and over parameters, with the Pareto front.

  Only the front has intervals: those of a hundred cells would hide it.
  """
  from matplotlib import figure as figures
  from matplotlib import ticker

  figure = figures.Figure(figsize=(11, 5.4), dpi=120, layout='constrained')
  both = figure.subplots(1, 2, sharey=True)
  for axes, key, label in zip(
    both, ('flops', 'parameters'), ('FLOPs a clip', 'parameters'), strict=True
  ):
    for kind in dict.fromkeys(map(_network, rows)):
      colour, mark = _MARKS[kind]
      own = [row for row in rows if _network(row) == kind]
      at = [row[key] for row in own], [row['uar'] for row in own]
      style = {'color': colour, 'ms': 5, 'mew': 0, 'alpha': 0.8}
      axes.plot(*at, mark, label=kind, **style)
    _draw_front(axes, pareto_front(rows, key), key)
    axes.axhline(1 / 3, color='#5b6570', lw=1, ls='--', label='chance')
    axes.set(xscale='log', xlabel=label)
    wide = max(row[key] for row in rows) > 10 * min(row[key] for row in rows)
    axes.xaxis.set_major_locator(
      ticker.LogLocator(subs=(1, 3)) if wide else ticker.MaxNLocator(4)
    )
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=''))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.grid(alpha=0.3)
    axes.margins(x=0.08, y=0.15)
  both[0].set_ylabel('UAR')
  handles, labels = both[0].get_legend_handles_labels()
  figure.legend(handles, labels, loc='outside lower center', ncols=6)
  return _encoded(figure, rows)


def _draw_front(axes, best, key):
  """The front, each point with its interval and its kernel."""
  from matplotlib import patheffects

  name = 'Pareto front, 95 % over people'
  at = [row[key] for row in best], [row['uar'] for row in best]
  axes.plot(*at, 'o-', color='black', lw=1, mfc='none', ms=8, label=name)
  for number, row in enumerate(best):
    x = row[key]
    if row['uar_low'] is not None:
      bounds = row['uar_low'], row['uar_high']
      axes.plot([x, x], bounds, color='black', alpha=0.35, lw=1.2, zorder=0)
    above = number % 2 == 0
    axes.annotate(
      _kernel(row),
      (x, row['uar']),
      fontsize=8,
      xytext=(3, 8) if above else (-3, -8),
      textcoords='offset points',
      rotation=45,
      ha='left' if above else 'right',
      va='bottom' if above else 'top',
      rotation_mode='anchor',
      path_effects=[patheffects.withStroke(linewidth=2, foreground='white')],
    )


def pareto_front(rows: list[dict], key: str) -> list[dict]:
  """The rows for which no other is both cheaper (in `key`) and better (UAR)."""
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
  return f'{_network(row)}, T = {row["frames"]}'


def _kernel(row):
  return f'{row["temporal"]}x{row["spatial"]}x{row["spatial"]}'


def _network(row):
  kind = {'3d': '3D', '2plus1d': '(2+1)D'}[row['convolution']]
  return f'{row["model"].upper()} {kind}'


def _range(values):
  """Bounds in steps of .05 around all values."""
  low, high = np.floor(min(values) * 20) / 20, np.ceil(max(values) * 20) / 20
  return low, max(high, low + 0.05)


def _score(row, key):
  low, high = row[f'{key}_low'], row[f'{key}_high']
  if low is None:
    return f'{row[key]:.3f}'
  return f'{row[key]:.3f} [{low:.3f}, {high:.3f}]'


def _encoded(figure, rows):
  figure.suptitle(_title(rows), x=0.01, ha='left', fontsize=10, color=_ORANGE)
  return figure_file.encoded(figure)
