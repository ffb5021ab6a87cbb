"""Compares runs pairwise, and formats the comparison as Markdown."""

import itertools
from collections.abc import Sequence
from typing import Any

from mefnet_jax.evaluation import paired_tests
from mefnet_jax.runs import escape, facts, predictions, workdirs

_TESTS = ('accuracy', 'uar', 'uf1')


def compare(names: Sequence[str], titles: Sequence[str] = ()) -> dict[str, Any]:
  """Compares all pairs of runs, with Holm's correction over the pairs.

  Args:
    names: two or more workdirs or predictions.csv files.
    titles: titles of the runs, by default their names.

  Returns:
    runs: their titles; pairs: the result of `paired_tests.compare` for each
    pair, with titles and Holm's p-values; notices: the titles of the runs that
    carry a warning, by warning (SYNTHETIC, LEAKY); notes: a caveat about a
    run's scores, by title.

  Raises:
    UserError: a file cannot be used, or the runs differ in their clips.
  """
  runs = [predictions.read(name) for name in names]
  titles, pairs = list(titles or names), []
  for i, j in itertools.combinations(range(len(names)), 2):
    found = paired_tests.compare(runs[i], runs[j])
    pairs.append({'one': titles[i], 'other': titles[j]} | found)
  for key in _TESTS:
    p = paired_tests.holm([pair['permutation'][key] for pair in pairs])
    for pair, adjusted in zip(pairs, p, strict=True):
      pair.setdefault('holm', {})[key] = adjusted
  # The correction is over the pairs, for each test separately.
  p = paired_tests.holm([pair['mcnemar']['p'] for pair in pairs])
  for pair, adjusted in zip(pairs, p, strict=True):
    pair['holm']['mcnemar'] = adjusted
  notices: dict[str, list[str]] = {}
  for title, run in zip(titles, runs, strict=True):
    # A predictions.csv of somebody else's has no report, and no notices.
    for word in _notices(run.path.with_name(workdirs.REPORT)):
      notices.setdefault(word, []).append(title)
  found_notes = zip(titles, map(predictions.contradiction, runs), strict=True)
  notes = {title: note for title, note in found_notes if note}
  return {'runs': titles, 'notices': notices, 'notes': notes, 'pairs': pairs}


def markdown(found: dict[str, Any]) -> str:
  """Formats the return value of `compare` as Markdown."""
  head = (
    '| runs | score | one | other | difference | 95 % interval | p, subjects '
    'permuted | Holm |\n|---|---|---|---|---|---|---|---|'
  )
  notices = [
    f'**{escape.markdown(word)}**: {escape.markdown(", ".join(runs))}.'
    for word, runs in found['notices'].items()
  ]
  notes = [
    f'{escape.markdown(title)}: {escape.markdown(note)}.'
    for title, note in found['notes'].items()
  ]
  pairs = [
    pair | {side: escape.markdown(pair[side]) for side in ('one', 'other')}
    for pair in found['pairs']
  ]
  return '\n\n'.join(
    [
      *notices,
      *notes,
      '\n'.join([head, *(row for pair in pairs for row in _rows(pair))]),
      *(_sentences(pair) for pair in pairs),
      f"Holm's correction: over {len(found['pairs'])} comparison(s) per test.",
    ]
  )


def _notices(path):
  """The notices of a run's report, if it has one."""
  return facts.scores(path).get('notices', {}) if path.exists() else ()


def _rows(pair):
  """Yields a row of the table for each score of a pair."""
  for key, x in pair['scores'].items():
    bounds = x['interval']
    text = '{:+.3f} to {:+.3f}'.format(*bounds) if bounds else 'one subject'
    yield (
      f'| {pair["one"]}, {pair["other"]} | {key} | {x["one"]:.3f} | '
      f'{x["other"]:.3f} | {x["difference"]:+.3f} | {text} | '
      f'{_p(pair["permutation"][key])} | {_p(pair["holm"][key])} |'
    )


def _sentences(pair):
  """The test results of a pair, in sentences."""
  m, least = pair['mcnemar'], pair['smallest']
  p = pair['holm']['uar']
  # Not "are equal": a test that finds nothing proves nothing.
  finding = 'differ' if p < 0.05 else 'cannot be told apart'
  return (
    f'{pair["one"]} and {pair["other"]} {finding} in UAR at the 5 % level '
    f'({pair["clips"]} clips of {pair["subjects"]} subjects). Exact McNemar: '
    f'only the first run is right on {m["only_one"]} clips, only the second '
    f'on {m["only_other"]}, p {_p(m["p"], "= ")} (Holm '
    f'{_p(pair["holm"]["mcnemar"])}; this test assumes that clips of one '
    f'person are independent). {_least(pair)} Below {least["floor"]:.3f} an '
    'exact McNemar test cannot reach 5 %.'
  )


def _least(pair):
  """The smallest difference that the pair could show."""
  least = pair['smallest']
  if least['clips'] is None:
    return (
      'Both runs are right on the same clips, so the smallest difference that '
      'they could show cannot be estimated.'
    )
  sentence = (
    'Smallest difference of accuracy that this pair could show with 80 % '
    'power: '
  )
  if least['subjects'] is None:
    return (
      f'{sentence}{least["clips"]:.3f} over clips; none over '
      f'{pair["subjects"]} subjects, whose permutation cannot reach 5 %.'
    )
  return (
    f'{sentence}{least["subjects"]:.3f} over subjects, '
    f'{least["clips"]:.3f} over clips.'
  )


def _p(value, equals=''):
  return f'{equals}{value:.4f}' if value >= 0.0001 else '< 0.0001'
