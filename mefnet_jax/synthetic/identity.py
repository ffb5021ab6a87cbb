"""Random people: shape, colours, light and strength of expression."""

import dataclasses

import numpy as np

from mefnet_jax.synthetic import hair
from mefnet_jax.synthetic import head as heads

# Names of whole heads in the source; a person is a mixture of them.
ORIGINS = ('african', 'asian', 'caucasian')
MELANIN = (0.75, 0.22, 0.08)
LIGHT_SKIN, DARK_SKIN = (0.62, 0.385, 0.275), (0.115, 0.058, 0.037)
HAIR = (
  (0.012, 0.010, 0.009),
  (0.035, 0.022, 0.014),
  (0.085, 0.05, 0.028),
  (0.2, 0.13, 0.07),
)
GREY_HAIR = (0.24, 0.23, 0.22)
IRIS = (
  (0.03, 0.016, 0.008),
  (0.055, 0.03, 0.014),
  (0.07, 0.06, 0.03),
  (0.06, 0.09, 0.13),
  (0.08, 0.11, 0.09),
)
VARIETY = 0.2  # standard deviation of each local shape
HAIR_CENTRE = (0.0, 0.25, -0.75)  # hair grows away from here, dm
OPPOSITE = {
  'decr': 'incr',
  'down': 'up',
  'in': 'out',
  'backward': 'forward',
  'concave': 'convex',
}


@dataclasses.dataclass(frozen=True)
class Looks:
  """The parameters of a texture: linear reflectances, and lengths in dm."""

  skin: tuple
  lips: tuple
  hair: tuple
  iris: tuple
  cloth: tuple
  pupil: float  # radius, of the eyeball's
  glint: float  # its place beside the pupil
  flush: float
  tired: float  # shade under the eyes
  freckles: int
  moles: int
  lip_edge: float  # strength of the lips' colour
  lip_height: float
  lashes: float
  shadow: float  # above the eyes
  beard: float
  brow_height: float
  brow_arch: float
  brow_length: float
  brow_width: float
  brow_strength: float
  hairline: float  # its y in the middle
  temple: float  # how far it recedes
  sideburn: float  # its lowest y
  parting: float
  sweep: float
  hair_cover: float
  hair_volume: float
  hair_length: float  # below the eyes; 0 is short hair
  collar: float


@dataclasses.dataclass(frozen=True)
class Person:
  """One subject.

  Attributes:
    points: (V, 3) the neutral face, dm.
    looks: colours and painting.
    light: unit vector to the key light.
    key, ambient: strength of the key light and of the light from all sides.
    background: reflectance of the wall.
    noise: standard deviation of the sensor's noise, grey levels.
    strength: factor on the motion of every expression.
    asymmetry: strength of the right side relative to the left.
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
  """Draws a random person."""
  origin = rng.dirichlet((0.5, 0.9, 0.9))
  female, old = rng.random(), rng.beta(1.0, 4.0)
  looks = Looks(
    **_colours(origin, old, rng),
    **_face(female, rng),
    **_hair(female, old, rng),
  )
  points = _shape(origin, female, old, rng)
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


def _colours(origin, old, rng):
  melanin = float(origin @ MELANIN) + rng.normal(0.05, 0.07)
  light, dark = np.log(LIGHT_SKIN), np.log(DARK_SKIN)
  skin = np.exp(light + np.clip(melanin, 0, 1) * (dark - light))
  few = rng.random() < origin[0] + origin[1]
  colour = HAIR[rng.integers(3 if few else 4)]
  return {
    'skin': tuple(skin),
    'lips': tuple(skin * (0.9, 0.58, 0.6) * rng.uniform(0.8, 1.0)),
    'hair': GREY_HAIR if old > 0.5 else colour,
    'iris': IRIS[rng.integers(2 if few else 5)],
    'cloth': tuple(rng.uniform(0.04, 0.5) * rng.uniform(0.6, 1.0, 3)),
  }


def _face(female, rng):
  man = female < 0.5
  brow_width = rng.uniform(0.05, 0.066) if man else rng.uniform(0.034, 0.05)
  return {
    'pupil': rng.uniform(0.19, 0.25),
    'glint': rng.uniform(-0.14, 0.14),
    'flush': rng.uniform(0.4, 1.2),
    'tired': rng.uniform(0.02, 0.2),
    'freckles': int(rng.integers(0, 60) * (rng.random() < 0.4)),
    'moles': int(rng.integers(0, 4)),
    'lip_edge': rng.uniform(0.65, 0.95),
    'lip_height': rng.uniform(0.85, 1.05),
    'lashes': rng.uniform(0.7, 0.85) if man else rng.uniform(0.85, 1.0),
    'shadow': rng.uniform(0.05, 0.2),
    'beard': rng.uniform(0.0, 0.5) * man,
    'brow_height': rng.uniform(0.16, 0.2),
    'brow_arch': rng.uniform(0.4, 1.3),
    'brow_length': rng.uniform(0.46, 0.54),
    'brow_width': brow_width,
    'brow_strength': rng.uniform(0.7, 0.95),
    'collar': rng.uniform(-1.6, -1.45),
  }


def _hair(female, old, rng):
  man = female < 0.5
  long = not man and rng.random() < 0.7
  return {
    'hairline': rng.uniform(0.55, 0.7) + 0.1 * old * man,
    'temple': rng.uniform(-0.06, 0.06) + 0.05 * man,
    'sideburn': rng.uniform(-0.25, 0.1),
    'parting': rng.uniform(-1, 1),
    'sweep': rng.uniform(0.1, 0.8),
    'hair_cover': rng.uniform(0.93, 0.99),
    'hair_volume': rng.uniform(0.06, 0.22),
    'hair_length': rng.uniform(0.9, 2.2) if long else 0.0,
  }


def _shape(origin, female, old, rng):
  head = heads.load()
  points = head.rest.astype(np.float64)
  for k, name in enumerate(ORIGINS):
    for sex, sexed in (('female', female), ('male', 1 - female)):
      for age, aged in (('old', old), ('young', 1 - old)):
        whole = head.shapes[f'{name}-{sex}-{age}']
        points += origin[k] * sexed * aged * whole
  for ends in _opposites(head.shapes):
    amount = np.clip(rng.normal(0, VARIETY), -0.5, 0.5)
    for name in ends[int(amount > 0)]:
      points += abs(amount) * head.shapes[name]
  eyes = np.isin(head.part, (heads.LEFT_EYE, heads.RIGHT_EYE))
  return points - points[eyes].mean(axis=0)


def _opposites(shapes):
  """Yields pairs of opposite local shapes, each a tuple of names."""
  for name in shapes:
    stem, _, end = name.rpartition('-')
    if end not in OPPOSITE or name.startswith('r-'):
      continue
    other = f'{stem}-{OPPOSITE[end]}'
    if name.startswith('l-'):
      yield (name, f'r{name[1:]}'), (other, f'r{other[1:]}')
    else:
      yield (name,), (other,)


def _hair_volume(points, looks):
  """Displacements (V, 3) that push the skull outwards where hair grows."""
  head = heads.load()
  inside = hair.hairline(*head.rest.T, looks)
  amount = np.clip((inside + 0.02) / 0.35, 0, 1)
  amount = looks.hair_volume * amount * amount * (3 - 2 * amount)
  amount[(head.part != heads.SKIN) | (head.rest[:, 1] < -1.0)] = 0
  away = points - HAIR_CENTRE
  away /= np.linalg.norm(away, axis=1, keepdims=True)
  return away * amount[:, None]
