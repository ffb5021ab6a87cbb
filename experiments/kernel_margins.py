"""The effects of length, width, (2+1)D, T and network over the whole study.

A single cell of the grid is too uncertain to differ from its neighbours. Here
each value of a factor is compared with a reference (the paper's, where the grid
has it) over all pairs of cells that differ in nothing else: by the means of
their UARs and of the differences. The bootstrap draws people, and the
permutation test swaps them between the two sides, in all cells at once, since
all cells are tested on the same people.
Shape suffixes: P pairs, S subjects, D draws, C classes.
"""

import pathlib

import numpy as np

from mefnet_jax.evaluation import metrics, paired_tests
from mefnet_jax.runs import files, predictions

_PAPER = {
  'temporal': 15,
  'spatial': 3,
  'convolution': '3d',
  'frames': 18,
  'model': 'mecnn',
}
_WITHIN = {  # fields that the cells of one comparison share
  'temporal': ('model', 'frames'),
  'spatial': ('model', 'frames'),
  'convolution': ('model', 'frames'),
  'frames': ('model',),
  'model': (),
}
_DRAWS = 2000
_SWAPS = 10000
_HEAD = (
  'cells',
  'what',
  'value',
  'reference',
  'pairs',
  'UAR',
  'of the reference',
  'difference',
  '95 % interval',
  'p',
  'Holm',
)


def write(out: pathlib.Path, rows: list[dict], folders: list[pathlib.Path]):
  """Writes out/kernel_margins.md, if there are pairs and two people or more.

  Args:
    rows: of the table.
    folders: the run of each row, from which its predictions are read.
  """
  runs = [predictions.read(folder) for folder in folders]
  found = margins(rows, [_counts(run) for run in runs])
  if found:
    files.write(out / 'kernel_margins.md', table(found) + '\n')


def margins(rows: list[dict], counts: list[np.ndarray]) -> list[dict]:
  """Each value of each factor against the reference, Holm by factor and group.

  Args:
    rows: cells: model, convolution, frames, spatial, temporal.
    counts: of each cell, confusion matrices (S, C, C) of the same people.

  Returns:
    group, factor, value, against, pairs, value_uar, against_uar, difference,
    interval, p (people swapped), holm. Factors with one value are left out.
  """
  cells = {
    tuple(row[key] for key in _PAPER): counted
    for row, counted in zip(rows, counts, strict=True)
  }
  found = []
  for factor, within in _WITHIN.items():
    groups = dict.fromkeys(tuple(row[key] for key in within) for row in rows)
    for group in groups:
      fixed = dict(zip(within, group, strict=True))
      own = [r for r in rows if all(r[k] == v for k, v in fixed.items())]
      found += _with_holm(_family(own, factor, fixed, cells))
  return found


def table(found: list[dict]) -> str:
  """The margins as a Markdown table."""
  lines = ['| ' + ' | '.join(_HEAD) + ' |', '|---' * len(_HEAD) + '|']
  for x in found:
    low, high = x['interval']
    cells = (
      x['group'],
      x['factor'],
      str(x['value']),
      str(x['against']),
      str(x['pairs']),
      f'{x["value_uar"]:.3f}',
      f'{x["against_uar"]:.3f}',
      f'{x["difference"]:+.3f}',
      f'{low:+.3f} to {high:+.3f}',
      f'{x["p"]:.4f}',
      f'{x["holm"]:.4f}',
    )
    lines.append('| ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def _family(rows, factor, fixed, cells):
  """The comparisons of one factor in one group of cells."""
  values = sorted({row[factor] for row in rows}, key=str)
  values.sort(key=lambda value: value if isinstance(value, int) else 0)
  against = _PAPER[factor] if _PAPER[factor] in values else values[0]
  group = ', '.join(
    f'T = {value}' if key == 'frames' else value for key, value in fixed.items()
  )
  for value in values:
    if value == against:
      continue
    keys = [tuple(row[k] for k in _PAPER) for row in rows]
    pairs = [
      (cells[other], cells[key])
      for key, row in zip(keys, rows, strict=True)
      if row[factor] == value
      and (other := tuple({**row, factor: against}[k] for k in _PAPER)) in cells
    ]
    if pairs and len(pairs[0][0]) > 1:
      yield {
        'group': group or 'all',
        'factor': factor,
        'value': value,
        'against': against,
        'pairs': len(pairs),
        **_compare(np.array(pairs).swapaxes(0, 1)),
      }


def _compare(counts_2PSCC):
  """Means over the pairs, and of their differences: second minus first."""
  one, other = _uar(counts_2PSCC.sum(2)).mean(-1)
  people = counts_2PSCC.shape[2]
  random = np.random.default_rng(0)
  times_DS = random.multinomial(people, np.full(people, 1 / people), _DRAWS)
  drawn_2D = [_mean_uar(times_DS, counts) for counts in counts_2PSCC]
  swap_DS = random.integers(0, 2, (_SWAPS, people))
  swap_DS[0] = 0  # the first draw swaps nobody: it is the observed difference
  swapped_2D = [
    _mean_uar(1 - swap_DS, counts_2PSCC[i], swap_DS, counts_2PSCC[1 - i])
    for i in range(2)
  ]
  gap_D = np.abs(swapped_2D[1] - swapped_2D[0])
  return {
    'value_uar': float(other),
    'against_uar': float(one),
    'difference': float(other - one),
    'interval': np.percentile(drawn_2D[1] - drawn_2D[0], (2.5, 97.5)).tolist(),
    'p': float((gap_D >= gap_D[0] - 1e-12).mean()),
  }


def _mean_uar(times_DS, counts_PSCC, more_DS=None, others_PSCC=None):
  """Mean UAR over the pairs in each draw of people: (D,)."""
  total = 0
  for i, counts_SCC in enumerate(counts_PSCC):
    counts_DCC = np.tensordot(times_DS, counts_SCC, axes=1)
    if more_DS is not None:
      counts_DCC = counts_DCC + np.tensordot(more_DS, others_PSCC[i], axes=1)
    total = total + _uar(counts_DCC)
  return total / len(counts_PSCC)


def _with_holm(family):
  """The comparisons of a family, each with its Holm-adjusted p."""
  family = list(family)
  holm = paired_tests.holm([x['p'] for x in family]) if family else []
  return [{**x, 'holm': p} for x, p in zip(family, holm, strict=True)]


def _uar(counts):
  return metrics.from_confusion(counts)['uar']


def _counts(run):
  """Confusion matrices (S, C, C), people by name."""
  who = np.array(run.subject)
  return np.stack(
    [
      metrics.confusion(
        run.label[who == name], run.predicted[who == name], len(run.classes)
      )
      for name in sorted(set(run.subject))
    ]
  )
