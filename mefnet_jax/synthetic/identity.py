"""People: shape, skin, hair, eyes, light, camera and strength of expression."""

import dataclasses

import numpy as np

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import paint

LIGHT_SKIN, DARK_SKIN = (0.62, 0.385, 0.275), (0.115, 0.058, 0.037)
HAIR = ((0.012, 0.010, 0.009), (0.035, 0.022, 0.014), (0.085, 0.05, 0.028),
        (0.2, 0.13, 0.07), (0.24, 0.23, 0.22))
IRIS = ((0.03, 0.016, 0.008), (0.055, 0.03, 0.014), (0.07, 0.06, 0.03),
        (0.06, 0.09, 0.13), (0.08, 0.11, 0.09))


@dataclasses.dataclass(frozen=True)
class Looks:
  """What `paint.texture` needs; colours are linear reflectances."""

  skin: tuple
  lips: tuple
  hair: tuple
  iris: tuple
  cloth: tuple
  pupil: float
  glint: float
  flush: float
  tired: float
  freckles: int
  moles: int
  lip_edge: float
  lip_height: float
  collar: float
  lashes: float
  shadow: float
  beard: float
  brow_height: float
  brow_arch: float
  brow_length: float
  brow_width: float
  brow_strength: float
  hairline: float
  temple: float
  parting: float
  sweep: float
  sideburn: float
  hair_cover: float
  hair_volume: float
  hair_length: float


@dataclasses.dataclass(frozen=True)
class Person:
  """One subject.

  Attributes:
    points: (V, 3) the neutral face, dm.
    looks: colours and painting.
    light: unit vector to the key light; key and ambient: their strength.
    key, ambient, background, noise: camera and light; noise in grey levels.
    strength: factor on the motion of every expression.
    asymmetry: factor on the motion of the left side; the right has 2 - it.
  """

  points: np.ndarray
  looks: Looks
  light: np.ndarray
  key: float
  ambient: float
  background: float
  noise: float
  strength: float
  asymmetry: float


def person(rng: np.random.Generator) -> Person:
  """Draws a person; the same generator state gives the same person."""
  female = rng.random()
  origin = rng.dirichlet((0.5, 0.9, 0.9))
  old = rng.beta(1.0, 4.0)
  looks = _looks(rng, female, origin, old)
  points = _shape(rng, female, origin, old)
  points = points + _hair_volume(points, looks)
  side, height = rng.uniform(-0.75, 0.75), rng.uniform(0.15, 0.75)
  light = np.array([np.sin(side), height, np.cos(side)])
  return Person(
    points=points.astype(np.float32),
    looks=looks,
    light=light / np.linalg.norm(light),
    key=rng.uniform(0.95, 1.25),
    ambient=rng.uniform(0.2, 0.34),
    background=rng.uniform(0.12, 0.5),
    noise=rng.uniform(1.0, 2.0),
    strength=float(np.exp(rng.normal(0, 0.22))),
    asymmetry=rng.uniform(0.85, 1.15),
  )


def _looks(rng, female, origin, old):
  melanin = np.clip(0.75 * origin[0] + 0.22 * origin[1]
                    + 0.08 * origin[2] + rng.normal(0.05, 0.07), 0, 1)
  skin = np.exp((1 - melanin) * np.log(LIGHT_SKIN) + melanin * np.log(DARK_SKIN))
  dark = origin[0] + origin[1]
  hair = HAIR[rng.choice(3) if rng.random() < dark else rng.choice(4)]
  if old > 0.5:
    hair = HAIR[4]
  iris = IRIS[rng.choice(2) if rng.random() < dark else rng.choice(5)]
  lips = skin * np.array([0.9, 0.58, 0.6]) * rng.uniform(0.8, 1.0)
  man = female < 0.5
  return Looks(
    skin=tuple(skin), lips=tuple(lips), hair=hair, iris=iris,
    cloth=tuple(rng.uniform(0.04, 0.5) * rng.uniform(0.6, 1.0, 3)),
    pupil=rng.uniform(0.19, 0.25), glint=rng.uniform(-0.14, 0.14),
    flush=rng.uniform(0.4, 1.2), tired=rng.uniform(0.02, 0.2),
    freckles=int(rng.integers(0, 60) * (rng.random() < 0.4)),
    moles=int(rng.integers(0, 4)),
    lip_edge=rng.uniform(0.65, 0.95),
    lip_height=rng.uniform(0.85, 1.05),
    collar=rng.uniform(-1.6, -1.45),
    lashes=rng.uniform(0.7, 0.85) if man else rng.uniform(0.85, 1.0),
    shadow=rng.uniform(0.05, 0.2),
    beard=rng.uniform(0.0, 0.5) * man,
    brow_height=rng.uniform(0.16, 0.2), brow_arch=rng.uniform(0.4, 1.3),
    brow_length=rng.uniform(0.46, 0.54),
    brow_width=rng.uniform(0.05, 0.066) if man else rng.uniform(0.034, 0.05),
    brow_strength=rng.uniform(0.7, 0.95),
    hairline=rng.uniform(0.55, 0.7) + 0.1 * old * man,
    temple=rng.uniform(-0.06, 0.06) + 0.05 * man,
    parting=rng.uniform(-1, 1), sweep=rng.uniform(0.1, 0.8),
    sideburn=rng.uniform(-0.25, 0.1),
    hair_cover=rng.uniform(0.93, 0.99),
    hair_volume=rng.uniform(0.06, 0.22),
    hair_length=rng.uniform(0.7, 2.2) * (rng.random() < 0.75 * (1 - man)),
  )


def _shape(rng, female, origin, old):
  head = heads.load()
  points = head.rest.astype(np.float64)
  for name in head.shapes:
    group, *rest = name.split('-')
    if group in ('african', 'asian', 'caucasian') and rest[0] in (
        'female', 'male'):
      k = ('african', 'asian', 'caucasian').index(group)
      share = origin[k] * (female if rest[0] == 'female' else 1 - female)
      share *= old if rest[1] == 'old' else 1 - old
      points += share * head.shapes[name]
  for pair in _pairs(head.shapes):
    amount = np.clip(rng.normal(0, 0.2), -0.5, 0.5)
    points += abs(amount) * sum(head.shapes[n] for n in pair[int(amount > 0)])
  eyes = np.isin(head.part, (heads.LEFT_EYE, heads.RIGHT_EYE))
  return points - points[eyes].mean(axis=0)


def _pairs(shapes):
  """Opposite shapes as ((names of one end), (names of the other))."""
  ends = {'decr': 'incr', 'down': 'up', 'in': 'out', 'backward': 'forward',
          'concave': 'convex'}
  for name in shapes:
    stem, _, end = name.rpartition('-')
    if end in ends:
      other = f'{stem}-{ends[end]}'
      if name.startswith('l-'):
        yield (name, 'r' + name[1:]), (other, 'r' + other[1:])
      elif not name.startswith('r-'):
        yield (name,), (other,)


def _hair_volume(points, looks):
  """Pushes the skull out where hair grows, (V, 3)."""
  head = heads.load()
  inside = paint.hairline(*head.rest.T, looks)
  amount = np.clip((inside + 0.02) / 0.35, 0, 1)
  amount[(head.part != heads.SKIN) | (head.rest[:, 1] < -1.0)] = 0
  axis = np.array([0, 0.25, -0.75])
  away = points - axis
  away /= np.linalg.norm(away, axis=1, keepdims=True)
  return away * (looks.hair_volume * amount * (3 - 2 * amount) * amount)[:, None]
