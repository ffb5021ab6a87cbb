"""Writes what a run leaves for people and tools, and the closing table."""

import json
import os
import pathlib

import rich.table
import rich.text
from absl import logging

from mefnet_jax.evaluation import by_database, results
from mefnet_jax.report import cards, figures
from mefnet_jax.report.page import build, faces
from mefnet_jax.runs import errors, facts, files, findings, metrics_log

# What a workdir may hold beside the page, in the order of the page's list.
_FILES = {
  'report.json': 'scores, intervals and all numbers of this page',
  'predictions.csv': 'one row a held-out clip, with probabilities',
  'model_card.md': 'what the model is, is for, and is not for',
  'data_sheet.md': 'what the data are',
  'folds.csv': 'who was trained on and tested in each fold',
  'clips.csv': 'all clips with their digests',
  'facts.json': 'what was fitted and chosen on what',
  'metrics.jsonl': 'loss and accuracy per epoch and fold',
  'config.json': 'the resolved config',
  'findings.csv': 'what preparation found, repaired and left out',
  'folds.json': 'who trains and who is tested, fold by fold',
  'figures': 'the figures as PNG and SVG',
  'checkpoints': 'weights',
  'tensorboard': 'the scalars for TensorBoard',
}


def write(
  workdir: str | os.PathLike,
  result: results.Result,
  summary: dict,
  *,
  clips: faces.Clips | None = None,
) -> None:
  """Writes report.json, report.html, cards and figures/.

  Each file is written aside and renamed, the page last; the same result gives
  the same bytes. Logs the reservations under which the scores hold.

  Args:
    workdir: of the run.
    result: of the protocol.
    summary: of `results.summary`, audited.
    clips: if they are synthetic, the page shows the worst of them.
  """
  workdir = pathlib.Path(workdir)
  for word, why in summary['notices'].items():
    logging.warning('%s: %s.', word, why)
  for name, content in figures.draw(result, summary).items():
    files.write(workdir / 'figures' / name, content)
  files.write(workdir / 'report.json', to_json(summary))
  for name, text in cards.write_cards(summary).items():
    files.write(workdir / name, text)
  shown = clips if clips is not None and clips.synthetic else None
  _page(workdir, summary, result.history, result.findings, shown)
  logging.info('%s', summary['verdict'])


def finished(workdir: str | os.PathLike) -> dict:
  """report.json of a finished run.

  Raises:
    errors.UserError: the folder holds no finished run of this version.
  """
  path = pathlib.Path(workdir) / 'report.json'
  found = facts.scores(path)
  lacking = [key for key in results.KEYS if key not in found]
  if lacking:
    raise errors.UserError(
      f'{path}: no {lacking[0]}: not the report of a run of this version'
    )
  return found


def page(workdir: str | os.PathLike, clips: faces.Clips | None = None) -> None:
  """Writes report.html of a finished run again, from what lies in its folder.

  Args:
    workdir: of the run.
    clips: whose faces are shown; none without them.

  Raises:
    errors.UserError: the folder holds no finished run.
  """
  workdir = pathlib.Path(workdir)
  summary = finished(workdir)
  found = findings.read(workdir / 'findings.csv')
  _page(workdir, summary, metrics_log.read(workdir), found, clips)


def tables(summary: dict) -> list[rich.table.Table]:
  """What closes a run on the terminal: scores, and those of each database."""
  databases = [_by_database(summary)] if summary['databases'] else []
  return [table(summary), *databases]


def table(summary: dict) -> rich.table.Table:
  """The closing table on the terminal, a rich.table.Table.

  A row a score: measured, its 95 % interval, what always answering the
  commonest class would get and, for the paper's releases, the paper's claim.
  """
  title, verdict = map(rich.text.Text, (_title(summary), summary['verdict']))
  closing = rich.table.Table(
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


def _by_database(summary):
  """The rows of summary['databases']."""
  words = ' · '.join([*summary['notices'], 'By database, pooled'])
  made = rich.table.Table(title=words, title_justify='left')
  made.add_column('database')
  for name in ('clips', 'UF1', 'UAR', 'accuracy'):
    made.add_column(name, justify='right')
  for row in summary['databases']:
    own = [f'{row["metrics"][key]:.3f}' for key in ('uf1', 'uar', 'accuracy')]
    made.add_row(by_database.title(row), str(row['clips']), *own)
  return made


def _page(workdir, summary, history, found, clips):
  """report.html, with pictures of the worst of these clips if any."""
  beside = {
    name: what for name, what in _FILES.items() if (workdir / name).exists()
  }
  pictures = {}
  if clips is not None:
    names = [x['clip'] for x in summary['mistakes']]
    pictures = faces.strips(clips, names)
  text = build.page(summary, history, found, beside, pictures)
  files.write(workdir / 'report.html', text)


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


def to_json(summary: dict) -> str:
  """The text of report.json; raises ValueError for what is not finite."""
  return json.dumps(summary, indent=1, allow_nan=False, default=str) + '\n'
