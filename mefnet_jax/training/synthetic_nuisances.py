"""What a motion map has besides its expression, drawn from a key.

Tremor, head, gaze and speech as weights of the basis; an estimator's blur,
noise and mistakes on the flow itself. Amplitudes are in units of the
expression's: a motion of weight 1 moves its strongest cell by 1.

Axes: B maps, M motions, H rows, W columns, C two channels.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.synthetic import motion_basis

SIDE = motion_basis.SIDE // 2  # at the resolution that networks see
_POSE = len(motion_basis.POSE)
_SPEECH = ('jaw', 'mouthFunnel', 'mouthPucker', 'mouthClose', 'mouthLower')
# Eyes that look to the person's left, and up.
_GAZE = (
  ('eyeLookOutLeft', 'eyeLookInRight'),
  ('eyeLookUpLeft', 'eyeLookUpRight'),
)


@dataclasses.dataclass(frozen=True)
class Settings:
  """How nuisances are drawn; ranges are (least, most).

  Attributes:
    tremor: spread of all face units. rigid: of the head's motion.
    wild: factors on tremor, head and noise where nothing happens, so that each
      of them is alone now and then.
    gaze: share of maps in which the eyes look elsewhere.
    speech: share of maps without an expression with a mouth that speaks.
    blur: cells of the network's. noise: amplitude; grain: its smoothness in
      cells.
    spots: the most in a map that has any; half have none.
  """

  tremor: float = 0.12
  rigid: tuple[float, float] = (0.02, 0.5)
  wild: tuple[float, float] = (0.2, 5.0)
  gaze: float = 0.25
  speech: float = 0.3
  blur: tuple[float, float] = (0.15, 0.7)
  noise: tuple[float, float] = (0.02, 0.3)
  grain: tuple[float, float] = (0.3, 1.5)
  spots: int = 3


def weights(
  key: jax.Array, nothing: jax.Array, settings: Settings
) -> tuple[jax.Array, jax.Array]:
  """Weights (B, M) of all that moves besides, and (B,) where a mouth speaks.

  Args:
    key: of all that is drawn.
    nothing: (B,) where there is no expression.
    settings: how.
  """
  keys = jax.random.split(key, 7)
  count, names = len(nothing), motion_basis.motions()
  tremor = settings.tremor * jax.random.normal(
    keys[0], (count, len(names) - _POSE)
  )
  rigid = log_uniform(keys[1], settings.rigid, (count, 1))
  rigid *= jax.random.normal(keys[2], (count, _POSE))
  made = jnp.concatenate(
    [
      wild(keys[3], nothing, settings)[:, None] * tremor,
      wild(keys[4], nothing, settings)[:, None] * rigid,
    ],
    axis=-1,
  )
  talk, speaks = _speech(keys[5], nothing, settings)
  return made + talk + _gaze(keys[6], count, settings), speaks


def estimated(
  flow: jax.Array, key: jax.Array, nothing: jax.Array, settings: Settings
) -> jax.Array:
  """What an estimator makes of the exact flow (B, H, W, C)."""
  keys = jax.random.split(key, 6)
  count = len(flow)
  flow = _smooth(flow, uniform(keys[0], settings.blur, (count,)))
  rough = _smooth(
    jax.random.normal(keys[1], flow.shape),
    uniform(keys[2], settings.grain, (count,)),
  )
  square = (rough**2).mean((1, 2, 3), keepdims=True)
  far = log_uniform(keys[3], settings.noise, (count,))
  far = (far * wild(keys[4], nothing, settings))[:, None, None, None]
  return (
    flow + far * rough / jnp.sqrt(square) + _spots(keys[5], count, settings)
  )


def wild(key: jax.Array, nothing: jax.Array, settings: Settings) -> jax.Array:
  """(B,) factors on a nuisance: 1 where there is an expression."""
  factor = log_uniform(key, settings.wild, nothing.shape)
  return jnp.where(nothing, factor, 1.0)


def uniform(key: jax.Array, bounds: tuple, shape: tuple) -> jax.Array:
  """Draws between two bounds."""
  return jax.random.uniform(key, shape, minval=bounds[0], maxval=bounds[1])


def log_uniform(key: jax.Array, bounds: tuple, shape: tuple) -> jax.Array:
  """Draws between two bounds whose logarithm is uniform."""
  low, high = map(float, np.log(bounds))
  return jnp.exp(uniform(key, (low, high), shape))


def _speech(key, nothing, settings):
  """(B, M) weights of a speaking mouth, and (B,) whose it is."""
  happens, shapes = jax.random.split(key)
  mouth = np.array(
    [name.startswith(_SPEECH) for name in motion_basis.motions()]
  )
  speaks = jax.random.bernoulli(happens, settings.speech, nothing.shape)
  speaks &= nothing
  made = 0.5 * jax.random.normal(shapes, (len(nothing), len(mouth)))
  return speaks[:, None] * mouth[None] * made, speaks


def _gaze(key, count, settings):
  """(B, M) weights of eyes that look elsewhere, both alike."""
  happens, where = jax.random.split(key)
  names = motion_basis.motions()
  turn = np.zeros((len(_GAZE), len(names)), np.float32)
  for axis, pair in enumerate(_GAZE):
    turn[axis, [names.index(name) for name in pair]] = 1
  looks = jax.random.bernoulli(happens, settings.gaze, (count, 1))
  return looks * (0.5 * jax.random.normal(where, (count, len(turn))) @ turn)


def _spots(key, count, settings):
  """(B, H, W, C) small places where an estimator went astray."""
  keys = jax.random.split(key, 5)
  shape = (count, settings.spots)
  number = jax.random.randint(keys[0], (count, 1), 1, settings.spots + 1)
  number *= jax.random.bernoulli(keys[1], 0.5, number.shape)
  there = jnp.arange(settings.spots)[None] < number
  at = jax.random.uniform(keys[2], (2, *shape), maxval=SIDE)
  size = uniform(keys[3], (0.35, 1.0), shape)
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
