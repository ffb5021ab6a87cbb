"""The comparison of runs in words: tables for the terminal and for files."""

import itertools

from mefnet_jax.evaluation import paired_tests
from mefnet_jax.runs import facts, predictions

_TESTS = ('accuracy', 'uar', 'uf1')


def compare(names: list[str], titles: list[str] = ()) -> dict:
  """All pairs of two or more runs; Holm over the pairs.

  Args:
    names: workdirs or predictions.csv files.
    titles: what the runs are called; as their names if not given.

  Returns:
    runs, pairs: `paired_tests.compare` of each, with titles and Holm's p;
    notices: words such as SYNTHETIC to the runs whose report.json has them.

  Raises:
    UserError: a file that cannot be used, or clips that are not the same.
  """
  made = [predictions.read(name) for name in names]
  titles, pairs = list(titles or names), []
  for i, j in itertools.combinations(range(len(names)), 2):
    found = paired_tests.compare(made[i], made[j])
    pairs.append({'one': titles[i], 'other': titles[j]} | found)
  for key in _TESTS:
    p = paired_tests.holm([pair['permutation'][key] for pair in pairs])
    for pair, adjusted in zip(pairs, p, strict=True):
      pair.setdefault('holm', {})[key] = adjusted
  p = paired_tests.holm([pair['mcnemar']['p'] for pair in pairs])
  for pair, adjusted in zip(pairs, p, strict=True):
    pair['holm']['mcnemar'] = adjusted
  notices: dict[str, list[str]] = {}
  for title, one in zip(titles, made, strict=True):
    for word in _notices(one.path.with_name('report.json')):
      notices.setdefault(word, []).append(title)
  return {'runs': titles, 'notices': notices, 'pairs': pairs}


def markdown(found: dict) -> str:
  """The comparison in Markdown, which reads well on a terminal too."""
  head = (
    '| runs | score | one | other | difference | 95 % interval | p, subjects '
    'permuted | Holm |\n|---|---|---|---|---|---|---|---|'
  )
  notices = [f'**{x}**: {", ".join(y)}.' for x, y in found['notices'].items()]
  return '\n\n'.join(
    [
      *notices,
      '\n'.join([head, *(x for pair in found['pairs'] for x in _rows(pair))]),
      *(_words(pair) for pair in found['pairs']),
      f'Holm: over {len(found["pairs"])} comparison(s) of one test.',
    ]
  )


def _notices(path):
  """The reservations that a run's report makes, if it has one."""
  return facts.scores(path).get('notices', {}) if path.exists() else ()


def _rows(pair):
  for key, x in pair['scores'].items():
    bounds = x['interval']
    said = '{:+.3f} to {:+.3f}'.format(*bounds) if bounds else 'one subject'
    yield (
      f'| {pair["one"]}, {pair["other"]} | {key} | {x["one"]:.3f} | '
      f'{x["other"]:.3f} | {x["difference"]:+.3f} | {said} | '
      f'{_p(pair["permutation"][key])} | {_p(pair["holm"][key])} |'
    )


def _words(pair):
  """What the tests of a pair say, in sentences."""
  m, least = pair['mcnemar'], pair['smallest']
  p = pair['holm']['uar']
  finding = 'differ' if p < 0.05 else 'cannot be told apart'
  return (
    f'{pair["one"]} and {pair["other"]} {finding} in UAR at the 5 % level '
    f'({pair["clips"]} clips of {pair["subjects"]} subjects). Exact McNemar: '
    f'{m["only_one"]} clips only the first has right, {m["only_other"]} only '
    f'the second, p {_p(m["p"], "= ")} (Holm {_p(pair["holm"]["mcnemar"])}; '
    f'takes clips of a person as independent). {_least(pair)} Below '
    f'{least["floor"]:.3f} an exact McNemar test cannot reach 5 %.'
  )


def _least(pair):
  """The smallest difference that the pair could show."""
  least = pair['smallest']
  if least['clips'] is None:
    return (
      'Both are right on the same clips, so what difference they could show '
      'cannot be told.'
    )
  said = (
    'Smallest difference of accuracy that this pair could show with 80 % '
    'power: '
  )
  if least['subjects'] is None:
    return (
      f'{said}{least["clips"]:.3f} over clips; over {pair["subjects"]} '
      'subjects none, their permutation cannot reach 5 %.'
    )
  return (
    f'{said}{least["subjects"]:.3f} over subjects, {least["clips"]:.3f} over '
    'clips.'
  )


def _p(value, equals=''):
  return f'{equals}{value:.4f}' if value >= 0.0001 else '< 0.0001'
