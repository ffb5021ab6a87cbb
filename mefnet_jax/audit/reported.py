"""Compares reported scores with those of the predictions.

Reports use many names for one score, give it as a share or in per cent, round
it to any number of digits, and include absent classes or not; none of this is
an error.
"""

import decimal
import math
import re
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence
from mefnet_jax.evaluation import metrics
from mefnet_jax.runs import names

_TOLERANCE = 1e-3  # scores are often rounded to three digits
_AROUND = re.compile(r'^(test|pooled|overall|final)|(score|percent|pct|value)$')
# The names of each score, without case and punctuation. A name may stand for
# several definitions, see `_definitions`.
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
  for kind, called in _MACRO.items()
  for name in called.split()
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


def uncheckable(report: dict) -> list[str]:
  """Returns the names of a report's metrics that are not known scores.

  Args:
    report: the content of report.json.
  """
  return [n for n in report.get('metrics', {}) if not _definitions_of(n)]


def checkable(report: dict) -> list[str]:
  """Returns the names of a report's metrics that can be checked.

  Args:
    report: the content of report.json.
  """
  return [n for n in report.get('metrics', {}) if _definitions_of(n)]


def contradicted(run: evidence.Evidence, *, averaged: bool) -> Iterator[str]:
  """Yields reported scores that do not follow from the predictions.

  Args:
    run: the evidence on the run.
    averaged: whether to yield scores that are the mean over the folds, or the
      other ones.
  """
  claimed = {
    name: run.report['metrics'][name] for name in checkable(run.report)
  }
  if not claimed:
    return
  predicted, fold = run.predictions, np.array(run.predictions.fold)
  classes = len(predicted.classes)
  pooled = _definitions(predicted.label, predicted.predicted, classes)
  probable = pooled
  if predicted.probabilities is not None:
    most_probable = predicted.probabilities.argmax(1)
    probable = _definitions(predicted.label, most_probable, classes)
  single = [
    _definitions(predicted.label[at], predicted.predicted[at], classes)
    for at in (fold == name for name in np.unique(fold))
  ]
  most = max(map(_digits, claimed.values()))
  for name, value in claimed.items():
    kinds, digits = _definitions_of(name), _digits(value)
    if digits < (0 if value > 1 else 2):
      digits = most  # JSON writers drop the final zeros of 0.800
    if any(_matches(value, pooled[kind], digits) for kind in kinds):
      continue
    mean = [np.mean([x[kind] for x in single]) for kind in kinds]
    matching = [x for x in mean if _matches(value, x, digits)]
    if bool(matching) != averaged:
      continue
    source = 'the mean of the folds' if matching else 'neither'
    if not matching and any(
      _matches(value, probable[k], digits) for k in kinds
    ):
      source = 'that of the most probable classes, which predicted contradicts'
    share = value / 100 if value > 1 else value
    yield (
      f'{name} is reported as {share:.3f}; pooled {pooled[kinds[0]]:.3f}, mean '
      f'of the folds {(matching or mean)[0]:.3f}: it is {source}'
    )


def _definitions_of(name):
  """The definitions that a name may stand for; none for an unknown name.

  One known part is enough, such as UF1 in 'Unweighted F1-score (UF1)'.
  """
  for part in (name, *re.split(r'[()\[\]]', name)):
    plain = re.sub(r'[^a-z0-9]', '', names.key(part))
    plain = re.sub(r'f1?(score|measure)', 'f1', plain)
    found = _DEFINITIONS.get(plain) or _DEFINITIONS.get(_AROUND.sub('', plain))
    if found:
      return found
  return ()


def _definitions(label, predicted, classes):
  """Scores of predictions, with and without absent classes in the means."""
  counts_CC = metrics.confusion(label, predicted, classes)
  found = {k: float(x) for k, x in metrics.from_confusion(counts_CC).items()}
  table = metrics.per_class(counts_CC)
  true_C, predicted_C = counts_CC.sum(1), counts_CC.sum(0)
  present = {'uar': ('recall', true_C > 0), 'accuracy': ('accuracy', None)}
  for kind, column in (
    ('uf1', 'f1'),
    ('precision', 'precision'),
    ('specificity', 'specificity'),
  ):
    # scikit-learn takes a class as present if it is a label or a prediction.
    present[kind] = (column, (true_C > 0) | (predicted_C > 0))
  for kind, (column, mask_C) in present.items():
    found[f'{kind} of present classes'] = (
      found[column] if mask_C is None else float(table[column][mask_C].mean())
    )
  for column in ('f1', 'precision'):
    weighted = (table[column] * true_C).sum() / true_C.sum()
    found[f'{column} weighted'] = float(weighted)
  return found


def _matches(value, score, digits):
  """Whether a number is a score, as share or per cent, rounded or truncated."""
  for scale in (1, 100):
    shown = score * scale
    unit = 10.0**-digits
    if abs(value - shown) < max(_TOLERANCE * scale, unit / 2 + 1e-9):
      return True
    if abs(value - math.floor(shown / unit) * unit) < 1e-9 * scale:
      return True
  return False


def _digits(value):
  """The number of decimals of a number, as it was printed."""
  text = getattr(value, 'text', None) or repr(value)
  try:
    exponent = decimal.Decimal(text).as_tuple().exponent
  except decimal.InvalidOperation:
    return 17
  return min(17, max(0, -exponent))
