"""Published scores as data, and which of them a run may stand beside.

literature.csv holds a row a published result: as printed, with its source,
its protocol and whether it is leaky (yes, no, or unknown to us).
"""

import csv
import functools
import importlib.resources

NOTE = (
  'Published scores stand here only if they are of the same data, the same '
  'kind of protocol, and as leaky or as honest as this run. They were not '
  'measured here.'
)
_SCORES = ('accuracy', 'uf1', 'uar')


@functools.cache
def rows() -> tuple[dict[str, str], ...]:
  """All rows of literature.csv."""
  path = importlib.resources.files('mefnet_jax.evaluation') / 'literature.csv'
  with path.open(encoding='utf-8', newline='') as file:
    return tuple(csv.DictReader(file))


def comparable(summary: dict) -> dict:
  """The published rows a run may be compared with, and why no others.

  Args:
    summary: as in report.json.

  Returns:
    rows: of literature.csv, best first; why: of those left out, reason to
    number of rows.
  """
  data = summary['literature']
  leaky = 'yes' if summary['audit']['leaks'] else 'no'
  kept, why = [], {}
  for row in rows():
    reason = _unlike(row, data, leaky, summary)
    if reason:
      why[reason] = why.get(reason, 0) + 1
    else:
      kept.append(row)
  return {'rows': sorted(kept, key=_best, reverse=True), 'why': why}


def score(row: dict[str, str], key: str) -> str:
  """A published score as a text of three digits; '' if it was not given."""
  return f'{float(row[key]):.3f}' if row.get(key) else ''


def _unlike(row, data, leaky, summary):
  """Why a row is not like the run; '' if it is."""
  if summary['release'] == 'synthetic':
    return 'they are of real faces, this run is SYNTHETIC'
  if summary['shuffled_labels']:
    return 'this run is a control with shuffled labels'
  if row['data'] != data:
    return 'of other data, or of data that the source does not name'
  if row['protocol'] == 'loso' and summary['protocol'] not in ('loso', 'kfold'):
    return 'of another protocol'
  if row['leaky'] == 'unknown':
    return 'it is not known whether they are leaky'
  if row['leaky'] != leaky:
    said = 'leaky' if row['leaky'] == 'yes' else 'honest'
    return f'{said}, which this run is not'
  return ''


def _best(row):
  return max(float(row[key]) for key in _SCORES if row[key])
