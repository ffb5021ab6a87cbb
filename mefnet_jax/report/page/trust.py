"""The sections of report.html on whether its scores can be trusted."""

from collections.abc import Mapping
from typing import Any

from mefnet_jax.audit import audit, checks
from mefnet_jax.evaluation import published
from mefnet_jax.report.page import charts, markup

_MOST_OF_A_KIND = 3  # leaks of one kind that are listed


def audited(summary: dict[str, Any]) -> str:
  """Returns the leaks, the kinds that were checked, and the probes."""
  found = summary['audit']
  if 'checked' not in found:
    return ''
  leaks = _leaks(found['leaks'])
  verdict = (
    f'<p><strong>Leaks found: {len(found["leaks"])}.</strong></p>'
    f'<ul class="leaks">{leaks}</ul>'
    if leaks
    else f'<p><strong>No leak found</strong>; {len(found["checked"])} kinds '
    'were checked.</p>'
  )
  rows = [[markup.text(kind), _state(kind, found)] for kind in checks.KINDS]
  table = markup.table(
    'Kinds of leak. python -m mefnet_jax.audit repeats these checks.',
    {'Kind': '', 'Found': ''},
    rows,
  )
  probes = ''.join(
    f'<li>{markup.text(line)}</li>' for line in audit.probe_sentences(found)
  )
  if probes:
    probes = (
      '<h3>Probes</h3><p class="muted">A linear model on a perceptual hash of '
      'each clip, without the network: does it identify the people, and do the '
      f'folds score above chance on permuted labels?</p><ul>{probes}</ul>'
    )
  return f"""<section><h2>Audit</h2>{verdict}
<details><summary>All kinds</summary>{table}</details>{probes}</section>"""


def _leaks(leaks) -> str:
  """List items, at most three of each kind."""
  kinds = {}
  for leak in leaks:
    kinds.setdefault(leak.partition(':')[0], []).append(leak)
  items = []
  for kind, found in kinds.items():
    items += found[:_MOST_OF_A_KIND]
    more = len(found) - _MOST_OF_A_KIND
    if more > 0:
      items.append(f'{kind}: {more} more, in report.json')
  return ''.join(f'<li>{markup.text(item)}</li>' for item in items)


def _state(kind, found) -> str:
  """Whether a kind of leak was found, not found, or not checked."""
  if kind in found['kinds']:
    return '<strong class="bad">found</strong>'
  # "No" would claim a check that the files did not allow.
  if kind in found['not_checked']:
    missing = found['not_checked'][kind]
    return f'<span class="muted">not checked (missing: {missing})</span>'
  return 'no'


def calibration(summary: dict[str, Any]) -> str:
  """Returns the reliability diagram and the calibration errors."""
  found = summary['calibration']
  chart = charts.reliability(found['bins'])
  pairs = {
    'ECE': f'{found["ece"]:.3f}, the mean gap between confidence and accuracy',
    'Balanced log-loss': f'{found["balanced_log_loss"]:.3f}; equal '
    f'probabilities would get {found["guess_log_loss"]:.3f}',
    'Log-loss': f'{found["log_loss"]:.3f}, over clips instead of classes',
  }
  return f"""<section><h2>Calibration</h2><div class="pair"><figure>{chart}
<figcaption>Accuracy over confidence in ten bins; dot area: number of clips.
On the dashed line, predictions made with 80 % are right in 80 % of the cases.
</figcaption></figure>{markup.facts(pairs)}</div></section>"""


def mistakes(summary: dict[str, Any], pictures: Mapping[str, str]) -> str:
  """Returns the wrong clips with the highest predicted probabilities.

  Args:
    summary: the content of report.json.
    pictures: PNGs of clips as data URIs, by name of the clip.
  """
  head = {'Clip': '', 'True': '', 'Predicted': '', 'Probability': 'number'}
  head |= {'For the true class': 'number wrap'}
  rows = [
    [
      _face(x, pictures) + markup.text(x['clip']),
      markup.text(x['label']),
      markup.text(x['predicted']),
      f'{x["probability"]:.3f}',
      f'{x["true_probability"]:.3f}',
    ]
    for x in summary['mistakes']
  ]
  body = '<p>No held-out clip is wrong.</p>'
  if rows:
    caption = 'Wrong clips, the most confident errors first.'
    if pictures:
      kind = 'SYNTHETIC faces: ' if summary['release'] == 'synthetic' else ''
      caption += (
        f' {kind}onset, middle frame, and their difference, amplified eight '
        'times.'
      )
    elif summary['release'] == 'real':
      caption += ' Faces of real people are hidden; see --show-faces.'
    body = markup.table(caption, head, rows)
  return f'<section><h2>Worst clips</h2>{body}</section>'


def _face(mistake, pictures) -> str:
  """The picture of a clip as an HTML element; '' if there is none."""
  uri = pictures.get(mistake['clip'])
  if not uri:
    return ''
  alt = markup.text(f'Clip {mistake["clip"]}: onset, middle, motion')
  return f'<img src="{uri}" alt="{alt}" width="192" height="64"> '


def published_scores(summary: dict[str, Any]) -> str:
  """Returns the run beside published scores that are comparable with it."""
  found = published.comparable(summary)
  why = ''.join(
    f'<li>{count} published: {markup.text(reason)}</li>'
    for reason, count in found['why'].items()
  )
  # Without a row of the same people, classes and protocol: a bare comparison
  # would mislead.
  body = '<p>No published score is comparable with this run.</p>'
  if found['rows']:
    head = {'Method': ''} | dict.fromkeys(('Accuracy', 'UF1', 'UAR'), 'number')
    head |= {'Protocol': '', 'Source': ''}
    keys = ('accuracy', 'uf1', 'uar')
    rows = [
      ['<b>this run</b>']
      + [f'<b>{summary["metrics"][key]:.3f}</b>' for key in keys]
      + [markup.text(summary['protocol']), 'measured here']
    ]
    for row in found['rows']:
      rows.append(
        [markup.text(row['method'])]
        + [published.format_score(row, key) for key in keys]
        + [markup.text(row['protocol']), markup.text(row['source'])]
      )
    body = markup.table(published.LITERATURE_NOTE, head, rows)
  return (
    f'<section><h2>Published scores</h2>{body}'
    f'<details><summary>What is left out, and why</summary><ul>{why}</ul>'
    '</details></section>'
  )
