"""Emotions as action units over time (EMFACS), and action units as face units.

The nuisances of a clip (blinks, gaze, head, light) are drawn from a generator
that knows neither the emotion nor the subject's other clips.
"""

import dataclasses
import functools

import numpy as np

from mefnet_jax.synthetic import head as heads

# Action unit -> face units with their share at intensity 1. `*` is both sides.
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
  25: {'mouthLowerDown*': 0.4},
  26: {'jawOpen': 0.5},
  45: {'eyeBlink*': 1.0},
}
PROTOTYPES = {
  'positive': (((6, 12), 0.7), ((12,), 0.2), ((6, 12, 25), 0.1)),
  'surprise': (
    ((1, 2, 5, 26), 0.5), ((1, 2, 5), 0.25), ((1, 2), 0.15), ((5, 26), 0.1)),
  'negative': (
    ((4, 9, 10), 0.2), ((9, 10, 17), 0.12), ((1, 4, 15), 0.2),
    ((4, 15, 17), 0.1), ((4, 5, 7, 23), 0.15), ((4, 7, 24), 0.13),
    ((1, 4, 20, 25), 0.1)),
  'others': (((14,), 0.35), ((14, 17), 0.2), ((18,), 0.15), ((17, 24), 0.15),
             ((10, 14), 0.15)),
}
AUS = tuple(ACTION_UNITS)
BLINKING = 0.2  # share of clips with a blink
TREMOR = 0.1  # of uninvolved muscles, of the expression's motion


@dataclasses.dataclass(frozen=True)
class Performance:
  """One clip's face over time; T frames, A = len(AUS) action units.

  Attributes:
    intensity: (T, A) of the left side of each action unit, 0..1 and a little
      beyond; blinks and the tremor of uninvolved muscles included.
    right: (A,) factor of the right side.
    expressed: the action units of the emotion, ascending.
    apex: index of the frame of the strongest expression.
    pose: (T, 5) yaw, pitch, roll in radians, then x and y in pixels.
    gaze: (T, 2) of both eyes, to the person's left and up, -1..1.
    gain: (T,) factor on the light.
  """

  intensity: np.ndarray
  right: np.ndarray
  expressed: tuple[int, ...]
  apex: int
  pose: np.ndarray
  gaze: np.ndarray
  gain: np.ndarray

  def sides(self) -> list[float]:
    """The right side's factor of each expressed action unit."""
    return [float(self.right[AUS.index(unit)]) for unit in self.expressed]


def perform(emotion, frames, fps, motion, *, expression, nuisance):
  """Draws a Performance.

  Args:
    emotion: a key of PROTOTYPES.
    frames, fps: length and rate of the clip.
    motion: how far the strongest action unit moves the skin, dm.
    expression: numpy Generator of everything the emotion decides.
    nuisance: numpy Generator of everything it must not.
  """
  prototype = _choose(PROTOTYPES[emotion], expression)
  expressed = _dropped(prototype, expression)
  apex = int(round((frames - 1) * expression.uniform(0.35, 0.65)))
  intensity = _tremor(frames, motion, nuisance)
  for unit in expressed:
    early = expression.normal(0, 0.04) * frames
    level = expression.uniform(0.6, 1.0) * motion / reach()[unit]
    course = _course(frames, apex, early, expression)
    intensity[:, AUS.index(unit)] += min(level, 1.0) * course
  intensity[:, AUS.index(45)] = _blink(frames, fps, nuisance)
  return Performance(
    intensity=np.minimum(intensity, 1.0),
    right=np.clip(expression.normal(1, 0.12, len(AUS)), 0.5, 1.5),
    expressed=expressed,
    apex=apex,
    pose=_pose(frames, fps, nuisance),
    gaze=_gaze(frames, nuisance),
    gain=_flicker(frames, fps, nuisance),
  )


@functools.lru_cache(maxsize=1)
def reach() -> dict[int, float]:
  """How far each action unit moves the skin at intensity 1, dm."""
  head = heads.load()
  skin = head.part == heads.SKIN
  far = {}
  for unit, shares in ACTION_UNITS.items():
    moved = np.zeros_like(head.rest)
    for name, share in shares.items():
      sides = ('Left', 'Right') if name.endswith('*') else ('',)
      for side in sides:
        moved += share * head.units[name.rstrip('*') + side]
    far[unit] = float(np.linalg.norm(moved[skin], axis=1).max())
  return far


def _tremor(frames, motion, rng):
  """Small motion of every muscle, from nothing in the first frame."""
  tremor = np.zeros((frames, len(AUS)))
  for k, unit in enumerate(AUS):
    size = TREMOR * motion / reach()[unit] * abs(rng.normal())
    curve = size * _wander(frames, frames, rng)
    tremor[:, k] = np.maximum(curve - curve[0], 0)
  return tremor


