"""The table and the figure of the proof of saliency."""

from mefnet_jax.runs import figure_file

_COLUMNS = {
  'pointing': 'pointing game',
  'energy': 'energy inside',
  'apex_error': 'apex error',
  'deletion': 'deletion',
  'insertion': 'insertion',
}


def table(result: dict) -> str:
  """The measures as a Markdown table."""
  kind = result['release'].upper()
  lines = [
    f'{kind}, {result["model"]}, {result["clips"]} held-out clips; the moving '
    f'region is {result["moving_share"]:.1%} of the face crop.',
    '',
    '| method | ' + ' | '.join(_COLUMNS.values()) + ' | random weights |',
    '|---|' + '---|' * (len(_COLUMNS) + 1),
  ]
  for name, found in result['measures'].items():
    cells = [
      '{:.3f} [{:.3f}, {:.3f}]'.format(*found[key]) if key in found else ''
      for key in _COLUMNS
    ]
    rank = result['randomisation'].get(name)
    cells.append('{:.2f}, {:.2f}'.format(*rank) if rank else '')
    lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def draw(result: dict) -> bytes:
  """Five panels of dots with intervals, as PNG."""
  from matplotlib import figure as figures

  figure = figures.Figure(figsize=(13, 4), dpi=110, layout='constrained')
  panels = figure.subplots(1, len(_COLUMNS), sharey=True)
  names = list(result['measures'])[::-1]
  for axes, (key, title) in zip(panels, _COLUMNS.items(), strict=True):
    for y, name in enumerate(names):
      if key in result['measures'][name]:
        mean, low, high = result['measures'][name][key]
        ours = name in result['methods']
        colour = '#0b62a4' if ours else '#b3400a'
        axes.plot([low, high], [y, y], color=colour, lw=4, alpha=0.35)
        axes.plot(mean, y, 'o', color=colour)
    axes.set_title(title, fontsize=10)
    axes.grid(axis='x', alpha=0.3)
    axes.set_yticks(range(len(names)), names)
  figure.suptitle(
    f'{result["release"].upper()} | {result["model"]} | '
    f'{result["clips"]} held-out clips | 95 % over people',
    x=0.01,
    ha='left',
    color='#b3400a',
  )
  return figure_file.encoded(figure)
