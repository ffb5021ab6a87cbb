"""The 357 expressions of CAS(ME)^2: subject, class and video of each.

Published are the 300 macro- and 57 micro-expressions of 22 people, the classes
of both, the number of micro-expressions of each person and of those in three
classes, their lengths, and the counts of videos watched and of self-reports.
The rest (who shows which macro-expression in which video) is drawn at random
so that it matches these sums.
"""

import dataclasses

import numpy as np

SUBJECTS = (
  *(15, 16, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33),
  *(34, 35, 36, 37, 38, 40),
)
CLASSES = ('negative', 'positive', 'surprise', 'others')
MICRO = {  # subject: micro-expressions of each class
  15: (0, 0, 0, 2),
  16: (1, 1, 3, 3),
  19: (0, 0, 0, 1),
  23: (0, 0, 0, 3),
  24: (4, 2, 1, 1),
  25: (4, 0, 0, 0),
  27: (7, 2, 0, 2),
  29: (0, 0, 0, 1),
  30: (0, 0, 0, 2),
  31: (0, 0, 2, 4),
  32: (3, 1, 2, 0),
  35: (1, 0, 1, 0),
  37: (1, 1, 0, 0),
  38: (0, 1, 0, 0),
}
MACRO = {'negative': 105, 'positive': 116, 'surprise': 16, 'others': 63}
MICRO_LENGTHS = dict(
  zip(range(9, 18), (2, 3, 5, 7, 9, 10, 9, 7, 5), strict=True)
)
WATCHED = {  # by class, in the order of VIDEO_NUMBERS
  'negative': (0, 64, 62),
  'positive': (124, 0, 0),
  'surprise': (13, 6, 6),
  'others': (30, 32, 20),
}
VIDEO_NUMBERS = {'happy': 5, 'anger': 2, 'disgust': 2}
REPORTS = {  # self-reports, by class
  'negative': 'disgust 60 anger 45 fear 10 sadness 6 helpless 3 pain 2',
  'positive': 'happiness 124',
  'surprise': 'surprise 23 fear 2',
  'others': 'happiness 23 disgust 14 surprise 13 anger 10 fear 9 sadness 3 '
  'pain 3 confused 3 helpless 2 sympathy 2',
}
VIDEOS = {  # clip prefix: code and name of the video
  'disgust1': '0101disgustingteeth',
  'disgust2': '0102eatingworms',
  'anger1': '0401girlcrashing',
  'anger2': '0402beating',
  'happy1': '0502funnyerrors',
  'happy2': '0503farting',
  'happy3': '0505funnyinnovations',
  'happy4': '0507climbingthewall',
  'happy5': '0508funnydonkey',
}
# Micro-expressions of these people are in videos with known defects.
CONCERNED = {
  ('others', 15): ('happy5',),
  ('others', 23): ('happy1', 'happy2', 'happy4'),
  ('positive', 24): ('happy4',),
}


@dataclasses.dataclass
class Expression:
  """One expression; `prefix` is the clip name's first part, see VIDEOS."""

  subject: int
  emotion: str
  macro: bool
  length: int = 0
  report: str = ''
  prefix: str = ''
  name: str = ''
  onset: int = 0


def draw(rng: np.random.Generator) -> list[Expression]:
  """Draws all 357 expressions, ordered by subject, video and onset."""
  found = [
    Expression(subject, emotion, macro=False)
    for subject, counts in MICRO.items()
    for emotion, count in zip(CLASSES, counts, strict=True)
    for _ in range(count)
  ]
  for emotion, count in MACRO.items():
    rounds = -(-count // len(SUBJECTS))
    order = [s for _ in range(rounds) for s in rng.permutation(SUBJECTS)]
    found += [Expression(int(s), emotion, macro=True) for s in order[:count]]
  _set_lengths(found, rng)
  for emotion in CLASSES:
    alike = [e for e in found if e.emotion == emotion]
    _set_prefixes(alike, rng)
    words = REPORTS[emotion].split()
    reports = np.repeat(words[::2], np.array(words[1::2], int))
    # A permutation of the published counts, so that every seed has them.
    for expression, report in zip(alike, rng.permutation(reports), strict=True):
      expression.report = str(report)
  _place(found, rng)
  return sorted(found, key=lambda e: (e.subject, e.prefix, e.onset))


def _set_lengths(found, rng):
  """Frames: micro 9 to 17, median 14; macro 4 to 118, median 31."""
  micro = np.repeat(list(MICRO_LENGTHS), list(MICRO_LENGTHS.values()))
  macro = np.round(31 * np.exp(0.6 * rng.standard_normal(298)))
  macro = np.concatenate([[4, 118], np.clip(macro, 5, 117)])
  for kind, lengths in ((False, micro), (True, macro)):
    own = [e for e in found if e.macro == kind]
    for expression, length in zip(own, rng.permutation(lengths), strict=True):
      expression.length = int(length)


def _set_prefixes(own, rng):
  """Gives the expressions of one class their videos."""
  families = list(np.repeat(list(VIDEO_NUMBERS), WATCHED[own[0].emotion]))
  wanted = {key: list(prefixes) for key, prefixes in CONCERNED.items()}
  for expression in own:
    prefixes = wanted.get((expression.emotion, expression.subject))
    if prefixes and not expression.macro:
      expression.prefix = prefixes.pop(0)
      families.remove('happy')
  free = [e for e in own if not e.prefix]
  for expression, family in zip(free, rng.permutation(families), strict=True):
    number = rng.integers(VIDEO_NUMBERS[str(family)]) + 1
    expression.prefix = f'{family}{number}'


def _place(found, rng):
  """Names expressions and places them in their videos, in any order."""
  for subject in SUBJECTS:
    for prefix in VIDEOS:
      own = [e for e in found if (e.subject, e.prefix) == (subject, prefix)]
      onset = int(rng.integers(20, 500))
      for number, k in enumerate(rng.permutation(len(own))):
        own[k].name = f'{prefix}_{number + 1}'
        own[k].onset = onset
        onset += own[k].length + int(rng.integers(20, 250))
