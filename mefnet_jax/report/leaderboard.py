r"""A table of submissions from anybody, each checked by the audit.

python -m mefnet_jax.report.leaderboard --list=SUBMISSIONS.csv
    --out=docs/leaderboard.md [--data=docs/leaderboard.json]

The list names table,method,folder,note. Each folder, relative to the list,
holds predictions.csv and folds.csv, and may hold the other files of a run
(facts.json, clips.csv, report.json, model/). Submissions that pass the audit
are ranked by UF1, with 95 % intervals over subjects; others are listed with
their leaks. Only scores are written.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any

from mefnet_jax.audit import audit, evidence
from mefnet_jax.evaluation import folds_file, intervals, metrics, published
from mefnet_jax.runs import (
  cli,
  csv_table,
  errors,
  escape,
  files,
  outputs,
  predictions,
  regular_file,
)

COLUMNS = ('table', 'method', 'folder')
_SCORES = ('uf1', 'uar', 'accuracy')
_BEGIN, _END = '<!-- tables: begin -->', '<!-- tables: end -->'


def read(path: pathlib.Path) -> list[dict[str, Any]]:
  """Scores and audits every submission of a list.

  Args:
    path: the list.

  Returns:
    For each row table, method, note, protocol, clips, subjects, metrics,
    intervals, kinds (of leak) and not_checked, without the name of any clip.

  Raises:
    errors.UserError: a file is missing or cannot be used, a method occurs twice
      in a table, or the submissions of a table differ in clips or labels.
  """
  found: list[dict[str, Any]] = []
  listed = set()
  truth: dict[str, tuple[str, dict[str, str]]] = {}
  for number, row in csv_table.filled(path, COLUMNS):
    if (row['table'], row['method']) in listed:
      raise errors.UserError(
        f'{path}: row {number}: {row["method"]} is in that table already'
      )
    listed.add((row['table'], row['method']))
    folder = path.parent / row['folder']
    # The audit would assume honest folds, and find them honest.
    if not (folder / folds_file.FILE).is_file():
      raise errors.UserError(
        f'{folder}: no folds.csv (clip,subject,fold,role), which names the '
        'clips that each fold trained on'
      )
    run = evidence.from_run(folder)
    own = _labels(run.predictions)
    # Only equal tasks can be ranked: the first submission of a table sets its
    # clips.
    first, labels = truth.setdefault(row['table'], (row['method'], own))
    if own != labels:
      wrong = sorted(
        clip
        for clip in own.keys() | labels.keys()
        if own.get(clip) != labels.get(clip)
      )
      raise errors.UserError(
        f'{folder}: other clips or labels than {first} in the same table: '
        f'{", ".join(wrong[:3])}'
      )
    found.append(
      {'table': row['table'], 'method': row['method']}
      | {'note': row.get('note', '')}
      | _scored(run)
    )
  return found


def _labels(predicted: predictions.Predictions) -> dict[str, str]:
  """The true class of each clip."""
  return {
    clip: predicted.classes[label]
    for clip, label in zip(predicted.clip, predicted.label, strict=True)
  }


def _scored(run):
  predicted, classes = run.predictions, len(run.predictions.classes)
  pair = predicted.label, predicted.predicted
  scores = metrics.scores(*pair, classes)
  bounds = intervals.bootstrap(*pair, predicted.subject, classes)
  leaks = audit.find(run)
  return {
    'protocol': run.report.get('protocol', ''),
    'clips': len(predicted.clip),
    'subjects': len(set(predicted.subject)),
    # Computed here from the predictions, not copied from a report.
    'metrics': {key: round(scores[key], 4) for key in _SCORES},
    'intervals': {
      key: bounds[key] and [round(x, 4) for x in bounds[key]] for key in _SCORES
    },
    'kinds': leaks['kinds'],
    'not_checked': sorted(leaks['not_checked']),
  }


def markdown(rows: Iterable[dict[str, Any]]) -> str:
  """All tables: ranked submissions, those with leaks, published claims.

  Args:
    rows: result of `read`.
  """
  rows, parts = list(rows), []
  for name in dict.fromkeys(row['table'] for row in rows):
    own = [row for row in rows if row['table'] == name]
    parts += [f'## {escape.markdown(name)}', '', _size(own[0]), '']
    honest = [row for row in own if not row['kinds']]
    # A stable sort: equal ones stay in the order of the list.
    honest.sort(key=lambda row: -row['metrics']['uf1'])
    if honest:
      parts += _table(
        ['', 'method', 'UF1', 'UAR', 'accuracy', 'note', 'not checked'],
        (
          [str(i), *_cells(row), str(len(row['not_checked']))]
          for i, row in enumerate(honest, start=1)
        ),
      )
    leaky = [row for row in own if row['kinds']]
    if leaky:
      parts += ['Not ranked, because the audit found leaks:', '']
      parts += _table(
        ['method', 'UF1', 'UAR', 'accuracy', 'note', 'leak'],
        ([*_cells(row), '; '.join(row['kinds'])] for row in leaky),
      )
  return '\n'.join([*parts, *_claims()])


def _size(row):
  return f'{row["clips"]} clips of {row["subjects"]} subjects.'


def _cells(row):
  shown = []
  for key in _SCORES:
    bounds = row['intervals'][key]
    text = f'{row["metrics"][key]:.3f}'
    if bounds:
      text += f' [{bounds[0]:.3f}, {bounds[1]:.3f}]'
    shown.append(text)
  return [escape.markdown(row['method']), *shown, escape.markdown(row['note'])]


def _claims():
  """Published scores, with how their epoch was chosen; never ranked."""
  # In a table of their own: nobody can audit predictions that were not
  # published.
  rows = [r for r in published.literature() if r['data'] == 'megc2019']
  parts = ['## Published scores, as claims', '']
  parts += [
    'On the whole composite (442 clips of 68 subjects), leave one subject out. '
    'None was measured here.',
    '',
  ]
  return parts + _table(
    ['method', 'UF1', 'UAR', 'leaky', 'how it was chosen', 'source'],
    (
      [
        escape.markdown(row['method']),
        published.format_score(row, 'uf1'),
        published.format_score(row, 'uar'),
        row['leaky'],
        escape.markdown(row['why']),
        escape.markdown(row['source']),
      ]
      for row in rows
    ),
  )


def _table(head, rows):
  lines = [head, ['---'] * len(head), *rows]
  return [*(f'| {" | ".join(cells)} |' for cells in lines), '']


def write(path: pathlib.Path, tables: str) -> None:
  """Puts the tables into a page, between its marks or as the whole page.

  Raises:
    errors.UserError: the page has no marks.
    OSError: it cannot be written.
  """
  page = f'{_BEGIN}\n{_END}\n'
  if path.exists():
    page = regular_file.read(path).decode()
  # The words around the tables are written by people, and stay.
  before, begin, rest = page.partition(_BEGIN)
  _, end, after = rest.partition(_END)
  if not begin or not end:
    raise errors.UserError(
      f'{path}: no lines {_BEGIN} and {_END}: add them where the tables belong'
    )
  files.write(path, f'{before}{_BEGIN}\n\n{tables}\n{_END}{after}')


def main() -> None:
  """Writes the page, and the scores as JSON.

  Raises:
    errors.UserError: as `read` and `write`, or other arguments.
  """
  parser = cli.Parser(
    prog='python -m mefnet_jax.report.leaderboard',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--list', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=outputs.file, required=True)
  parser.add_argument('--data', type=outputs.file, help='scores as JSON')
  args = parser.parse_args()
  rows = read(args.list)
  write(args.out, markdown(rows))
  print(f'{args.out}: {len(rows)} submissions')
  if args.data:
    files.write(args.data, json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__':
  sys.exit(cli.status(main))
