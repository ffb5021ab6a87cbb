"""Emotions as action units over time (EMFACS), and action units as face units.

A face unit is a deformation of the head's mesh (an ARKit blend shape).
"""

import dataclasses
import functools

import numpy as np

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import nuisance as nuisances

# Face units of each action unit, with their weight at intensity 1. `*` stands
# for both sides.
ACTION_UNITS = {
  1: {'browInnerUp': 1.0},
  2: {'browOuterUp*': 1.0},
  4: {'browDown*': 1.0},
  5: {'eyeWide*': 1.0},
  6: {'cheekSquint*': 1.0, 'eyeSquint*': 0.35},
  7: {'eyeSquint*': 1.0},
  9: {'noseSneer*': 1.0},
  10: {'mouthUpperUp*': 1.0},
  12: {'mouthSmile*': 1.0},
  14: {'mouthDimple*': 1.0},
  15: {'mouthFrown*': 1.0},
  17: {'mouthShrugLower': 1.0},
  18: {'mouthPucker': 0.7},
  20: {'mouthStretch*': 1.0},
  23: {'mouthPress*': 0.7, 'mouthRollLower': 0.4, 'mouthRollUpper': 0.3},
  24: {'mouthPress*': 1.0},
  25: {'mouthLowerDown*': 1.0},
  26: {'jawOpen': 0.5},
  45: {'eyeBlink*': 1.0},
}
AUS = tuple(ACTION_UNITS)
BLINK = AUS.index(45)
PROTOTYPES = {  # emotion: combinations of action units, with their frequency
  'positive': (((6, 12), 0.7), ((12,), 0.2), ((6, 12, 25), 0.1)),
  'surprise': (
    ((1, 2, 5, 26), 0.5),
    ((1, 2, 5), 0.25),
    ((1, 2), 0.15),
    ((5, 26), 0.1),
  ),
  'negative': (
    ((4, 9, 10), 0.2),  # disgust
    ((9, 10, 17), 0.12),
    ((1, 4, 15), 0.2),  # sadness
    ((4, 15, 17), 0.1),
    ((4, 5, 7, 23), 0.15),  # anger
    ((4, 7, 24), 0.13),
    ((1, 4, 20, 25), 0.1),  # fear
  ),
  'others': (
    ((14,), 0.35),
    ((14, 17), 0.2),
    ((18,), 0.15),
    ((17, 24), 0.15),
    ((10, 14), 0.15),
  ),
}
OMITTED = 0.3  # share of expressions of three or more units that lack one
TREMOR = 0.18  # of uninvolved muscles, relative to the expression's motion


@dataclasses.dataclass(frozen=True)
class Performance:
  """One clip's face over time; T frames, A = len(AUS) action units.

  Attributes:
    intensity: (T, A) intensity of each action unit on the left side, 0..1,
      including blinks and the tremor of uninvolved muscles.
    right: (A,) intensity of the right side relative to the left.
    expressed: the action units of the emotion, ascending.
    apex: index of the frame with the strongest expression.
    pose, gaze, gain: see `nuisance.head`, `nuisance.gaze`, `nuisance.flicker`.
  """

  intensity: np.ndarray
  right: np.ndarray
  expressed: tuple[int, ...]
  apex: int
  pose: np.ndarray
  gaze: np.ndarray
  gain: np.ndarray


