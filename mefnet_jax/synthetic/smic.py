"""The layout of SMIC: which clips there are, and where their frames go.

Published: 164 HS clips of 16 people, 70 negative, 51 positive, 43 surprise,
and the totals per person. How each person's clips divide into classes is not;
the table here is one that meets both sums.
"""

import numpy as np

from mefnet_jax.synthetic import render, studio

CLASSES = ('negative', 'positive', 'surprise')
SHORT = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
COUNTS = {  # subject: clips of each class
  1: (3, 2, 1), 2: (2, 2, 2), 3: (17, 12, 10), 4: (8, 6, 5), 5: (1, 1, 0),
  6: (2, 1, 1), 8: (5, 4, 4), 9: (1, 2, 1), 11: (3, 2, 2), 12: (4, 3, 2),
  13: (4, 3, 3), 14: (4, 3, 3), 15: (2, 1, 1), 18: (3, 2, 2), 19: (1, 0, 1),
  20: (10, 7, 5),
}
SLOW_COUNTS = {  # VIS and NIR: 71 clips of 8 people, 28/23/20
  11: (3, 2, 2), 12: (4, 3, 2), 13: (4, 3, 3), 14: (4, 3, 3), 15: (2, 2, 1),
  18: (3, 3, 2), 19: (1, 1, 2), 20: (7, 6, 5),
}
CROPPED = render.Camera(size=(168, 136), scale=66.0, eyes=(67.5, 74.0))
RAW = render.Camera(size=(240, 320), scale=66.0, eyes=(159.5, 104.0))


def plan(rng, *, subset='hs', form='cropped', clips=None, subjects=None):
  """The clips of a release, as `studio.Shot`s.

  Args:
    rng: numpy Generator.
    subset: hs, vis or nir.
    form: cropped or raw.
    clips, subjects: at most so many clips a subject and subjects.
  """
  counts = COUNTS if subset == 'hs' else SLOW_COUNTS
  fps = 100 if subset == 'hs' else 25
  total = sum(map(sum, counts.values()))
  lengths = rng.permutation(_lengths(total, fps))
  shots = []
  for subject, classes in counts.items():
    names = [(emotion, k + 1) for emotion, count in zip(CLASSES, classes)
             for k in range(count)]
    lengths, own = lengths[len(names):], lengths[:len(names)]
    starts = _starts(subject, own, rng)
    for (emotion, k), length, start in zip(names, own, starts):
      shots.append(_shot(subject, emotion, k, range(start, start + length),
                         subset, form, fps))
  return studio.limited(shots, clips, subjects)


def _lengths(total, fps):
  """11 to 58 frames, mean 34, four below 18 (at 100 frames a second)."""
  short = [11, 14, 15, 17]
  share = (np.arange(total - 4) + 0.5) / (total - 4)
  low, mode, high = 18, 27.5, 58.5
  turn = (mode - low) / (high - low)
  rising = low + np.sqrt(share * (high - low) * (mode - low))
  falling = high - np.sqrt((1 - share) * (high - low) * (high - mode))
  lengths = np.where(share < turn, rising, falling).astype(int)
  lengths = np.concatenate([short, lengths])
  return lengths if fps == 100 else np.maximum(np.round(lengths * 0.3), 4).astype(int)


def _starts(subject, lengths, rng):
  """First frame numbers of a person's clips, in any order of class.

  Numbers have six to eight digits; one clip of subject 8 passes 999999, where
  sorting names as text goes wrong.
  """
  gaps = rng.integers(300, 4000, len(lengths))
  order = rng.permutation(len(lengths))
  first = int(rng.integers(20_000, 400_000)) * (10 if subject % 5 == 3 else 1)
  starts = np.empty(len(lengths), int)
  for k in order:
    starts[k] = first
    first += int(lengths[k] + gaps[k])
  if subject == 8:
    starts += 999_999 - lengths[order[0]] // 2 - starts[order[0]]
  return starts


def _shot(subject, emotion, number, numbers, subset, form, fps):
  name = f's{subject}_{SHORT[emotion]}_{number:02d}'
  folder = (f'SMIC_all_{form}/{subset.upper()}/s{subject}/micro/'
            f'{emotion}/{name}')
  prefix = 'reg_' if form == 'cropped' else ''
  pattern = 'image{:06d}.bmp' if subset == 'hs' else '{:05d}.bmp'
  camera = CROPPED if form == 'cropped' else RAW
  return studio.Shot(
    subject=subject, name=name, emotion=emotion, macro=False, fps=fps,
    numbers=tuple(int(n) for n in numbers), camera=camera, colour=False,
    folders=(folder,), pattern=prefix + pattern, infrared=subset == 'nir')
