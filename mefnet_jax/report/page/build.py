"""Builds report.html: one self-contained page without scripts."""

import importlib.resources
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mefnet_jax.report.page import markup, scores, trust
from mefnet_jax.runs import findings as findings_file

# A release of thousands of damaged files would make a page that no browser
# shows; findings.csv has them all.
_MOST_FINDINGS = 200
_SELECTIONS = {
  'last': 'weights of the last epoch, chosen without held-out clips',
  'validation': 'epoch chosen on clips that neither train nor are tested',
  'oracle': 'epoch chosen on the scored clips: LEAKY',
}


def page(
  summary: dict[str, Any],
  history: Sequence[Mapping[str, Any]],
  findings: Iterable[findings_file.Finding],
  files: Mapping[str, str],
  pictures: Mapping[str, str] | None = None,
) -> str:
  """Returns the HTML of the whole page.

  Args:
    summary: the content of report.json.
    history: the rows of metrics.jsonl.
    findings: those of the release.
    files: names of the files to link to, each with a description.
    pictures: PNGs of clips as data URIs, by name of the clip.
  """
  title = markup.text(_title(summary))
  sections = (
    _header(summary, title),
    '<main>',
    # Scores first, then whether to trust them, then how they were obtained.
    scores.forest(summary),
    scores.scores(summary),
    scores.confusion(summary),
    scores.databases(summary),
    scores.subjects(summary),
    scores.curves(history, summary['selection']),
    trust.calibration(summary),
    trust.audited(summary),
    trust.mistakes(summary, pictures or {}),
    trust.published_scores(summary),
    _settings(summary),
    _findings(findings, summary),
    _files(files),
    '</main>',
    f'<footer class="muted">mefnet_jax. {title}.</footer>',
  )
  template = (
    importlib.resources.files('mefnet_jax.report.page') / 'template.html'
  )
  # `$title`, because the style sheet in the template is full of braces.
  return string.Template(template.read_text(encoding='utf-8')).substitute(
    title=title, body='\n'.join(sections)
  )


def _title(summary) -> str:
  """Notices first: the title goes into bookmarks and tabs."""
  run = '{model} on {dataset}, {protocol}'.format(**summary)
  return ' · '.join([*summary['notices'], run])


def _header(summary, title: str) -> str:
  notices = ''.join(
    f'<p class="notice"><strong>{word}:</strong> {markup.text(why)}.</p>'
    for word, why in summary['notices'].items()
  )
  verdict = f'<p class="verdict">{markup.text(summary["verdict"])}</p>'
  return f'<header><h1>{title}</h1>{verdict}{notices}</header>'


def _settings(summary) -> str:
  versions = ', '.join(f'{k} {v}' for k, v in summary['versions'].items())
  seconds = ', '.join(f'{k} {x:.1f}' for k, x in summary['seconds'].items())
  selection = _SELECTIONS.get(summary['selection'], '')
  pairs = {
    'Data': markup.text(_data(summary)),
    'Protocol': markup.text(_protocol(summary)),
    'Selection': markup.text(f'{summary["selection"]}: {selection}'),
    'Model': markup.text(
      f'{summary["model"]}, {summary["parameters"]:,} parameters'
    ),
    'Seeds': markup.text(', '.join(map(str, summary['seeds']))),
    'Hardware': markup.text(summary['device']),
    'Versions': markup.text(versions),
    'Seconds': markup.text(seconds),
    'Command': f'<pre>{markup.text(summary["command"])}</pre>',
  }
  rows = [
    [f'<code>{markup.text(name)}</code>', f'<code>{markup.text(value)}</code>']
    for name, value in _flat(summary['config'])
  ]
  config = markup.table('Resolved config', {'Field': '', 'Value': ''}, rows)
  return (
    f'<section><h2>What was run</h2>{markup.facts(pairs)}'
    f'<details><summary>Every setting</summary>{config}</details></section>'
  )


def _data(summary) -> str:
  counts = (f'{x["class"]} {x["clips"]}' for x in summary['per_class'])
  kind = 'SYNTHETIC' if summary['release'] == 'synthetic' else 'real'
  return (
    f'{summary["dataset"]}, {kind} release at {summary["release_path"]}; '
    f'scored: {summary["clips"]} clips of {summary["subjects"]} subjects '
    f'({", ".join(counts)})'
  )


def _protocol(summary) -> str:
  protocol, count = summary['protocol'], summary['folds']
  text = f'{protocol}, {count} fold' + ('s' if count != 1 else '')
  # "nobody is both" would be wrong here, whatever the protocol's name promises.
  if reason := summary['notices'].get('LEAKY'):
    return f'{text}: LEAKY, {reason}'
  return f'{text}: nobody is both trained on and tested'


def _flat(config, prefix: str = ''):
  """Pairs ('protocol.name', 'kfold') of a nested config."""
  for key, value in config.items():
    if isinstance(value, dict):
      yield from _flat(value, f'{prefix}{key}.')
    else:
      yield prefix + key, json.dumps(value, default=str)


def _findings(findings, summary) -> str:
  """The findings in the release, with all repairs and losses."""
  if not findings:
    return ''
  counts = ', '.join(f'{x} {kind}' for kind, x in summary['findings'].items())
  # Files that were found as expected are counted, and need no row.
  listed = [x for x in findings if x.kind != 'found']
  caption = f'Findings: {counts}.'
  if len(listed) > _MOST_FINDINGS:
    caption += f' The first {_MOST_FINDINGS} repairs and losses:'
  rows = [
    [markup.text(x) for x in (finding.kind, finding.clip)]
    + [f'<code>{markup.text(finding.file)}</code>', markup.text(finding.what)]
    for finding in listed[:_MOST_FINDINGS]
  ]
  head = {'Kind': '', 'Clip': '', 'File': 'path', 'What': ''}
  body = f'<p>{caption} Nothing was repaired or left out.</p>'
  if listed:
    body = markup.table(caption, head, rows)
  return f'<section><h2>The release</h2>{body}</section>'


def _files(files: dict[str, str]) -> str:
  head = {'File': '', 'Content': ''}
  rows = [
    [f'<a href="{markup.text(name)}">{markup.text(name)}</a>', what]
    for name, what in files.items()
  ]
  table = markup.table('Files beside this page', head, rows)
  return f'<section><h2>Files of the run</h2>{table}</section>'
