"""Nuisance motion that does not depend on the class of a clip.

Head motion, gaze, blinks, tremor and flicker. None of these functions knows the
emotion, and all use a random generator of their own.
"""

import numpy as np

BLINKING = 0.25  # share of clips with a blink
LOOKING = 0.2  # share of clips in which the gaze jumps


def head(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
  """Returns head motion (frames, 5).

  Yaw, pitch and roll in radians, then x and y in pixels.
  """
  spread = np.array([0.008, 0.008, 0.005, 0.35, 0.35])
  spread = spread * np.exp(rng.normal(0, 0.3))
  start = rng.normal(0, (0.05, 0.04, 0.02, 1.0, 1.0))
  moves = [s * wander(frames, 0.4 * fps, rng) for s in spread]
  return start + np.stack(moves, axis=1)


def gaze(frames: int, rng: np.random.Generator) -> np.ndarray:
  """Returns the gaze (frames, 2), to the person's left and up, -1..1."""
  looks = np.tile(rng.normal(0, 0.06, 2), (frames, 1))
  # Drawn even without a jump, for the reason given in `blink`.
  jumps, when, where = rng.random(), rng.integers(1, frames), rng.normal(size=2)
  if jumps < LOOKING:
    looks[when:] += 0.1 * where
  return looks


def flicker(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
  """Returns a factor on the light (frames,), within a few per cent of 1."""
  seconds = np.arange(frames) / fps
  phase = 2 * np.pi * (rng.uniform(2, 20) * seconds + rng.random())
  wave = rng.uniform(0, 0.012) * np.sin(phase)
  return 1 + wave + 0.006 * wander(frames, fps, rng)


def tremor(frames: int, rng: np.random.Generator) -> np.ndarray:
  """Returns slow motion of an uninvolved muscle (frames,), starting at 0."""
  curve = abs(rng.normal()) * wander(frames, frames, rng)
  return np.maximum(curve - curve[0], 0)


def blink(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
  """Returns the closure of the lids (frames,), 0..1; zeros without a blink."""
  # All numbers are drawn even if there is no blink: clips that differ in this
  # otherwise stay the same.
  happens, where = rng.random() < BLINKING, rng.random()
  width, depth = rng.uniform(0.09, 0.14) * fps, rng.uniform(0.75, 1.0)
  room = frames - 2 * width - 2
  if not happens or room < 0:
    return np.zeros(frames)
  return depth * _closing(frames, width + 1 + where * room, width)


def blinks(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
  """Returns blinks of a resting face (frames,), about one in four seconds."""
  width, closed = 0.12 * fps, np.zeros(frames)
  middle = rng.exponential(4) * fps + width
  while middle < frames - width:
    closed = np.maximum(closed, _closing(frames, middle, width))
    middle += (1 + rng.exponential(3)) * fps
  return closed


def wander(frames: int, period: float, rng: np.random.Generator) -> np.ndarray:
  """Returns a smooth random curve (frames,), standard deviation about 1.

  Args:
    frames: its length.
    period: the time in which it turns up and down, about, in frames.
    rng: numpy Generator.
  """
  steps = max(int(np.ceil(frames / max(period / 3, 2))), 2)
  knots = rng.standard_normal(steps + 2)
  t = np.linspace(0, len(knots) - 1, frames)
  left = np.minimum(t.astype(int), len(knots) - 2)
  w = t - left
  w = w * w * (3 - 2 * w)
  return knots[left] * (1 - w) + knots[left + 1] * w


def _closing(frames, middle, width):
  """One closure of the lids, which stay shut for a moment."""
  t = np.clip((np.arange(frames) - middle) / width, -1, 1)
  return np.minimum(1.15 * np.cos(t * np.pi / 2), 1) * (np.abs(t) < 1)
