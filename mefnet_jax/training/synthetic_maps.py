"""Motion maps made as they are needed: a function of (seed, step), no file.

A map is weights times the basis of a person (`synthetic.motion_basis`), with
what a real one has besides: tremor, blinks, a stray unit, the head's motion,
an estimator's blur, noise and mistakes. Amplitudes are in units of the
expression's: a unit at level 1 moves its strongest cell by 1. Maps are made at
the resolution that the networks see, 2 x 2 cells of a stored map in one.

Axes: B maps, I identities, M motions, A action units, S sides (left, right),
H rows, W columns.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import motion_input
from mefnet_jax.synthetic import motion_basis, prototypes

CLASSES, AUS = prototypes.CLASSES, prototypes.AUS
_BLINK = AUS.index(45)
_POSE = len(motion_basis.POSE)
SIDE = motion_basis.SIDE // 2
_SPEECH = ('jaw', 'mouthFunnel', 'mouthPucker', 'mouthClose', 'mouthLower')


@dataclasses.dataclass(frozen=True)
class Settings:
  """How the maps are drawn; ranges are (least, most).

  Attributes:
    maps, people: of a batch; each person gives as many maps as the others.
    idle: share of maps without an expression ("nothing happens").
    level: of an expression's units. side: spread of log sides.
    stray, blink: share of maps with a unit that does not belong to their
      expression, and with a blink, of which `opening` open the eyes.
    tremor: of all face units. rigid: of the head's motion.
    speech: share of idle maps with a mouth that speaks.
    blur: cells of the network's. noise: amplitude; grain: its smoothness in
      cells.
    spots: the most in a map that has any; half have none.
  """

  maps: int = 256
  people: int = 32
  idle: float = 0.2
  level: tuple[float, float] = (0.4, 1.0)
  side: float = 0.25
  stray: float = 0.15
  blink: float = 0.35
  opening: float = 1 / 3
  tremor: float = 0.12
  rigid: tuple[float, float] = (0.02, 0.5)
  speech: float = 0.3
  blur: tuple[float, float] = (0.15, 0.7)
  noise: tuple[float, float] = (0.02, 0.3)
  grain: tuple[float, float] = (0.3, 1.5)
  spots: int = 3


def source(basis: motion_basis.Basis) -> dict[str, np.ndarray]:
  """What `batch` needs of some people.

  Returns:
    flow (I, M, H W 2): each motion's strongest cell moves by 1; units
    (I, S, A, M): weights that make both sides of an action unit do so.
  """
  flow = basis.flow.astype(np.float32)
  flow = flow.reshape(*flow.shape[:2], SIDE, 2, SIDE, 2, 2).mean((3, 5))
  far_IM = np.linalg.norm(flow, axis=-1).max((2, 3))
  units_SAM = prototypes.motions()
  flow = flow.reshape(*flow.shape[:2], -1)
  whole_IAP = np.einsum('am,imp->iap', units_SAM.sum(0), flow)
  whole = whole_IAP.reshape(*whole_IAP.shape[:2], -1, 2)
  reach_IA = np.linalg.norm(whole, axis=-1).max(2)
  units = units_SAM * far_IM[:, None, None] / reach_IA[:, None, :, None]
  return {'flow': flow / far_IM[..., None], 'units': units}


def batch(
  people: dict[str, jax.Array], key: jax.Array, settings: Settings
) -> dict[str, jax.Array]:
  """Maps and their truth, a pure function of the key.

  Args:
    people: of `source`.
    key: of all that is drawn.
    settings: how.

  Returns:
    maps (B, H / 2, W / 2, 2), standardised (`motion_input`); label (B,); idle
    (B,) booleans, whose label means nothing; level (B, A, S), negative where
    lids open; coded (B,), 0 where a mouth speaks and no level is known; who
    (B,), numbers of the people.
  """
  keys = dict(
    zip(
      ('who', 'expression', 'nuisance', 'speech', 'estimator'),
      jax.random.split(key, 5),
      strict=True,
    )
  )
  count = settings.maps
  label, idle, level = _expression(keys['expression'], settings)
  who = jax.random.choice(
    keys['who'], len(people['flow']), (settings.people,), replace=False
  )
  people = {name: x[who] for name, x in people.items()}
  units = jnp.repeat(people['units'], count // settings.people, axis=0)
  weights = jnp.einsum('bas,bsam->bm', level, units)
  weights += _nuisance(keys['nuisance'], idle, settings)
  talk, speaks = _speech(keys['speech'], idle, settings)
  weights = (weights + talk).reshape(settings.people, -1, weights.shape[-1])
  flow = jnp.einsum('ikm,imp->ikp', weights, people['flow'])
  flow = flow.reshape(count, SIDE, SIDE, 2)
  return {
    'maps': motion_input.scaled(_estimated(flow, keys['estimator'], settings)),
    'label': label,
    'idle': idle,
    'level': level,
    'coded': 1.0 - speaks.astype(jnp.float32),
    'who': jnp.repeat(who, count // settings.people),
  }


def _expression(key, settings):
  """Classes, who does nothing, and levels (B, A, S) of all action units."""
  keys = jax.random.split(key, 8)
  count, (units_CKA, share_CK) = settings.maps, prototypes.table()
  label = jax.random.randint(keys[0], (count,), 0, len(CLASSES))
  odds = jnp.log(jnp.maximum(share_CK, 1e-9))[label]
  chosen = jax.random.categorical(keys[1], odds)
  idle = jax.random.bernoulli(keys[2], settings.idle, (count,))
  level = jnp.asarray(units_CKA)[label, chosen] * _uniform(
    keys[3], settings.level, (count, len(AUS))
  )
  level = jnp.where(idle[:, None], 0, level)
  stray = ~idle[:, None] & jax.random.bernoulli(
    keys[4], settings.stray, (count, 1)
  )
  other = jax.nn.one_hot(
    jax.random.randint(keys[5], (count,), 0, len(AUS) - 1), len(AUS)
  )
  level = jnp.maximum(level, stray * other * settings.level[0])
  level = level[..., None] * _sides(keys[6], settings)
  return label, idle, level.at[:, _BLINK].set(_blink(keys[7], settings))


def _sides(key, settings):
  """(B, A, S) factors: uneven sides, and now and then only one."""
  once, which, uneven = jax.random.split(key, 3)
  shape = (settings.maps, len(AUS))
  alone = jax.random.bernoulli(once, prototypes.one_sided()[None], shape)
  left = jax.random.bernoulli(which, 0.5, shape)
  there = jnp.stack([~alone | left, ~alone | ~left], axis=-1)
  return there * jnp.exp(settings.side * jax.random.normal(uneven, there.shape))


def _blink(key, settings):
  """(B, 1) level of the lids' closing, alike on both sides."""
  happens, opens, far = jax.random.split(key, 3)
  shape = (settings.maps, 1)
  sign = 1 - 2.0 * jax.random.bernoulli(opens, settings.opening, shape)
  there = jax.random.bernoulli(happens, settings.blink, shape)
  return there * sign * _uniform(far, (0.2, 1.0), shape)


