"""Published scores: the MEFNet paper's claims, and the literature beside a run.

Neither was measured here, and neither is ever printed as a score of a run.

Claims: Gomathi R. et al., "MEFNet - Micro Expression Fusion Network Based on
Micro-Attention Mechanism and 3D-CNN Fusion Algorithms", its table of three
networks on two releases and its overall sensitivity and specificity, in per
cent as printed. literature.csv: one published result per row, as printed, with
its source, its protocol and whether it is leaky (yes, no or unknown).
"""

import functools
import pathlib
from typing import Any

from mefnet_jax.runs import csv_table

CLAIMS_NOTE = (
  'Claims are copied from the paper, not measured here. The paper splits '
  'clips at random, so the same people are in training and in test.'
)
LITERATURE_NOTE = (
  'Published scores are listed only if they use the same data and the same '
  'kind of protocol, and are as leaky or as honest as this run. They were not '
  'measured here.'
)
_CLAIM_KEYS = ('accuracy', 'recall', 'f1', 'war', 'uar')
_CLAIMS = {
  ('cas_me2', 'base'): (90.23, 91, 90, 91, 90),
  ('cas_me2', 'mecnn'): (98.9, 98, 99, 98, 99),
  ('cas_me2', 'mfcnn'): (100, 99, 100, 99, 100),
  ('smic', 'base'): (89.9, 89, 89, 90, 89),
  ('smic', 'mecnn'): (98.2, 98, 98, 98, 98),
  ('smic', 'mfcnn'): (99.8, 99, 99, 99, 100),
}
# Printed once per release, for "MEFNet" as a whole; we take its best network.
_OVERALL = {
  'cas_me2': {'sensitivity': 99.5, 'specificity': 99.2},
  'smic': {'sensitivity': 99.3, 'specificity': 99.6},
}
_SCORES = ('accuracy', 'uf1', 'uar')


def paper_claims(dataset: str, model: str) -> dict[str, float]:
  """Returns the paper's claimed scores by name, 0 to 1; empty if it has none.

  A variant such as 'mfcnn-late' gets the claims of its network 'mfcnn': the
  paper's table does not say which fusion it used.
  """
  network = model.partition('-')[0]
  if (dataset, network) not in _CLAIMS:
    return {}
  claims = dict(zip(_CLAIM_KEYS, _CLAIMS[dataset, network], strict=True))
  if network == 'mfcnn':
    claims |= _OVERALL[dataset]
  return {key: round(value / 100, 6) for key, value in claims.items()}


@functools.cache
def literature() -> tuple[dict[str, str], ...]:
  """Returns all rows of literature.csv, by the names of its columns."""
  path = pathlib.Path(__file__).with_name('literature.csv')
  return tuple(row for _, row in csv_table.read(path)[1])


def comparable(summary: dict[str, Any]) -> dict[str, Any]:
  """Returns the published results that a run may be compared with.

  Args:
    summary: the content of report.json.

  Returns:
    rows: of literature.csv, best first; why: for the rows that are left out,
    each reason and the number of rows it excludes.
  """
  rows: list[dict[str, str]] = []
  excluded: dict[str, int] = {}
  for row in literature():
    reason = _why_not_comparable(row, summary)
    if reason:
      excluded[reason] = excluded.get(reason, 0) + 1
    else:
      rows.append(row)
  return {'rows': sorted(rows, key=_best_score, reverse=True), 'why': excluded}


def format_score(row: dict[str, str], key: str) -> str:
  """Returns a published score with three decimals; '' if there is none."""
  return f'{float(row[key]):.3f}' if row.get(key) else ''


def _why_not_comparable(row, summary):
  """Why a published row cannot stand beside the run; '' if it can."""
  if summary['release'] == 'synthetic':
    return 'measured on real faces, while this run is SYNTHETIC'
  if summary['shuffled_labels']:
    return 'this run is a control with shuffled labels'
  if row['data'] != summary['literature']:
    return 'on other data, or on data that the source does not name'
  # kfold leaves whole subjects out, too, so it stands beside loso.
  if row['protocol'] == 'loso' and summary['protocol'] not in ('loso', 'kfold'):
    return 'under another protocol'
  if row['leaky'] == 'unknown':
    return 'not known to be free of leaks'
  if row['leaky'] != ('yes' if summary['audit']['leaks'] else 'no'):
    kind = 'leaky' if row['leaky'] == 'yes' else 'honest'
    return f'{kind}, which this run is not'
  return ''


def _best_score(row):
  return max(float(row[key]) for key in _SCORES if row[key])
