"""Writes the report files of a run, and its table for the terminal."""

import json
import os
import pathlib

import rich.markup
import rich.table
import rich.text
from absl import logging

from mefnet_jax.evaluation import (
  by_database,
  folds_file,
  metrics,
  results,
  summaries,
)
from mefnet_jax.report import cards, figures
from mefnet_jax.report.page import build, faces
from mefnet_jax.runs import (
  errors,
  escape,
  facts,
  files,
  findings,
  metrics_log,
  predictions,
  workdirs,
)

# The files of a workdir that the page links to, in the order of its list.
_FILES = {
  workdirs.REPORT: 'scores, intervals and all numbers of this page',
  predictions.FILE: 'one row per held-out clip, with probabilities',
  'model_card.md': 'the model, its intended and its excluded uses',
  'data_sheet.md': 'the data, their origin and their preparation',
  folds_file.FILE: 'the training, validation and test clips of each fold',
  'clips.csv': 'all clips with their digests',
  facts.FILE: 'on which clips everything was fitted and chosen',
  metrics_log.FILE: 'loss and accuracy per epoch and fold',
  workdirs.CONFIG: 'the resolved config',
  findings.FILE: 'what preparation found, repaired and left out',
  'folds.json': 'the folds as TFDS split strings',
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

  Each file is written atomically, the page last; the same result gives the
  same bytes. The notices of the run are logged as warnings.

  Args:
    workdir: folder of the run.
    result: result of the protocol.
    summary: the content of report.json, from `summaries.with_audit`.
    clips: if they are synthetic, the page shows those with the worst errors.

  Raises:
    OSError: a file cannot be written.
  """
  workdir = pathlib.Path(workdir)
  for word, why in summary['notices'].items():
    logging.warning('%s: %s.', word, why)
  for name, content in figures.draw(result, summary).items():
    files.write(workdir / 'figures' / name, content)
  files.write(workdir / workdirs.REPORT, to_json(summary))
  for name, text in cards.write_cards(summary).items():
    files.write(workdir / name, text)
  # Faces of real people are shown only by `page`, where the user asks for it.
  shown = clips if clips is not None and clips.synthetic else None
  # The page last: where it is, all that it links to is complete.
  _page(workdir, summary, result.history, result.findings, shown)
  logging.info('%s', summary['verdict'])


def finished(workdir: str | os.PathLike) -> dict:
  """Reads report.json of a finished run.

  Raises:
    errors.UserError: the folder does not hold a finished run of this version.
  """
  path = pathlib.Path(workdir) / workdirs.REPORT
  found = facts.scores(path)
  missing = [key for key in summaries.KEYS if key not in found]
  if missing:
    raise errors.UserError(
      f'{path}: no {missing[0]}: not the report of a run of this version'
    )
  return found


def page(workdir: str | os.PathLike, clips: faces.Clips | None = None) -> None:
  """Rewrites report.html of a finished run from the files in its workdir.

  Args:
    workdir: folder of the run.
    clips: clips whose faces are shown; None shows no faces.

  Raises:
    errors.UserError: the folder does not hold a finished run.
  """
  workdir = pathlib.Path(workdir)
  summary = finished(workdir)
  found = findings.read(workdir / findings.FILE)
  _page(workdir, summary, metrics_log.read(workdir), found, clips)


def tables(summary: dict) -> list[rich.table.Table]:
  """Returns the tables for the terminal: all scores, and those by database."""
  databases = [_by_database(summary)] if summary['databases'] else []
  return [table(summary), *databases]


def table(summary: dict) -> rich.table.Table:
  """Returns the table of scores for the terminal.

  One row per number, with all its names: its value, its 95 % interval, the
  score of always predicting the commonest class and, for the paper's releases,
  the paper's claim.
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
  for key in metrics.NAMES:
    closing.add_row(*_row(summary, key))
  return closing


def _by_database(summary):
  """The table of summary['databases']."""
  words = ' · '.join([*summary['notices'], 'By database, pooled'])
  closing = rich.table.Table(title=words, title_justify='left')
  closing.add_column('database')
  for name in ('clips', 'UF1', 'UAR', 'accuracy'):
    closing.add_column(name, justify='right')
  for row in summary['databases']:
    values = [row['metrics'][key] for key in ('uf1', 'uar', 'accuracy')]
    # Names are those of somebody's table; rich would read [bold] as markup.
    closing.add_row(
      rich.markup.escape(escape.terminal(by_database.title(row))),
      str(row['clips']),
      *(f'{x:.3f}' for x in values),
    )
  return closing


def _page(workdir, summary, history, found, clips):
  """Writes report.html, with pictures of the worst clips if there are any."""
  beside = {
    # A link to a file that this run did not write would lead nowhere.
    name: what
    for name, what in _FILES.items()
    if (workdir / name).exists()
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
  """The cells of one score in `table`."""
  bounds = summary['intervals'][key]
  row = [
    metrics.title(key),
    f'{summary["metrics"][key]:.3f}',
    '{:.3f} to {:.3f}'.format(*bounds) if bounds else 'one subject',
    f'{summary["majority"][key]:.3f}',
  ]
  if summary['claims']:
    row.append(_claim(summary['claims'], key))
  return row


def _claim(claims, key):
  """The paper's claims under all names of a score; they may differ."""
  names = (key, *metrics.NAMES[key])
  claimed = {name: claims[name] for name in names if name in claims}
  if len(set(claimed.values())) > 1:
    return ', '.join(f'claim {x:.3f} ({k})' for k, x in claimed.items())
  return f'claim {next(iter(claimed.values())):.3f}' if claimed else ''


def to_json(summary: dict) -> str:
  """Returns the text of report.json.

  Raises:
    ValueError: a number is not finite.
  """
  return json.dumps(summary, indent=1, allow_nan=False, default=str) + '\n'
