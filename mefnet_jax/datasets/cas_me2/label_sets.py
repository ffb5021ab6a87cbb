"""Label sets of CAS(ME)^2, with the numbers of clips that its authors state."""

import typing

SETS = {
  # Emotion estimated by the coders, 'others' left out or kept.
  'emotion3': ('negative', 'positive', 'surprise'),
  'emotion4': ('negative', 'positive', 'surprise', 'others'),
  # The emotions that people reported; the six rare answers are 'others'.
  'self_report': ('anger', 'disgust', 'happiness', 'surprise', 'others'),
  # The family of the video they watched.
  'elicitation': ('anger', 'disgust', 'happy'),
}
EMOTIONS = SETS['emotion4']
# (micro, macro) expressions with that estimated emotion.
_EMOTIONS = {
  'negative': (21, 105),
  'positive': (8, 116),
  'surprise': (9, 16),
  'others': (19, 63),
}
# Of the micro-expressions: all of a subject's, and those of emotion3.
_MICRO = {
  's15': (2, 0),
  's16': (8, 5),
  's19': (1, 0),
  's23': (3, 0),
  's24': (8, 7),
  's25': (4, 4),
  's27': (11, 9),
  's29': (1, 0),
  's30': (2, 0),
  's31': (6, 2),
  's32': (6, 6),
  's35': (2, 2),
  's37': (2, 2),
  's38': (1, 1),
}
_SUBJECTS = {
  ('micro', 'emotion3'): 9,
  ('micro', 'emotion4'): 14,
  ('macro', 'emotion4'): 22,
  ('both', 'emotion4'): 22,
}


class Expression(typing.Protocol):
  """The part of a `workbook.Expression` from which labels are made."""

  name: str
  self_report: str
  emotion: str


def label(expression: Expression, labels: str) -> int | None:
  """Returns the class of an expression; None where the set has none for it.

  Args:
    expression: a `workbook.Expression`.
    labels: a key of `SETS`.
  """
  classes = SETS[labels]
  if labels == 'elicitation':
    # The name of a clip begins with the family of the video: anger1_1.
    name = expression.name.rstrip('0123456789_')
  elif labels == 'self_report':
    rare = expression.self_report not in classes
    name = 'others' if rare else expression.self_report
  else:
    name = expression.emotion
  return classes.index(name) if name in classes else None


def published(labels: str, expressions: str) -> dict:
  """Returns the published counts that apply: clips, subjects, each class.

  For the micro-expressions also 'by_subject', the clips of each subject.

  Args:
    labels: a key of `SETS`.
    expressions: 'micro', 'macro' or 'both'.
  """
  columns = {'micro': [0], 'macro': [1], 'both': [0, 1]}[expressions]
  if labels not in ('emotion3', 'emotion4'):
    counts = {'clips': sum((57, 300)[i] for i in columns)}
    if expressions == 'both' and labels == 'elicitation':
      counts |= {'anger': 102, 'disgust': 88, 'happy': 167}
    if expressions == 'both' and labels == 'self_report':
      counts |= dict(anger=55, disgust=74, happiness=147, surprise=36)
    return counts | _subjects('emotion4', expressions)
  by_class = {
    name: sum(_EMOTIONS[name][i] for i in columns) for name in SETS[labels]
  }
  clips = sum(by_class.values())
  return {'clips': clips} | _subjects(labels, expressions) | by_class


def _subjects(labels, expressions):
  count = _SUBJECTS.get((expressions, labels))
  counted = {'subjects': count} if count else {}
  if expressions == 'micro':
    by_subject = {s: n[labels == 'emotion3'] for s, n in _MICRO.items()}
    counted['by_subject'] = {s: n for s, n in by_subject.items() if n}
  return counted
