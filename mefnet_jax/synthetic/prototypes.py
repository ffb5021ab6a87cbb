"""Statistics of real codings: the action units of each class, and their sides.

Shares of the combinations in the codings of CASME II and SAMM, rounded; a
rendered release has its own, simpler ones (`emotions.PROTOTYPES`).
"""

import numpy as np

from mefnet_jax.synthetic import emotions, motion_basis

CLASSES = ('negative', 'positive', 'surprise')
AUS = emotions.AUS
# Class: combinations of action units, and how often each occurs.
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
# Action unit: how often it is on one side only.
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
# Another form of an action unit: the muscle moves its neighbourhood too, which
# the face units of a drawn head do not. A map has something between the two.
FORMS = {
  2: {'browOuterUp*': 1.0, 'browInnerUp': 0.3},
  6: {'cheekSquint*': 0.7, 'eyeSquint*': 0.8},
  7: {'eyeSquint*': 1.0, 'eyeBlink*': 0.1},
  9: {'noseSneer*': 1.0, 'mouthUpperUp*': 0.3, 'browDown*': 0.3},
  10: {'mouthUpperUp*': 1.0, 'noseSneer*': 0.4},
  12: {'mouthSmile*': 1.0, 'cheekSquint*': 0.3},
  14: {'mouthDimple*': 1.0, 'mouthPress*': 0.5},
  15: {'mouthFrown*': 1.0, 'mouthShrugLower': 0.3},
  17: {'mouthShrugLower': 1.0, 'mouthShrugUpper': 0.5},
  18: {'mouthPucker': 0.7, 'mouthFunnel': 0.5},
  20: {'mouthStretch*': 1.0, 'mouthDimple*': 0.5},
  23: {'mouthRollLower': 0.5, 'mouthRollUpper': 0.5, 'mouthPress*': 0.3},
  24: {'mouthPress*': 1.0, 'mouthShrugLower': 0.3},
  25: {'mouthLowerDown*': 1.0, 'mouthUpperUp*': 0.5},
  26: {'jawOpen': 0.5, 'mouthLowerDown*': 0.2},
}


def table() -> tuple[np.ndarray, np.ndarray]:
  """Returns the combinations, (C, K, A) booleans, and their shares (C, K).

  K is the largest number of combinations of a class; the shares of the other
  classes end in zeros.
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
  """Returns (A,) how often each action unit is on one side only."""
  return np.array([ONE_SIDED.get(unit, 0) for unit in AUS], np.float32)


def motions() -> np.ndarray:
  """Returns (2, 2, A, M) the motions of each action unit, at full strength.

  The first index is the form, that of `emotions.ACTION_UNITS` or that of FORMS;
  the second is the side, left first. A face unit in the middle of the face
  belongs to both sides, one half to each.
  """
  names = motion_basis.motions()
  made = np.zeros((2, 2, len(AUS), len(names)), np.float32)
  for a, unit in enumerate(AUS):
    plain = emotions.ACTION_UNITS[unit]
    for form, shares in enumerate((plain, FORMS.get(unit, plain))):
      for name, share in shares.items():
        for side, end in enumerate(('Left', 'Right')):
          if name.endswith('*'):
            made[form, side, a, names.index(name[:-1] + end)] += share
          else:
            made[form, side, a, names.index(name)] += share / 2
  return made
