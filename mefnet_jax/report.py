"""Writes what a run leaves for people and tools, and the closing table."""

import csv
import io
import json
import os
import pathlib

from absl import logging

from mefnet_jax import figures, report_html, results

# What a workdir may hold beside the page, in the order of the page's list.
_FILES = {
  'report.json': 'scores, intervals and all numbers of this page',
  'predictions.csv': 'one row a held-out clip, with probabilities',
  'metrics.jsonl': 'loss and accuracy per epoch and fold',
  'config.json': 'the resolved config',
  'findings.csv': 'what preparation found, repaired and left out',
  'folds.json': 'who trains and who is tested, fold by fold',
  'figures': 'the figures as PNG and SVG',
  'checkpoints': 'weights',
  'tensorboard': 'the scalars for TensorBoard',
}


def write(workdir: str | os.PathLike, result: results.Result) -> dict:
  """Writes predictions.csv, report.json, report.html and figures/.

  Each file is written aside and renamed, the page last; the same result gives
  the same bytes. Logs the reservations under which the scores hold.

  Returns:
    The summary, as in report.json.
  """
  workdir = pathlib.Path(workdir)
  summary = results.summary(result)
  for word, why in summary['notices'].items():
    logging.warning('%s: %s.', word, why)
  _save(workdir / 'predictions.csv', _predictions(result).encode())
  for name, content in figures.draw(result, summary).items():
    _save(workdir / 'figures' / name, content)
  _save(workdir / 'report.json', _json(summary).encode())
  files = {
    name: what for name, what in _FILES.items() if (workdir / name).exists()
  }
  page = report_html.page(result, summary, files)
  _save(workdir / 'report.html', page.encode())
  logging.info('%s', summary['verdict'])
  return summary


def table(result: results.Result):
  """The closing table on the terminal, a rich.table.Table.

  A row a score: measured, its 95 % interval, what always answering the
  commonest class would get and, for the paper's releases, the paper's claim.
  """
  from rich import table as tables
  from rich import text

  summary = results.summary(result)
  title, verdict = map(text.Text, (_title(summary), summary['verdict']))
  closing = tables.Table(
    title=title, caption=verdict, title_justify='left', caption_justify='left'
  )
  closing.add_column('score')
  columns = ['measured', '95 % interval', 'majority class']
  if summary['claims']:
    columns.append("paper's claim")
  for column in columns:
    closing.add_column(column, justify='right')
  for key in summary['metrics']:
    closing.add_row(*_row(summary, key))
  return closing


def _title(summary) -> str:
  words = [*summary['notices']]
  run = (
    '{model} on {dataset}, {protocol}: {clips} held-out clips of {subjects} '
    'subjects'
  )
  return ' · '.join([*words, run.format(**summary)])


def _row(summary, key: str) -> list[str]:
  bounds = summary['intervals'][key]
  row = [
    key,
    f'{summary["metrics"][key]:.3f}',
    '{:.3f} to {:.3f}'.format(*bounds) if bounds else 'one subject',
    f'{summary["majority"][key]:.3f}',
  ]
  if summary['claims']:
    claim = summary['claims'].get(key)
    row.append('' if claim is None else f'claim {claim:.3f}')
  return row


def _predictions(result: results.Result) -> str:
  """Rows of clips; label and predicted as names of classes."""
  text = io.StringIO(newline='')
  writer = csv.writer(text, lineterminator='\n')
  header = ['clip', 'subject', 'fold', 'label', 'predicted']
  writer.writerow(header + [f'prob_{name}' for name in result.classes])
  rows = zip(
    result.clip,
    result.subject,
    result.fold,
    (result.classes[c] for c in result.label),
    (result.classes[c] for c in result.predicted),
    result.probabilities.tolist(),
    strict=True,
  )
  for *names, probabilities in rows:
    writer.writerow(names + [f'{x:.9g}' for x in probabilities])
  return text.getvalue()


def _json(summary) -> str:
  return json.dumps(summary, indent=1, allow_nan=False, default=str) + '\n'


def _save(path: pathlib.Path, content: bytes):
  """Writes aside and renames, so that nobody reads half a file."""
  path.parent.mkdir(parents=True, exist_ok=True)
  aside = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    aside.write_bytes(content)
    aside.replace(path)
  finally:
    aside.unlink(missing_ok=True)