def blinks(frames, fps, rng) -> np.ndarray:
  """A resting face's blinks, one every four seconds or so, (frames,) 0..1."""
  width, closed = 0.12 * fps, np.zeros(frames)
  middle = rng.exponential(4) * fps + width
  while middle < frames - width:
    closed = np.maximum(closed, _closing(frames, middle, width))
    middle += (1 + rng.exponential(3)) * fps
  return closed


def face_units(played) -> dict[str, np.ndarray]:
  """Face unit -> its weight in each frame (T,), of those that move at all."""
  weights = {}
  for k, unit in enumerate(AUS):
    left = played.intensity[:, k]
    for name, share in ACTION_UNITS[unit].items():
      sides = {'Left': 1.0, 'Right': played.right[k]}
      if not name.endswith('*'):
        sides = {'': 1.0}
      for side, factor in sides.items():
        full = name.rstrip('*') + side
        weights[full] = weights.get(full, 0) + share * factor * left
  across, up = played.gaze.T
  for side, outward in (('Left', across), ('Right', -across)):
    weights[f'eyeLookOut{side}'] = np.maximum(outward, 0)
    weights[f'eyeLookIn{side}'] = np.maximum(-outward, 0)
    weights[f'eyeLookUp{side}'] = np.maximum(up, 0)
    weights[f'eyeLookDown{side}'] = np.maximum(-up, 0)
  return {k: w for k, w in weights.items() if np.abs(w).max() > 1e-4}


def _choose(prototypes, rng):
  share = np.array([p for _, p in prototypes])
  return prototypes[rng.choice(len(prototypes), p=share / share.sum())][0]


def _dropped(prototype, rng):
  """Leaves out one unit of three or more now and then, as people do."""
  if len(prototype) > 2 and rng.random() < 0.3:
    gone = rng.integers(len(prototype))
    prototype = prototype[:gone] + prototype[gone + 1:]
  return tuple(sorted(prototype))


def _course(frames, apex, early, rng):
  """Onset, apex, offset: 0 at the first frame, 1 near the apex, back to ~0."""
  peak = np.clip(apex + early, 1, frames - 2)
  hold = rng.uniform(0.03, 0.15) * frames
  rest = rng.uniform(0.0, 0.25)  # not every muscle is back when the clip ends
  t = np.arange(frames)
  rise = np.clip(t / max(peak - hold / 2, 1), 0, 1)
  fall = np.clip((t - peak - hold / 2) / max(frames - 1 - peak - hold / 2, 1),
                 0, 1)
  ease = rise * rise * (3 - 2 * rise)
  return ease * (1 - (1 - rest) * fall * fall * (3 - 2 * fall))


def _wander(frames, period, rng):
  """A smooth random curve of unit spread that starts anywhere, (frames,)."""
  knots = rng.standard_normal(max(int(np.ceil(frames / max(period / 3, 2))), 2) + 2)
  t = np.linspace(0, len(knots) - 1, frames)
  left = np.clip(t.astype(int), 0, len(knots) - 2)
  w = t - left
  w = w * w * (3 - 2 * w)
  return knots[left] * (1 - w) + knots[left + 1] * w


def _pose(frames, fps, rng):
  spread = np.array([0.008, 0.008, 0.005, 0.35, 0.35])
  spread = spread * np.exp(rng.normal(0, 0.3))
  start = rng.normal(0, (0.05, 0.04, 0.02, 1.0, 1.0))
  moves = [s * _wander(frames, 0.4 * fps, rng) for s in spread]
  return start + np.stack(moves, axis=1)


def _gaze(frames, rng):
  gaze = np.tile(rng.normal(0, 0.06, 2), (frames, 1))
  if rng.random() < 0.2:
    gaze[rng.integers(1, frames):] += rng.normal(0, 0.1, 2)
  return gaze


def _flicker(frames, fps, rng):
  t = np.arange(frames) / fps
  wave = rng.uniform(0, 0.012) * np.sin(
    2 * np.pi * (rng.uniform(2, 20) * t + rng.random()))
  return 1 + wave + 0.006 * _wander(frames, fps, rng)


def _blink(frames, fps, rng):
  """Lids' closing over time; a fifth of the clips hold a blink."""
  happens, where = rng.random() < BLINKING, rng.random()
  width, depth = rng.uniform(0.09, 0.14) * fps, rng.uniform(0.75, 1.0)
  if not happens or frames < 2 * width + 2:
    return np.zeros(frames)
  return depth * _closing(frames, width + 1 + where * (frames - 2 * width - 2),
                          width)


def _closing(frames, middle, width):
  t = np.clip((np.arange(frames) - middle) / width, -1, 1)
  return np.clip(1.15 * np.cos(t * np.pi / 2), 0, 1)
