"""Scores as somebody reports them, held against what the predictions give.

Reports name one score in many ways, in shares or per cent, with as many digits
as they like, and leave absent classes out or not: none of that is a mistake.
"""

import decimal
import math
import re
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence
from mefnet_jax.evaluation import metrics

_CLOSE = 1e-3  # scores are often rounded to three digits
_AROUND = re.compile(r'^(test|pooled|overall|final)|(score|percent|pct|value)$')
# What a score is called, without case and marks, to the definitions that may
# be meant by it (`_definitions`).
_MACRO = {
  'accuracy': 'acc accuracy war weightedaveragerecall weightedrecall '
  'recallweighted microf1 f1micro microaccuracy top1 top1accuracy '
  'recognitionrate microrecall microprecision',
  'uar': 'uar unweightedaveragerecall unweightedrecall balancedaccuracy '
  'balancedacc bacc bac macrorecall recallmacro meanrecall averagerecall '
  'unweightedaccuracy meanclassaccuracy meanperclassaccuracy macroaccuracy '
  'sensitivity macrosensitivity sensitivitymacro tpr recallmacroavg',
  'uf1': 'uf1 unweightedf1 f1unweighted macrof1 f1macro meanf1 averagef1 '
  'macroavgf1 f1macroavg macroaveragedf1 unweightedaveragef1 mf1',
  'precision': 'macroprecision precisionmacro unweightedaverageprecision '
  'unweightedprecision ppv',
  'specificity': 'specificity macrospecificity specificitymacro tnr',
}
_DEFINITIONS = {
  name: (kind, f'{kind} of present classes')
  for kind, names in _MACRO.items()
  for name in names.split()
} | {
  'weightedf1': ('f1 weighted',),
  'f1weighted': ('f1 weighted',),
  'wf1': ('f1 weighted',),
  'weightedprecision': ('precision weighted',),
  'precisionweighted': ('precision weighted',),
  'f1': ('uf1', 'uf1 of present classes', 'f1 weighted', 'accuracy'),
  'recall': ('uar', 'uar of present classes', 'accuracy'),
  'precision': (
    'precision',
    'precision of present classes',
    'precision weighted',
    'accuracy',
  ),
}


def unknown(report: dict) -> list[str]:
  """Names in a report's metrics that are no score of predictions."""
  return [name for name in report.get('metrics', {}) if not _meant(name)]


def known(report: dict) -> list[str]:
  """Names in a report's metrics that can be checked."""
  return [name for name in report.get('metrics', {}) if _meant(name)]


def wrong(seen: evidence.Evidence) -> Iterator[str]:
  """Scores that do not follow from the predictions, and what they may be."""
  said = {name: seen.report['metrics'][name] for name in known(seen.report)}
  if not said:
    return
  made, fold = seen.made, np.array(seen.made.fold)
  classes = len(made.classes)
  pooled = _definitions(made.label, made.predicted, classes)
  single = [
    _definitions(made.label[at], made.predicted[at], classes)
    for at in (fold == name for name in np.unique(fold))
  ]
  digits = max(map(_digits, said.values()))
  for name, value in said.items():
    kinds = _meant(name)
    if any(_is(value, pooled[kind], digits) for kind in kinds):
      continue
    mean = [np.mean([x[kind] for x in single]) for kind in kinds]
    averaged = any(_is(value, x, digits) for x in mean)
    source = 'the mean of the folds' if averaged else 'neither'
    share = value / 100 if value > 1 else value
    yield (
      f'{name} is reported as {share:.3f}; pooled {pooled[kinds[0]]:.3f}, mean '
      f'of the folds {mean[0]:.3f}: it is {source}'
    )


def _meant(name):
  """The definitions that a name may stand for; none of an unknown name."""
  plain = re.sub(r'[^a-z0-9]', '', name.casefold())
  return _DEFINITIONS.get(plain) or _DEFINITIONS.get(_AROUND.sub('', plain), ())


def _definitions(label, predicted, classes):
  """Scores of predictions, absent classes in the mean and left out of it."""
  counts_CC = metrics.confusion(label, predicted, classes)
  found = {k: float(x) for k, x in metrics.from_confusion(counts_CC).items()}
  table = metrics.per_class(counts_CC)
  true_C, said_C = counts_CC.sum(1), counts_CC.sum(0)
  present = {'uar': ('recall', true_C > 0), 'accuracy': ('accuracy', None)}
  for kind, column in (
    ('uf1', 'f1'),
    ('precision', 'precision'),
    ('specificity', 'specificity'),
  ):
    present[kind] = (column, (true_C > 0) | (said_C > 0))
  for kind, (column, there) in present.items():
    found[f'{kind} of present classes'] = (
      found[column] if there is None else float(table[column][there].mean())
    )
  for column in ('f1', 'precision'):
    weighted = (table[column] * true_C).sum() / true_C.sum()
    found[f'{column} weighted'] = float(weighted)
  return found


def _is(said, score, digits):
  """Whether a number is this score: a share or per cent, rounded or cut."""
  for scale in (1, 100):
    shown = score * scale
    unit = 10.0**-digits
    if abs(said - shown) < max(_CLOSE * scale, unit / 2 + 1e-9):
      return True
    if abs(said - math.floor(shown / unit) * unit) < 1e-9 * scale:
      return True
  return False


def _digits(value):
  """How many digits stand behind the point of a number, as it was printed."""
  text = getattr(value, 'text', None) or repr(value)
  try:
    exponent = decimal.Decimal(text).as_tuple().exponent
  except decimal.InvalidOperation:
    return 17
  return min(17, max(0, -exponent))
