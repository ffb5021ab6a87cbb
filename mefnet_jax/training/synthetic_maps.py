"""Draws motion maps during training, as a function of (seed, step).

A map is weights times the motion basis of a person (`synthetic.motion_basis`),
with the disturbances of real maps (`synthetic_nuisances`). An action unit at
level 1 moves its strongest cell by 1. Maps have the resolution that the
networks see: each cell is the mean of 2 x 2 cells of a stored map.

Axes: B maps, I identities, M motions, A action units, S sides (left, right),
F forms of an action unit, H rows, W columns.
"""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import motion_input
from mefnet_jax.runs import code_digest
from mefnet_jax.synthetic import motion_basis, prototypes
from mefnet_jax.training import synthetic_nuisances

CLASSES, AUS = prototypes.CLASSES, prototypes.AUS
_BLINK = AUS.index(45)
SIDE = synthetic_nuisances.SIDE


@dataclasses.dataclass(frozen=True)
class Settings:
  """How the maps are drawn; ranges are (least, most).

  Attributes:
    maps, people: their numbers in a batch; all people have equally many maps.
    nothing: share of maps without an expression.
    returning: share of maps in which an expression goes back.
    free: share of maps with some action units that belong to no class, so that
      units that are rare in the classes are learnt too.
    level: of an expression's units.
    side: standard deviation of the logarithm of a side's factor.
    stray: share of maps with a unit that does not belong to their expression.
    strayed: level of that unit.
    blink: share of maps with a blink.
    opening: share of the blinks in which the eyes open.
    nuisances: the disturbances.
  """

  maps: int = 256
  people: int = 32
  nothing: float = 0.2
  returning: float = 0.1
  free: float = 0.15
  level: tuple[float, float] = (0.4, 1.0)
  side: float = 0.25
  stray: float = 0.15
  strayed: tuple[float, float] = (0.2, 0.6)
  blink: float = 0.35
  opening: float = 1 / 3
  nuisances: synthetic_nuisances.Settings = synthetic_nuisances.Settings()


def source(*bases: motion_basis.Basis) -> dict[str, np.ndarray]:
  """Motion bases of some people, as `batch` takes them.

  Args:
    *bases: of the people, one for each convention of framing.

  Returns:
    flow (I, M, H W 2): each motion, scaled so that its strongest cell moves by
    1; units (I, F, S, A, M): weights with which both sides of an action unit
    together move their strongest cell by 1; placed (I,): whether eyes and mouth
    lie where `face_crop` puts them.
  """
  flow = np.concatenate([basis.flow.astype(np.float32) for basis in bases])
  flow = flow.reshape(*flow.shape[:2], SIDE, 2, SIDE, 2, 2).mean((3, 5))
  far_IM = np.linalg.norm(flow, axis=-1).max((2, 3))
  units_FSAM = prototypes.motions()
  flow = flow.reshape(*flow.shape[:2], -1)
  whole = np.einsum('fam,imp->ifap', units_FSAM.sum(1), flow, optimize=True)
  whole = whole.reshape(*whole.shape[:3], -1, 2)
  reach_IFA = np.linalg.norm(whole, axis=-1).max(3)
  units = units_FSAM * far_IM[:, None, None, None]
  units = units / reach_IFA[:, :, None, :, None]
  return {
    'flow': flow / far_IM[..., None],
    'units': units.astype(np.float32),
    'placed': np.concatenate([np.full(len(b.flow), b.placed) for b in bases]),
  }


def generator_digest() -> str:
  """Digest of all code that determines the maps; docstrings do not count."""
  package = pathlib.Path(__file__).parents[1]
  names = (
    'models/motion_input',
    'synthetic/prototypes',
    'training/synthetic_maps',
    'training/synthetic_nuisances',
  )
  own = code_digest.digest(package / f'{name}.py' for name in names)
  return f'{motion_basis.generator_digest()}-{own}'


