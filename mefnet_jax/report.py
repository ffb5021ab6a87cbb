"""Writes what a run leaves for people and tools, and the closing table.

python -m mefnet_jax.report compare RUN RUN [RUN ...] [--out=FILE.json]
    Are they different? Each RUN is a workdir or a predictions.csv.
python -m mefnet_jax.report page RUN [--show-faces]
    Writes report.html again; --show-faces with faces of a licensed release.
"""

import csv
import dataclasses
import io
import json
import os
import pathlib

from absl import flags, logging

from mefnet_jax import (
  audit,
  cards,
  commands,
  comparing,
  errors,
  evidence,
  facts,
  figures,
  findings,
  report_faces,
  report_html,
  results,
)

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
  workdir: str | os.PathLike, result: results.Result, *, clips=None
) -> dict:
  """Writes predictions.csv, report.json, report.html, cards and figures/.

  Each file is written aside and renamed, the page last; the same result gives
  the same bytes. Where the run left folds.csv, it is audited. Logs the
  reservations under which the scores hold.

  Args:
    workdir: of the run.
    result: of the protocol.
    clips: `datasets.Clips`; if synthetic, the page shows the worst of them.

  Returns:
    The summary, as in report.json.
  """
  workdir = pathlib.Path(workdir)
  _save(workdir / 'predictions.csv', _predictions(result).encode())
  if (workdir / 'folds.csv').exists():
    seen = evidence.of_run(workdir, report=results.summary(result))
    result = dataclasses.replace(result, audit=audit.find(seen))
  summary = results.summary(result)
  for word, why in summary['notices'].items():
    logging.warning('%s: %s.', word, why)
  for name, content in figures.draw(result, summary).items():
    _save(workdir / 'figures' / name, content)
  _save(workdir / 'report.json', _json(summary).encode())
  for name, text in cards.both(summary).items():
    _save(workdir / name, text.encode())
  shown = clips if clips is not None and clips.synthetic else None
  _page(workdir, summary, result.history, result.findings, shown)
  logging.info('%s', summary['verdict'])
  return summary


def page(workdir: str | os.PathLike, *, show_faces: bool = False) -> None:
  """Writes report.html of a finished run again, from what lies in its folder.

  Synthetic faces are shown, those of a licensed release with show_faces only.

  Raises:
    UserError: the folder holds no finished run.
  """
  workdir = pathlib.Path(workdir)
  summary = _finished(workdir)
  clips = None
  if show_faces or summary['release'] == 'synthetic':
    import ml_collections

    from mefnet_jax import datasets

    config = ml_collections.ConfigDict(summary['config'])
    clips = datasets.load(config.dataset)
  path = workdir / 'findings.csv'
  found = _csv(path) if path.exists() else []
  _page(
    workdir,
    summary,
    evidence.history(workdir / 'metrics.jsonl'),
    [findings.Finding(**row) for row in found],
    clips,
  )


def table(summary: dict):
  """The closing table on the terminal, a rich.table.Table.

  A row a score: measured, its 95 % interval, what always answering the
  commonest class would get and, for the paper's releases, the paper's claim.
  """
  from rich import table as tables
  from rich import text

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


def main(words):
  """`compare A B ...`, `page W`: see the head of this file."""
  given = flags.FLAGS
  if words[:1] == ['page'] and len(words) == 2:
    page(words[1], show_faces=given['show-faces'].value)
    print(f'report: {pathlib.Path(words[1]) / "report.html"}')
  elif words[:1] == ['compare'] and len(words) > 2:
    found = comparing.compare(words[1:])
    print(comparing.told(found))
    if given.out:
      _save(pathlib.Path(given.out), _json(found).encode())
  else:
    raise errors.UserError('say `compare A B [C ...]` or `page W`: see --help')


def _page(workdir, summary, history, found, clips):
  """report.html, with pictures of the worst of these clips if any."""
  files = {
    name: what for name, what in _FILES.items() if (workdir / name).exists()
  }
  pictures = {}
  if clips is not None:
    names = [x['clip'] for x in summary['mistakes']]
    pictures = report_faces.strips(clips, names)
  text = report_html.page(summary, history, found, files, pictures)
  _save(workdir / 'report.html', text.encode())


def _finished(workdir):
  """report.json of a finished run."""
  path = workdir / 'report.json'
  found = facts.scores(path)
  lacking = [key for key in results.KEYS if key not in found]
  if lacking:
    raise errors.UserError(
      f'{path}: no {lacking[0]}: not the report of a run of this version'
    )
  return found


def _csv(path):
  with path.open(newline='', encoding='utf-8') as file:
    return list(csv.DictReader(file))


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


def _define():
  flags.DEFINE_bool('show-faces', False, 'Show faces of a licensed release.')
  flags.DEFINE_string('out', '', 'Write the comparison as JSON.')


if __name__ == '__main__':
  _define()
  taken = commands.words()
  commands.run(lambda: main(taken))
