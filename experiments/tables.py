"""Tables and figures of an experiment: CSV, Markdown, PNG and SVG."""

import pathlib
import textwrap

import numpy as np

from mefnet_jax.runs import figure_file, files

_SCORES = ('accuracy', 'uf1', 'uar')


def row(summary: dict, **first) -> dict:
  """Returns a row of a table: the variant, then the scores of its run.

  Args:
    summary: report.json of the run.
    first: columns that identify the variant.
  """
  found = dict(first)
  for key in _SCORES:
    low, high = summary['intervals'][key] or (np.nan, np.nan)
    found |= {key: round(summary['metrics'][key], 4)}
    found |= {f'{key}_low': round(low, 4), f'{key}_high': round(high, 4)}
  spread = summary['spread'].get('uar', {})
  found['uar_std_over_seeds'] = round(spread['std'], 4) if spread else ''
  return found | {
    'clips': summary['clips'],
    'subjects': summary['subjects'],
    'parameters': summary['parameters'],
    'chance_uar': round(summary['baseline']['chance_uar'], 4),
    'majority_accuracy': round(summary['baseline']['majority_accuracy'], 4),
    'leaky': 'LEAKY' if summary['audit']['leaks'] else 'no',
    'data': 'SYNTHETIC' if summary['release'] == 'synthetic' else 'real',
  }


def write(out, name: str, rows: list[dict], *, title: str, first: list[str]):
  """Writes out/<name>.csv, .md, .png and .svg.

  Args:
    out: folder.
    name: of the files.
    rows: of `row`, with the paper's claims in `claim_...` columns if any.
    title: of the Markdown table and the figure.
    first: the columns that identify the variants.
  """
  out = pathlib.Path(out)
  out.mkdir(parents=True, exist_ok=True)
  files.write(out / f'{name}.csv', _csv(rows).encode())
  files.write(out / f'{name}.md', markdown(rows, title, first).encode())
  for suffix, content in _figure(rows, title, first).items():
    files.write(out / f'{name}.{suffix}', content)


def text(out, name: str, content: str):
  """Writes out/<name>."""
  files.write(pathlib.Path(out) / name, (content + '\n').encode())


def markdown(rows: list[dict], title: str, first: list[str]) -> str:
  """Formats the table as Markdown, with the notices above it."""
  claims = [key for key in rows[0] if key.startswith('claim_')]
  lifts = [key for key in rows[0] if key.endswith('_lift')]
  head = [*first, *(f'{key} [95 %]' for key in _SCORES)]
  head += [*(key.replace('_', ' ') for key in lifts), 'leaky', 'clips']
  head += [f"paper's claim: {key.removeprefix('claim_')}" for key in claims]
  lines = [f'**{_notice(rows)}{title}**', '', '| ' + ' | '.join(head) + ' |']
  lines.append('|---' * len(head) + '|')
  for x in rows:
    cells = [str(x[key]) for key in first]
    cells += [_interval(x, key) for key in _SCORES]
    cells += [_signed(x[key]) for key in lifts]
    cells += [x['leaky'], str(x['clips'])]
    cells += [f'claim {x[key]}' if x[key] != '' else '' for key in claims]
    lines.append('| ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n'


def _notice(rows):
  return 'SYNTHETIC: ' if any(x['data'] == 'SYNTHETIC' for x in rows) else ''


def _signed(value):
  return f'{value:+.3f}' if value != '' else ''


def _interval(x, key):
  low, high = x[f'{key}_low'], x[f'{key}_high']
  between = '' if np.isnan(low) else f' [{low:.3f}, {high:.3f}]'
  return f'{x[key]:.3f}{between}'


def _figure(rows, title, first):
  """UAR of each variant with its interval; leaky ones in another colour."""
  import matplotlib
  from matplotlib import figure

  style = {'svg.hashsalt': 'mefnet_jax', 'svg.fonttype': 'none'}
  with matplotlib.rc_context(style):
    plot = figure.Figure(
      figsize=(7.2, 1.6 + 0.4 * len(rows)), layout='constrained', dpi=150
    )
    axes = plot.add_subplot()
    for y, x in enumerate(rows):
      leaky = x['leaky'] == 'LEAKY'
      color = '#b3400a' if leaky else '#0b62a4'
      if not np.isnan(x['uar_low']):
        axes.plot((x['uar_low'], x['uar_high']), (y, y), color=color, lw=2)
      axes.plot(x['uar'], y, 'D' if leaky else 'o', color=color)
      axes.annotate(
        f'{x["uar"]:.2f}',
        (1.0, y),
        xytext=(4, 0),
        textcoords='offset points',
        xycoords=('axes fraction', 'data'),
        va='center',
        fontsize=8,
      )
    for chance in {x['chance_uar'] for x in rows}:
      axes.axvline(chance, color='#5b6570', lw=1, ls='--', zorder=0)
    # Numbers without their column's name would say nothing in a label.
    texts = [key for key in first if isinstance(rows[0][key], str)]
    varying = [key for key in texts if len({x[key] for x in rows}) > 1]
    names = [', '.join(str(x[key]) for key in varying or first) for x in rows]
    names = [textwrap.fill(name, 40) for name in names]
    names = [
      name + (' (LEAKY)' if x['leaky'] == 'LEAKY' else '')
      for name, x in zip(names, rows, strict=True)
    ]
    axes.set(yticks=range(len(rows)), yticklabels=names, xlim=(0, 1))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel('UAR, 95 % interval over subjects; dashed: chance')
    axes.grid(axis='x', alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(axis='y', labelsize=8)
    notice = _notice(rows)
    plot.suptitle(
      textwrap.fill(notice + title, 76),
      x=0.02,
      ha='left',
      fontsize=10,
      fontweight='bold',
      color='#b3400a' if notice else 'black',
    )
    return {form: figure_file.encoded(plot, form) for form in ('png', 'svg')}


def _csv(rows):
  names = list(rows[0])
  return files.to_csv(names, ([row[name] for name in names] for row in rows))