def _nuisance(key, idle, settings):
  """(B, M) weights of tremor and of the head's motion."""
  trembles, turns, far, wild = jax.random.split(key, 4)
  count, units = settings.maps, len(motion_basis.motions()) - _POSE
  much = jnp.where(idle, _log_uniform(wild, (0.5, 4.0), (count,)), 1.0)[:, None]
  tremor = settings.tremor * jax.random.normal(trembles, (count, units))
  rigid = _log_uniform(far, settings.rigid, (count, 1)) * jax.random.normal(
    turns, (count, _POSE)
  )
  return jnp.concatenate([much * tremor, much * rigid], axis=-1)


def _speech(key, idle, settings):
  """(B, M) weights of a speaking mouth, and (B,) whose it is."""
  happens, shapes = jax.random.split(key)
  mouth = np.array(
    [name.startswith(_SPEECH) for name in motion_basis.motions()]
  )
  speaks = jax.random.bernoulli(happens, settings.speech, idle.shape) & idle
  weights = 0.5 * jax.random.normal(shapes, (len(idle), len(mouth)))
  return speaks[:, None] * mouth[None] * weights, speaks


def _estimated(flow, key, settings):
  """What an estimator makes of the exact flow (B, H, W, 2)."""
  blur, noise, grain, far, spots = jax.random.split(key, 5)
  count = (len(flow),)
  flow = _smooth(flow, _uniform(blur, settings.blur, count))
  rough = _smooth(
    jax.random.normal(noise, flow.shape), _uniform(grain, settings.grain, count)
  )
  square = (rough**2).mean((1, 2, 3), keepdims=True)
  far = _log_uniform(far, settings.noise, (*count, 1, 1, 1))
  return flow + far * rough / jnp.sqrt(square) + _spots(spots, count, settings)


def _spots(key, count, settings):
  """(B, H, W, 2) small places where an estimator went astray."""
  keys = jax.random.split(key, 5)
  shape = (*count, settings.spots)
  number = jax.random.randint(keys[0], (*count, 1), 1, settings.spots + 1)
  number *= jax.random.bernoulli(keys[1], 0.5, number.shape)
  there = jnp.arange(settings.spots)[None] < number
  at = jax.random.uniform(keys[2], (2, *shape), maxval=SIDE)
  size = _uniform(keys[3], (0.35, 1.0), shape)
  motion = 0.4 * jax.random.normal(keys[4], (*shape, 2)) * there[..., None]
  cell = jnp.arange(SIDE, dtype=jnp.float32)[None, None]
  rows, columns = (
    jnp.exp(-((cell - where[..., None]) ** 2) / (2 * size[..., None] ** 2))
    for where in at
  )
  return jnp.einsum('bnh,bnw,bnc->bhwc', rows, columns, motion)


def _smooth(maps, sigma):
  """Each map blurred by its own sigma (B,), in cells."""
  cell = jnp.arange(SIDE, dtype=jnp.float32)[None]
  square = (cell.T - cell)[None] ** 2
  kernel = jnp.exp(-square / (2 * sigma[:, None, None] ** 2))
  kernel = kernel / kernel.sum(-1, keepdims=True)
  return jnp.einsum('bhi,bwj,bijc->bhwc', kernel, kernel, maps)


def _uniform(key, bounds, shape):
  return jax.random.uniform(key, shape, minval=bounds[0], maxval=bounds[1])


def _log_uniform(key, bounds, shape):
  low, high = map(float, np.log(bounds))
  return jnp.exp(_uniform(key, (low, high), shape))


@functools.partial(jax.jit, static_argnames=('settings',))
def made(
  people: dict[str, jax.Array], seed: int, step: int, settings: Settings
) -> dict[str, jax.Array]:
  """The batch of (seed, step), for whoever wants to look at it."""
  key = jax.random.fold_in(jax.random.key(seed), step)
  return batch(people, key, settings)
