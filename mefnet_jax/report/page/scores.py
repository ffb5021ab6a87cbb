"""The sections of report.html about scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from mefnet_jax.evaluation import by_database, published, results
from mefnet_jax.report.page import charts, markup

# Literature calls the same score by different names: all of them are listed, so
# that a reader finds the one that a paper reports.
_SCORES = {
  'uar': ('UAR', 'mean of the recall of each class (eq. 12)'),
  'recall': ('Recall', 'macro; the same as UAR'),
  'sensitivity': ('Sensitivity', 'another name for recall'),
  'uf1': ('UF1', 'mean of the F1 of each class, from pooled counts'),
  'f1': ('F1', 'macro; the same as UF1'),
  'war': ('WAR', 'recall weighted by class size (eq. 11)'),
  'accuracy': ('Accuracy', 'share of clips right; the same as WAR'),
  'precision': ('Precision', 'macro'),
  'specificity': ('Specificity', 'macro'),
}


def forest(summary: dict[str, Any]) -> str:
  """Returns a forest plot: three pooled scores on a scale from 0 to 1."""
  rows = ''.join(_forest_row(summary, key) for key in ('uar', 'uf1', 'war'))
  return f"""<figure class="forest">{rows}
<div class="forest-row" aria-hidden="true"><div class="scale">
<span>0</span><span>0.5</span><span>1</span></div></div>
<figcaption class="key"><span><i class="dot"></i>measured</span>
<span><i class="range"></i>95 % interval, by subject</span>
<span><i class="tick"></i>majority class</span></figcaption>
</figure>"""


def _forest_row(summary, key: str) -> str:
  """One score of the forest plot, with its interval and the majority class."""
  at, base = summary['metrics'][key], summary['majority'][key]
  bounds = summary['intervals'][key]
  span = ''
  if bounds:
    low, high = bounds
    span = (
      # The style sheet places them: the page needs no script and no picture.
      f'<i class="range" style="--at:{low:.4f};--wide:{high - low:.4f}"></i>'
    )
  return (
    f'<div class="forest-row"><b>{_SCORES[key][0]}</b>'
    f'<div class="track" aria-hidden="true">{span}'
    f'<i class="tick" style="--at:{base:.4f}"></i>'
    f'<i class="dot" style="--at:{at:.4f}"></i></div>'
    f'<div class="value"><b>{at:.3f}</b> {_interval(bounds)}</div></div>'
  )


def scores(summary: dict[str, Any]) -> str:
  """Returns every score, its interval, the baseline and the paper's claim."""
  claimed = summary['claims']
  head = {
    'Score': '',
    'Measured': 'number',
    '95 % interval': 'number wrap',
    'Majority class': 'number',
  }
  if claimed:
    # Only for data sets on which the paper reports.
    head['Claimed by the paper'] = 'number claim wrap'
  rows = []
  for key, (name, meaning) in _SCORES.items():
    row = [
      f'{name} <small>{meaning}</small>',
      f'<b>{summary["metrics"][key]:.3f}</b>',
      _interval(summary['intervals'][key]),
      f'{summary["majority"][key]:.3f}',
    ]
    if claimed:
      row.append(f'claim {claimed[key]:.3f}' if key in claimed else 'none')
    rows.append(row)
  caption = (
    f'{summary["clips"]} held-out clips of {summary["subjects"]} subjects, '
    'pooled over the folds, then scored. Intervals: bootstrap over subjects. '
    'Majority class: always predicting the commonest class.'
  )
  return (
    f'<section><h2>Scores</h2>{markup.table(caption, head, rows)}'
    f'{_detectable(summary)}{_claims_note(summary)}{_seeds(summary)}</section>'
  )


def _detectable(summary) -> str:
  """The difference to another run that these clips could show."""
  least = summary['detectable']
  return (
    '<p class="muted">A difference in accuracy of about '
    f'{least["power"]:.2f} to another run on these clips can be detected (80 % '
    'power, independent errors); no exact McNemar test can detect less than '
    f'{least["floor"]:.3f}.</p>'
  )


def _claims_note(summary) -> str:
  if not summary['claims']:
    return ''
  note = published.CLAIMS_NOTE
  if summary['release'] == 'synthetic':
    note += ' They are about real faces; this run used SYNTHETIC ones.'
  return f'<p class="muted">{markup.text(note)}</p>'


def _seeds(summary) -> str:
  """The scores of each seed, if the report is about their mean."""
  # A spread of one seed would be 0, and read as certainty.
  if len(summary['per_seed']) < 2:
    return ''
  head = {'Seed': ''} | dict.fromkeys(('UAR', 'UF1', 'WAR'), 'number')
  rows = [
    [x['seed'], *(f'{x["metrics"][key]:.3f}' for key in ('uar', 'uf1', 'war'))]
    for x in summary['per_seed']
  ]
  for name in ('mean', 'std'):
    spread = (summary['spread'][key][name] for key in ('uar', 'uf1', 'war'))
    rows.append([f'<b>{name}</b>', *(f'<b>{x:.3f}</b>' for x in spread)])
  caption = 'Each seed alone; the report scores their mean probabilities.'
  return f'<h3>Spread over seeds</h3>{markup.table(caption, head, rows)}'


