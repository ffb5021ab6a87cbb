"""The layout of CAS(ME)^2: its expressions, its workbook, its folders.

Published: 300 macro- and 57 micro-expressions of 22 people, the classes of
both, the micro-expressions of each person and their three-class part. The
rest (who shows how many macro-expressions of which class, in which video) is a
fixed guess that meets the published sums.
"""

import dataclasses
import functools

import numpy as np

from mefnet_jax.synthetic import (
  camera,
  cas_me2_defects,
  cas_me2_workbook,
  studio,
  video,
)

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
MACRO = (105, 116, 16, 63)  # of each class
FAMILIES = {  # what was watched, by class: happy, anger, disgust
  'negative': (0, 64, 62),
  'positive': (124, 0, 0),
  'surprise': (13, 6, 6),
  'others': (30, 32, 20),
}
REPORTS = {  # self-reports, by class
  'negative': {
    'disgust': 60,
    'anger': 45,
    'fear': 10,
    'sadness': 6,
    'helpless': 3,
    'pain': 2,
  },
  'positive': {'happiness': 124},
  'surprise': {'surprise': 23, 'fear': 2},
  'others': {
    'happiness': 23,
    'disgust': 14,
    'surprise': 13,
    'anger': 10,
    'fear': 9,
    'sadness': 3,
    'pain': 3,
    'confused': 3,
    'helpless': 2,
    'sympathy': 2,
  },
}
CODES = {'happy': (1, 2, 3, 4, 5), 'anger': (1, 2), 'disgust': (1, 2)}
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
# Micro-expressions that known defects concern: subject -> prefixes.
FIXED = {15: ('happy5',), 23: ('happy1', 'happy2', 'happy4'), 24: ('happy4',)}
FPS = 30
VIEW = camera.Camera(size=(240, 320), scale=66.0, eyes=(159.5, 104.0))


@dataclasses.dataclass
class Expression:
  """One row of the workbook to be."""

  subject: int
  emotion: str
  macro: bool
  length: int
  family: str = ''
  report: str = ''
  prefix: str = ''
  name: str = ''
  onset: int = 0


def plan(
  seed, *, clips=None, subjects=None, macro=False, rawpic=0, defects=()
) -> studio.Plan:
  """What a release holds.

  Args:
    seed: of all that is drawn.
    clips, subjects: at most so many clips a subject and subjects.
    macro: whether the 300 macro-expressions are added.
    rawpic: how many long videos are written, the shortest ones.
    defects: names in `cas_me2_defects.KINDS`, or ('all',).

  Raises:
    UserError: no such defect, or nothing to plant it on.
  """
  rng = np.random.default_rng([seed, *b'cas_me2 plan'])
  expressions = _expressions(rng)
  if not macro:
    expressions = [e for e in expressions if not e.macro]
  shots = studio.limited([_shot(e, rng) for e in expressions], clips, subjects)
  kept = {shot.name for shot in shots}
  expressions = [e for e in expressions if f's{e.subject}_{e.name}' in kept]
  planted = cas_me2_defects.Defects(defects, rng)
  shots = planted.overlap(shots)
  rows = [
    cas_me2_workbook.row(
      SUBJECTS.index(e.subject) + 1, e, shot, studio.perform(shot, seed)
    )
    for e, shot in zip(expressions, shots, strict=True)
  ]
  planted.rows(rows)
  videos = _videos(shots, rawpic, planted)
  finish = functools.partial(_finish, rows=rows, planted=planted)
  return studio.Plan(shots, videos, finish)


def _expressions(rng):
  """All 357, in the workbook's order."""
  found = [
    Expression(subject, emotion, False, 0)
    for subject, counts in MICRO.items()
    for emotion, count in zip(CLASSES, counts, strict=True)
    for _ in range(count)
  ]
  # Micro and macro together are spread evenly over the classes' wants.
  for emotion, count in zip(CLASSES, MACRO, strict=True):
    order = np.concatenate([rng.permutation(SUBJECTS) for _ in range(7)])
    found += [Expression(int(s), emotion, True, 0) for s in order[:count]]
  _set_lengths(found, rng)
  _set_families(found, rng)
  _set_numbers(found, rng)
  return sorted(found, key=lambda e: (e.subject, e.prefix, e.onset))