def batch(
  people: dict[str, jax.Array], key: jax.Array, settings: Settings
) -> dict[str, jax.Array]:
  """Maps and their truth, a pure function of the key.

  Args:
    people: as `source` returns them.
    key: for everything that is drawn.
    settings: of the maps.

  Returns:
    maps: (B, H / 2, W / 2, 2), standardised (`motion_input`).
    scale: (B,) by which they were divided.
    label: (B,) classes.
    named: (B,) booleans, whether the label has a meaning.
    idle: (B,) booleans, whether no expression begins.
    returning: (B,) booleans, whether an expression goes back.
    level: (B, A, S), negative where lids open and expressions go back.
    coded: (B,) 0 where a mouth speaks, so that no level is known; else 1.
    who: (B,) numbers of the people.
  """
  keys = jax.random.split(key, 5)
  count, each = settings.maps, settings.maps // settings.people
  truth, level = _expression(keys[0], settings)
  nothing = truth['idle'] & ~truth['returning']
  who = jax.random.choice(
    keys[1], len(people['flow']), (settings.people,), replace=False
  )
  people = {name: x[who] for name, x in people.items()}
  form = jax.random.uniform(keys[2], (count, len(AUS), 1))
  forms = jnp.stack([(1 - form) * level, form * level], axis=1)
  forms = jnp.swapaxes(forms, 2, 3).reshape(settings.people, each, -1)
  units = people['units']
  weights = forms @ units.reshape(len(units), -1, units.shape[-1])
  others, speaks = synthetic_nuisances.weights(
    keys[3], nothing, settings.nuisances
  )
  weights += others.reshape(weights.shape)
  flow = (weights @ people['flow']).reshape(count, SIDE, SIDE, 2)
  placed = jnp.repeat(people['placed'], each)
  flow = synthetic_nuisances.estimated(
    flow, keys[4], nothing, placed, settings.nuisances
  )
  return {
    'maps': motion_input.scaled(flow),
    'scale': motion_input.scale(flow),
    **truth,
    'level': level,
    'coded': 1.0 - speaks.astype(jnp.float32),
    'who': jnp.repeat(who, each),
  }


def _expression(key, settings):
  """The truth of each map, and levels (B, A, S) of all action units."""
  keys = jax.random.split(key, 6)
  shape = (settings.maps,)
  label = jax.random.randint(keys[0], shape, 0, len(CLASSES))
  ends = np.cumsum([settings.nothing, settings.returning, settings.free])
  kind = jax.random.uniform(keys[1], (*shape, 1))
  nothing, returning, free = (
    (kind >= low) & (kind < high)
    for low, high in zip((0.0, *ends[:2]), ends, strict=True)
  )
  level = jnp.where(
    free, _free(keys[2], settings), _prototype(keys[3], label, settings)
  )
  level = jnp.where(nothing, 0, level)[..., None] * _sides(keys[4], settings)
  level = jnp.where(returning[..., None], -level, level)
  truth = {
    'label': label,
    'named': ~(nothing | returning | free)[:, 0],
    'idle': (nothing | returning)[:, 0],
    'returning': returning[:, 0],
  }
  return truth, level.at[:, _BLINK].set(_blink(keys[5], settings))


def _prototype(key, label, settings):
  """Levels (B, A) of combinations of units that are typical of the classes."""
  chosen, far, strays, other, little = jax.random.split(key, 5)
  units_CKA, share_CK = prototypes.table()
  odds = jnp.log(jnp.maximum(share_CK, 1e-9))[label]
  units = jnp.asarray(units_CKA)[label, jax.random.categorical(chosen, odds)]
  level = units * synthetic_nuisances.uniform(far, settings.level, units.shape)
  there = jax.random.bernoulli(strays, settings.stray, (len(label), 1))
  stray = there * synthetic_nuisances.uniform(
    little, settings.strayed, there.shape
  )
  return jnp.maximum(level, stray * _one_unit(other, settings))


def _free(key, settings):
  """Levels (B, A) of any one, two or three action units."""
  *each, number, far = jax.random.split(key, 5)
  most = jax.random.randint(number, (settings.maps, 1), 1, len(each) + 1)
  units = sum(
    (most > k) * _one_unit(own, settings) for k, own in enumerate(each)
  )
  level = synthetic_nuisances.uniform(far, settings.level, units.shape)
  return jnp.minimum(units, 1) * level


def _one_unit(key, settings):
  """One action unit for each map, as one-hot (B, A); never the blink."""
  unit = jax.random.randint(key, (settings.maps,), 0, len(AUS) - 1)
  return jax.nn.one_hot(unit, len(AUS))


def _sides(key, settings):
  """Factors (B, A, S): uneven sides, and now and then only one side."""
  once, which, uneven = jax.random.split(key, 3)
  shape = (settings.maps, len(AUS))
  alone = jax.random.bernoulli(once, prototypes.one_sided()[None], shape)
  left = jax.random.bernoulli(which, 0.5, shape)
  there = jnp.stack([~alone | left, ~alone | ~left], axis=-1)
  return there * jnp.exp(settings.side * jax.random.normal(uneven, there.shape))


def _blink(key, settings):
  """Level (B, 1) of the closing of the lids, equal on both sides."""
  happens, opens, far = jax.random.split(key, 3)
  shape = (settings.maps, 1)
  sign = 1 - 2.0 * jax.random.bernoulli(opens, settings.opening, shape)
  there = jax.random.bernoulli(happens, settings.blink, shape)
  return there * sign * synthetic_nuisances.uniform(far, (0.2, 1.0), shape)


@functools.partial(jax.jit, static_argnames=('settings',))
def made(
  people: dict[str, jax.Array], seed: int, step: int, settings: Settings
) -> dict[str, jax.Array]:
  """Returns the batch of (seed, step), for inspection."""
  key = jax.random.fold_in(jax.random.key(seed), step)
  return batch(people, key, settings)
