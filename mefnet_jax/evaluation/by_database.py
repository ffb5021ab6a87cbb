"""Scores of a composite data set as a whole and of each of its databases.

As in the MEGC, the predictions of all folds are pooled first; then the clips
of each database are scored separately.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mefnet_jax.evaluation import metrics

TITLES = {
  'composite': 'composite',
  'smic': 'SMIC',
  'casme2': 'CASME II',
  'samm': 'SAMM',
}


def scores(
  label: npt.ArrayLike,
  predicted: npt.ArrayLike,
  database: Sequence[str],
  num_classes: int,
) -> list[dict[str, Any]]:
  """Scores the composite, then each database in alphabetical order.

  Args:
    label, predicted: (N,) classes of the held-out clips of all folds.
    database: N names of the databases of origin.
    num_classes: C; a class that a database lacks counts as 0 in its means.

  Returns:
    One dict per row with keys database, clips (their number), metrics (of
    `metrics.scores`) and per_class (the number of clips of each class); an
    empty list if there are fewer than two databases.
  """
  names, origin = sorted(set(database)), np.array(database)
  # The only database is the whole, which is scored elsewhere.
  if len(names) < 2:
    return []
  label, predicted = np.asarray(label), np.asarray(predicted)
  masks = {'composite': np.ones(len(label), bool)}
  masks |= {name: origin == name for name in names}
  return [
    {
      'database': name,
      'clips': int(mask.sum()),
      'metrics': metrics.scores(label[mask], predicted[mask], num_classes),
      'per_class': np.bincount(label[mask], minlength=num_classes).tolist(),
    }
    for name, mask in masks.items()
  ]


def title(row: dict[str, Any]) -> str:
  """Returns the name of a row's database as it is usually written."""
  return TITLES.get(row['database'], row['database'] or 'unnamed')
