"""Scores of each database of a composite, and of the composite.

The MEGC scores a composite as a whole and its parts beside it, from the same
predictions: all folds are pooled, then the clips of a database are scored.
"""

import numpy as np

from mefnet_jax import markup, metrics

TITLES = {
  'composite': 'composite',
  'smic': 'SMIC',
  'casme2': 'CASME II',
  'samm': 'SAMM',
}
_COLUMNS = {'uf1': 'UF1', 'uar': 'UAR', 'accuracy': 'accuracy'}


def scores(label, predicted, database, num_classes: int) -> list[dict]:
  """The composite's row, then one a database, by name.

  Args:
    label, predicted: (N,) classes of the held-out clips of all folds.
    database: N names of the databases of origin.
    num_classes: C; a class that a database lacks counts as 0 in its means.

  Returns:
    Dicts with database, clips, metrics (as `metrics.scores`) and per_class,
    how many clips each class has; [] where there are not two databases.
  """
  names, database = sorted(set(database)), np.array(database)
  if len(names) < 2:
    return []
  label, predicted = np.asarray(label), np.asarray(predicted)
  own = {'composite': np.ones(len(label), bool)}
  own |= {name: database == name for name in names}
  return [
    {
      'database': name,
      'clips': int(mask.sum()),
      'metrics': metrics.scores(label[mask], predicted[mask], num_classes),
      'per_class': np.bincount(label[mask], minlength=num_classes).tolist(),
    }
    for name, mask in own.items()
  ]


def table(summary: dict):
  """The rows of summary['databases'] for the terminal, a rich.table.Table."""
  from rich import table as tables

  words = ' · '.join([*summary['notices'], 'By database, pooled'])
  made = tables.Table(title=words, title_justify='left')
  made.add_column('database')
  for name in ('clips', *_COLUMNS.values()):
    made.add_column(name, justify='right')
  for row in summary['databases']:
    made.add_row(_title(row), *_cells(row))
  return made


def section(summary: dict) -> str:
  """The part of the page; '' where there are not two databases."""
  if not summary['databases']:
    return ''
  head = {'Database': '', 'Clips': 'number'}
  head |= {f'{n[0].upper()}{n[1:]}': 'number' for n in _COLUMNS.values()}
  rows = [
    [markup.text(_title(row)), *_cells(row)] for row in summary['databases']
  ]
  caption = 'The same pooled predictions, scored by database of origin.'
  made = markup.table(caption, head, rows)
  return f'<section><h2>Databases</h2>{made}</section>'


def _title(row):
  return TITLES.get(row['database'], row['database'] or 'unnamed')


def _cells(row):
  own = [f'{row["metrics"][key]:.3f}' for key in _COLUMNS]
  return [str(row['clips']), *own]
