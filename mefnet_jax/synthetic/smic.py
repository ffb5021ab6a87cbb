"""The layout of SMIC: its clips and the paths of their frames.

Published are the 164 HS clips of 16 people, 70 negative, 51 positive and 43
surprise, and the totals per person, but not the classes of each person's
clips; the table here is one of those that match both sums.
"""

import dataclasses

import numpy as np

from mefnet_jax.runs import errors
from mefnet_jax.synthetic import camera, studio

CLASSES = ('negative', 'positive', 'surprise')
SHORT = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
COUNTS = {  # subject: clips of each class
  1: (3, 2, 1),
  2: (2, 2, 2),
  3: (17, 12, 10),
  4: (8, 6, 5),
  5: (1, 1, 0),
  6: (2, 1, 1),
  8: (5, 4, 4),
  9: (1, 2, 1),
  11: (3, 2, 2),
  12: (4, 3, 2),
  13: (4, 3, 3),
  14: (4, 3, 3),
  15: (2, 1, 1),
  18: (3, 2, 2),
  19: (1, 0, 1),
  20: (10, 7, 5),
}
SLOW_COUNTS = {  # VIS and NIR: 71 clips of 8 people, 28/23/20
  11: (3, 2, 2),
  12: (4, 3, 2),
  13: (4, 3, 3),
  14: (4, 3, 3),
  15: (2, 2, 1),
  18: (3, 3, 2),
  19: (1, 1, 2),
  20: (7, 6, 5),
}
FPS = {'hs': 100, 'vis': 25, 'nir': 25}
FAR = {3: 10, 13: 10, 18: 100}  # factor on the frame numbers of these subjects
CROPPED = camera.Camera(size=(168, 136), scale=66.0, eyes=(67.5, 74.0))
RAW = camera.Camera(size=(240, 320), scale=66.0, eyes=(159.5, 104.0))


def plan(
  seed: int,
  *,
  clips: int | None = None,
  subjects: int | None = None,
  subset: str = 'hs',
  form: str = 'cropped',
) -> studio.Plan:
  """Plans the clips of a release.

  Args:
    seed: the seed of all random choices.
    clips, subjects: maximum number of clips per subject, and of subjects.
    subset: hs, vis, nir, or all three together.
    form: cropped or raw.

  Raises:
    errors.UserError: the subset or the form is unknown.
  """
  if subset == 'all' and form in ('cropped', 'raw'):
    return _union(seed, clips, subjects, form)
  if subset not in FPS or form not in ('cropped', 'raw'):
    raise errors.UserError(
      f'SMIC has no {subset} in form {form}: --subset is hs, vis, nir or all, '
      '--form is cropped or raw'
    )
  counts = COUNTS if subset == 'hs' else SLOW_COUNTS
  rng = np.random.default_rng([seed, *b'smic plan'])
  total = sum(sum(own) for own in counts.values())
  lengths = iter(rng.permutation(_lengths(total, FPS[subset])))
  shots = []
  for subject, classes in counts.items():
    own = [int(next(lengths)) for _ in range(sum(classes))]
    starts = iter(_starts(subject, own, subset, rng))
    own = iter(own)
    for emotion, count in zip(CLASSES, classes, strict=True):
      for k in range(count):
        start = int(next(starts))
        numbers = tuple(range(start, start + next(own)))
        shots.append(_shot(subject, emotion, k + 1, numbers, subset, form))
  return studio.Plan(studio.limited(shots, clips, subjects))


def _union(seed, clips, subjects, form):
  """The clips of all three cameras; the names of their truths end with it."""
  shots = []
  for subset in FPS:
    own = plan(seed, clips=clips, subjects=subjects, subset=subset, form=form)
    shots += [
      dataclasses.replace(shot, name=f'{shot.name}_{subset}')
      for shot in own.shots
    ]
  return studio.Plan(shots)


def _lengths(count, fps):
  """The lengths of `count` clips in frames.

  At 100 frames per second: 11 to 58, mean 34, four below 18 (published).
  """
  low, mode, high = 18, 27.5, 58.9  # of a triangular distribution
  # Quantiles instead of random draws, so that every seed has this distribution.
  share = (np.arange(count - 4) + 0.5) / (count - 4)
  rising = low + np.sqrt(share * (high - low) * (mode - low))
  falling = high - np.sqrt((1 - share) * (high - low) * (high - mode))
  turn = (mode - low) / (high - low)
  lengths = np.where(share < turn, rising, falling).astype(int)
  lengths[-1] = 58
  lengths = np.concatenate([[11, 14, 15, 17], lengths])
  return np.maximum(np.round(lengths * fps / 100), 4).astype(int)


def _starts(subject, lengths, subset, rng):
  """The first frame numbers of a person's clips, in random order of class.

  HS numbers have six to eight digits; those of subject 8 cross 999999 within a
  clip, where sorting names as text fails. VIS and NIR numbers have five.
  """
  slow = subset != 'hs'
  gaps = rng.integers(300, 4000, len(lengths)) // (10 if slow else 1)
  order = rng.permutation(len(lengths))
  first = int(rng.integers(20_000, 400_000))
  first = first // 10 if slow else first * FAR.get(subject, 1)
  starts = np.empty(len(lengths), int)
  for k in order:
    starts[k] = first
    first += int(lengths[k] + gaps[k])
  if subject == 8:  # VIS and NIR have no such subject
    starts += 999_999 - lengths[order[0]] // 2 - starts[order[0]]
  return starts


def _shot(subject, emotion, number, numbers, subset, form):
  """One clip with the names of the real release."""
  name = f's{subject}_{SHORT[emotion]}_{number:02d}'
  folder = f'SMIC_all_{form}/{subset.upper()}/s{subject}/micro/{emotion}/{name}'
  prefix = 'reg_' if form == 'cropped' else ''
  pattern = 'image{:06d}.bmp' if subset == 'hs' else '{:05d}.bmp'
  return studio.Shot(
    dataset='smic',
    subject=subject,
    name=name,
    emotion=emotion,
    macro=False,
    fps=FPS[subset],
    numbers=numbers,
    camera=CROPPED if form == 'cropped' else RAW,
    folder=folder,
    pattern=prefix + pattern,
    infrared=subset == 'nir',
  )