def perform(
  emotion: str,
  frames: int,
  fps: float,
  motion: float,
  asymmetry: float,
  *,
  expression: np.random.Generator,
  nuisance: np.random.Generator,
) -> Performance:
  """Draws a random performance.

  Args:
    emotion: a key of PROTOTYPES.
    frames, fps: length and frame rate of the clip.
    motion: maximum displacement of the skin by an action unit, dm.
    asymmetry: intensity of the right side relative to the left.
    expression: numpy Generator for everything that depends on the emotion.
    nuisance: numpy Generator for everything that must not depend on it.
  """
  far = reach()
  intensity = np.stack(
    [
      TREMOR * motion / far[u] * nuisances.tremor(frames, nuisance) for u in AUS
    ],
    axis=1,
  )
  expressed = _omitted(_prototype(emotion, expression), expression)
  apex = int(round((frames - 1) * expression.uniform(0.35, 0.65)))
  # The motion of the skin is set, not the intensity: action units differ much
  # in how far they move the face.
  for unit in expressed:
    level = min(expression.uniform(0.6, 1.0) * motion / far[unit], 1.0)
    course = _course(frames, apex, expression)
    intensity[:, AUS.index(unit)] += level * course
  intensity[:, BLINK] = nuisances.blink(frames, fps, nuisance)
  return Performance(
    intensity=np.minimum(intensity, 1.0),
    right=np.clip(expression.normal(asymmetry, 0.12, len(AUS)), 0.5, 1.5),
    expressed=expressed,
    apex=apex,
    pose=nuisances.head(frames, fps, nuisance),
    gaze=nuisances.gaze(frames, nuisance),
    gain=nuisances.flicker(frames, fps, nuisance),
  )


def face_units(played: Performance) -> dict[str, np.ndarray]:
  """Returns the weights (T,) of the face units that move."""
  weights = {}
  for k, unit in enumerate(AUS):
    left = played.intensity[:, k]
    # Both lids close together; the rest of a face is not symmetric.
    right = left if unit == 45 else played.right[k] * left
    for name, share in ACTION_UNITS[unit].items():
      for side, weight in _sides(name, left, right):
        weights[side] = weights.get(side, 0) + share * weight
  across, up = played.gaze.T
  for side, outward in (('Left', across), ('Right', -across)):
    weights[f'eyeLookOut{side}'] = np.maximum(outward, 0)
    weights[f'eyeLookIn{side}'] = np.maximum(-outward, 0)
    weights[f'eyeLookUp{side}'] = np.maximum(up, 0)
    weights[f'eyeLookDown{side}'] = np.maximum(-up, 0)
  return {k: w for k, w in weights.items() if np.abs(w).max() > 1e-4}


@functools.lru_cache(maxsize=1)
def reach() -> dict[int, float]:
  """Returns the maximum displacement of the skin by each action unit, dm."""
  head = heads.load()
  skin = head.part == heads.SKIN
  far = {}
  for unit, shares in ACTION_UNITS.items():
    moved = sum(
      share * head.units[side]
      for name, share in shares.items()
      for side, _ in _sides(name, None, None)
    )
    far[unit] = float(np.linalg.norm(moved[skin], axis=1).max())
  return far


def _sides(name, left, right):
  """The face units of a name, which may stand for both sides, and its value."""
  if not name.endswith('*'):
    return ((name, left),)
  return ((f'{name[:-1]}Left', left), (f'{name[:-1]}Right', right))


def _prototype(emotion, rng):
  """A combination of action units of an emotion."""
  prototypes, share = zip(*PROTOTYPES[emotion], strict=True)
  share = np.array(share)
  return prototypes[rng.choice(len(share), p=share / share.sum())]


def _omitted(prototype, rng):
  """Sometimes omits one of three or more units, as people do."""
  if len(prototype) > 2 and rng.random() < OMITTED:
    gone = rng.integers(len(prototype))
    prototype = prototype[:gone] + prototype[gone + 1 :]
  return tuple(sorted(prototype))


def _course(frames, apex, rng):
  """Intensity over time: 0 in the first frame, 1 at the apex, then falling."""
  early = rng.normal(0, 0.04) * frames  # muscles do not move in unison
  hold = rng.uniform(0.03, 0.15) * frames
  rest = rng.uniform(0.0, 0.25)  # nor are they relaxed when the clip ends
  peak = np.clip(apex + early, 1, max(frames - 2, 1))
  t = np.arange(frames)
  rise = np.clip(t / max(peak - hold / 2, 1), 0, 1)
  fall = (t - peak - hold / 2) / max(frames - 1 - peak - hold / 2, 1)
  fall = np.clip(fall, 0, 1)
  rise, fall = (x * x * (3 - 2 * x) for x in (rise, fall))
  return rise * (1 - (1 - rest) * fall)