def _set_lengths(found, rng):
  """Frames: micro 9 to 17, median 14; macro 4 to 118, median 31."""
  micro = np.repeat(np.arange(9, 18), (2, 3, 5, 7, 9, 10, 9, 7, 5))
  normal = np.sort(rng.standard_normal(298))
  macro = np.clip(np.round(31 * np.exp(0.6 * normal)), 5, 117)
  macro = np.concatenate([[4, 118], macro])
  for kind, lengths in ((False, micro), (True, macro)):
    own = [e for e in found if e.macro == kind]
    for expression, length in zip(own, rng.permutation(lengths), strict=True):
      expression.length = int(length)


def _set_families(found, rng):
  for emotion in CLASSES:
    own = [e for e in found if e.emotion == emotion]
    fixed = [
      e
      for e in own
      if not e.macro
      and e.subject in FIXED
      and emotion in ('others', 'positive')
    ]
    fixed = [
      e
      for k, e in enumerate(fixed)
      if sum(f.subject == e.subject for f in fixed[:k]) < len(FIXED[e.subject])
      and (emotion == 'positive') == (e.subject == 24)
    ]
    for k, expression in enumerate(fixed):
      rank = sum(f.subject == expression.subject for f in fixed[:k])
      expression.prefix = FIXED[expression.subject][rank]
      expression.family = 'happy'
    families = np.repeat(list(CODES), FAMILIES[emotion])[len(fixed) :]
    free = [e for e in own if not e.prefix]
    for expression, family in zip(free, rng.permutation(families), strict=True):
      expression.family = str(family)
      expression.prefix = f'{family}{rng.choice(CODES[str(family)])}'
    reports = [r for r, n in REPORTS[emotion].items() for _ in range(n)]
    for expression, report in zip(own, rng.permutation(reports), strict=True):
      expression.report = str(report)


def _set_numbers(found, rng):
  """Places the expressions in their videos, one after another."""
  for subject in SUBJECTS:
    for prefix in VIDEOS:
      own = [e for e in found if (e.subject, e.prefix) == (subject, prefix)]
      number = int(rng.integers(20, 500))
      for k, expression in enumerate(rng.permutation(np.array(own, object))):
        expression.name = f'{prefix}_{k + 1}'
        expression.onset = number
        number += expression.length + int(rng.integers(20, 250))


def _shot(expression, rng):
  top, left = rng.integers(-3, 4, 2) + (30, 92)
  subject, name = expression.subject, expression.name
  onset = expression.onset
  return studio.Shot(
    dataset='cas_me2',
    subject=subject,
    name=f's{subject}_{name}',
    emotion=expression.emotion,
    macro=expression.macro,
    fps=FPS,
    numbers=tuple(range(onset, onset + expression.length)),
    camera=VIEW,
    folder=f'CAS(ME)^2/selectedpic/s{subject}/{name}',
    pattern='img{:03d}.jpg',
    colour=True,
    crop_folder=f'CAS(ME)^2/cropped/{subject}/{name}',
    crop=(int(top), int(top) + 168, int(left), int(left) + 136),
  )


def _videos(shots, count, planted):
  """The `count` shortest long videos; the misfiled one always if wanted."""
  grouped = {}
  for shot in shots:
    prefix = shot.name.split('_')[1]
    grouped.setdefault((shot.subject, prefix), []).append(shot)
  found = []
  for (subject, prefix), own in grouped.items():
    name = f'{subject}_{VIDEOS[prefix]}'
    folder = planted.folder(f'CAS(ME)^2/rawpic/s{subject}/{name}')
    found.append(video.Video(tuple(own), folder))
  found.sort(key=lambda v: (v.last, v.folder))
  chosen = found[:count]
  return chosen + [v for v in found[count:] if planted.is_misfiled(v.folder)]


def _finish(root, truth, rows, planted):
  folder = root / 'CAS(ME)^2'
  planted.rearrange(folder)
  cas_me2_workbook.write(folder / planted.workbook, rows, SUBJECTS, VIDEOS)
  planted.write(truth / 'defects.json')
