"""Scores of each database of a composite, and of the composite.

The MEGC scores a composite as a whole and its parts beside it, from the same
predictions: all folds are pooled, then the clips of a database are scored.
"""

import numpy as np

from mefnet_jax.evaluation import metrics

TITLES = {
  'composite': 'composite',
  'smic': 'SMIC',
  'casme2': 'CASME II',
  'samm': 'SAMM',
}


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


def title(row: dict) -> str:
  """The database's name as one writes it."""
  return TITLES.get(row['database'], row['database'] or 'unnamed')