def confusion(summary: dict[str, Any]) -> str:
  """Returns the confusion matrix as a table, and the scores by class."""
  names = [markup.text(name) for name in summary['classes']]
  columns = ''.join(f'<th scope="col">{name}</th>' for name in names)
  body = ''
  for name, row in zip(names, summary['confusion'], strict=True):
    # max: a class may have no held-out clip, in a run of few folds.
    shares = [count / max(sum(row), 1) for count in row]
    cells = ''.join(
      f'<td style="--share:{share:.3f}"><b>{count}</b>'
      f'<small>{share:.0%}</small></td>'
      for count, share in zip(row, shares, strict=True)
    )
    body += f'<tr><th scope="row">{name}</th>{cells}</tr>\n'
  caption = (
    'Held-out clips, and their share of the true class. Rows: true class. '
    'Columns: predicted class.'
  )
  matrix = markup.scrolling(
    caption,
    f'<table class="heat"><caption><span>{caption}</span></caption>'
    f'<thead><tr><td></td>{columns}</tr></thead><tbody>{body}</tbody></table>',
  )
  return (
    f'<section><h2>Confusion matrix</h2>{matrix}</section>'
    f'<section><h2>Classes</h2>{_classes(summary)}</section>'
  )


def curves(history: Sequence[Mapping[str, Any]], selection: str) -> str:
  """Returns loss and accuracy over the epochs; '' without a history."""
  # The history of a run that did not train is empty.
  drawn = {key: charts.curves(history, key) for key in ('loss', 'accuracy')}
  pair = ''.join(
    f'<div><h3>{key.capitalize()}</h3>{chart}</div>'
    for key, chart in drawn.items()
    if chart
  )
  if not pair:
    return ''
  held = ''
  if any(row['split'] == 'held-out' for row in history):
    name = markup.text(results.held_out_legend(selection))
    held = f'<span><i class="swatch held"></i>{name}</span>'
  return f"""<section><h2>Training</h2><figure><div class="pair">{pair}</div>
<figcaption class="key"><span><i class="swatch"></i>training</span> {held}
Line: mean of the folds; band: lowest to highest fold.</figcaption>
</figure></section>"""


def subjects(summary: dict[str, Any]) -> str:
  """Returns the accuracy of each subject, with bars."""
  head = {'Subject': '', 'Accuracy': 'number', '': 'wide'}
  head |= {'Right': 'number', 'Tested in': ''}
  rows = [
    [
      markup.text(person['subject']),
      f'{person["accuracy"]:.2f}',
      markup.bar(person['accuracy']),
      f'{person["correct"]} of {person["clips"]}',
      markup.text(', '.join(person['folds'])),
    ]
    for person in summary['per_subject']
  ]
  caption = (
    f"Share of each subject's clips that are right. All clips: "
    f'{summary["metrics"]["accuracy"]:.2f}; majority class: '
    f'{summary["baseline"]["majority_accuracy"]:.2f}.'
  )
  table = markup.table(caption, head, rows)
  return f'<section><h2>Subjects</h2>{table}</section>'


def _classes(summary) -> str:
  head = {'Class': '', 'Recall': 'number', '': 'wide spare'}
  head |= dict.fromkeys(('Precision', 'F1', 'Specificity', 'Clips'), 'number')
  rows = [
    [
      markup.text(row['class']),
      f'{row["recall"]:.3f}',
      markup.bar(row['recall']),
      *(f'{row[key]:.3f}' for key in ('precision', 'f1', 'specificity')),
      row['clips'],
    ]
    for row in summary['per_class']
  ]
  caption = 'Scores of each class. The bar is the recall; its mean is the UAR.'
  return markup.table(caption, head, rows)


def _interval(bounds) -> str:
  """An interval that may be broken into two lines."""
  # A bootstrap over subjects needs two of them.
  if not bounds:
    return 'one subject: none'
  return '{:.3f} to&nbsp;{:.3f}'.format(*bounds)


def databases(summary: dict[str, Any]) -> str:
  """Returns the scores by database of origin; '' for a single database."""
  if not summary['databases']:
    return ''
  head = {'Database': '', 'Clips': 'number'}
  head |= dict.fromkeys(('UF1', 'UAR', 'Accuracy'), 'number')
  rows = [
    [markup.text(by_database.title(row)), str(row['clips'])]
    + [f'{row["metrics"][key]:.3f}' for key in ('uf1', 'uar', 'accuracy')]
    for row in summary['databases']
  ]
  caption = 'The same pooled predictions, scored by database of origin.'
  table = markup.table(caption, head, rows)
  return f'<section><h2>Databases</h2>{table}</section>'
