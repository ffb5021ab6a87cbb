"""What real codings hold: action units of each class, and their sides.

Shares of the combinations in the codings of CASME II and SAMM, rounded; a
rendered release has its own, simpler ones (`emotions.PROTOTYPES`).
"""

import numpy as np

from mefnet_jax.synthetic import emotions, motion_basis

CLASSES = ('negative', 'positive', 'surprise')
AUS = emotions.AUS
# Class: action units and how often they come together.
CODED = {
  'negative': (
    ((4,), 0.22),
    ((4, 7), 0.22),
    ((14,), 0.08),
    ((4, 7, 9), 0.06),
    ((4, 9), 0.05),
    ((4, 7, 10), 0.05),
    ((9, 10), 0.04),
    ((10,), 0.04),
    ((7,), 0.04),
    ((1, 4), 0.04),
    ((17,), 0.04),
    ((15,), 0.03),
    ((24,), 0.03),
    ((4, 24), 0.03),
    ((4, 14), 0.03),
    ((4, 15), 0.03),
    ((4, 17), 0.03),
    ((15, 17), 0.03),
    ((20,), 0.02),
  ),
  'positive': (
    ((6, 12), 0.45),
    ((12,), 0.35),
    ((12, 14), 0.06),
    ((6, 12, 25), 0.05),
    ((12, 25), 0.05),
    ((6,), 0.04),
  ),
  'surprise': (
    ((1, 2), 0.45),
    ((1, 2, 5), 0.15),
    ((1, 2, 25), 0.1),
    ((1, 2, 5, 26), 0.1),
    ((25, 26), 0.06),
    ((1,), 0.06),
    ((2,), 0.05),
    ((5,), 0.03),
  ),
}
# Action unit: how often it is seen on one side only.
ONE_SIDED = {
  14: 0.5,
  12: 0.2,
  15: 0.2,
  10: 0.2,
  2: 0.15,
  7: 0.1,
  6: 0.1,
  4: 0.08,
}


def table() -> tuple[np.ndarray, np.ndarray]:
  """The combinations: (C, K, A) booleans, and their shares (C, K).

  K is that of the class with most of them; the others' shares end in zeros.
  """
  most = max(map(len, CODED.values()))
  units = np.zeros((len(CLASSES), most, len(AUS)), bool)
  share = np.zeros((len(CLASSES), most), np.float32)
  for c, name in enumerate(CLASSES):
    for k, (together, often) in enumerate(CODED[name]):
      units[c, k, [AUS.index(unit) for unit in together]] = True
      share[c, k] = often
  return units, share / share.sum(axis=1, keepdims=True)


def one_sided() -> np.ndarray:
  """(A,) how often each action unit is seen on one side only."""
  return np.array([ONE_SIDED.get(unit, 0) for unit in AUS], np.float32)


def motions() -> np.ndarray:
  """(2, A, M) what each side of an action unit moves, at full strength.

  The first index is the side, left first. A face unit in the middle of the
  face follows both sides, half and half.
  """
  names = motion_basis.motions()
  made = np.zeros((2, len(AUS), len(names)), np.float32)
  for a, unit in enumerate(AUS):
    for name, share in emotions.ACTION_UNITS[unit].items():
      for side, end in enumerate(('Left', 'Right')):
        if name.endswith('*'):
          made[side, a, names.index(name[:-1] + end)] += share
        else:
          made[side, a, names.index(name)] += share / 2
  return made
