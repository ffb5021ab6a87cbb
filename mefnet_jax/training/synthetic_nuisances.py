"""Draws the disturbances of motion maps from a key.

Tremor, head motion, gaze and speech are weights of the motion basis; blur,
noise and mistakes of an estimator act on the flow itself. A motion of weight 1
moves its strongest cell by 1.

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
    tremor: standard deviation of all face units.
    rigid: the same of the head's motion.
    wild: factors on tremor, head motion and noise in maps without an
      expression, so that each of them appears alone now and then.
    gaze: share of maps in which the eyes look elsewhere.
    speech: share of maps without an expression in which the mouth speaks.
    aperture: strength of the losses of motion that `visible` describes.
    patchy: standard deviation of the logarithm of an estimator's gain, which
      varies from place to place.
    blur: in cells of the network's maps.
    noise: its amplitude.
    grain: the smoothness of the noise, in cells.
    spots: their largest number in a map that has any; half of the maps do not.
  """

  tremor: float = 0.12
  rigid: tuple[float, float] = (0.02, 0.5)
  wild: tuple[float, float] = (0.2, 5.0)
  gaze: float = 0.25
  speech: float = 0.3
  aperture: tuple[float, float] = (0.0, 1.1)
  patchy: float = 0.3
  blur: tuple[float, float] = (0.15, 0.7)
  noise: tuple[float, float] = (0.02, 0.3)
  grain: tuple[float, float] = (0.3, 1.5)
  spots: int = 3


def weights(
  key: jax.Array, nothing: jax.Array, settings: Settings
) -> tuple[jax.Array, jax.Array]:
  """Weights (B, M) of the disturbances, and whether a mouth speaks, (B,).

  Args:
    key: for everything that is drawn.
    nothing: (B,) whether there is no expression.
    settings: of the disturbances.
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
  flow: jax.Array,
  key: jax.Array,
  nothing: jax.Array,
  placed: jax.Array,
  settings: Settings,
) -> jax.Array:
  """The flow (B, H, W, C) that an estimator would find.

  Args:
    flow: the exact flow, of the same shape.
    key: for everything that is drawn.
    nothing: (B,) whether there is no expression.
    placed: (B,) whether eyes and mouth lie where `face_crop` puts them.
    settings: of the disturbances.
  """
  keys = jax.random.split(key, 7)
  count = len(flow)
  flow = flow * _gain(keys[6], placed, settings)
  flow = _smooth(flow, uniform(keys[0], settings.blur, (count,)))
  rough = _rough(keys[1], keys[2], flow.shape, settings.grain)
  far = log_uniform(keys[3], settings.noise, (count,))
  far = (far * wild(keys[4], nothing, settings))[:, None, None, None]
  return flow + far * rough + _spots(keys[5], count, settings)


def visible() -> np.ndarray:
  """The share (H, W, C) of a motion that an estimator finds, on a mean face.

  Plain skin below the eyes and on the cheeks has no texture to follow; brows
  and lips are lines, along which motion cannot be seen. The shares were
  measured with DIS on 161 rendered clips, in the crop of `face_crop`.
  """
  y, x = np.mgrid[:SIDE, :SIDE] * 2 + 0.5  # cells of 28 a side

  def around(row, column, high, wide):
    square = ((y - row) / high) ** 2 + ((x - column) / wide) ** 2
    return np.exp(-square / 2)

  eyes = around(9.5, 6.3, 2, 3.5) + around(9.5, 21, 2, 3.5)
  cheeks = around(13, 3.5, 3, 3) + around(13, 23.5, 3, 3)
  both = 0.8 * (1 - 0.8 * eyes) * (1 - 0.4 * cheeks)
  lines = 0.45 * around(5, 13.65, 2.5, 8) + 0.4 * around(21, 13.65, 4, 6)
  return np.stack([both * (1 - lines), both], axis=-1).astype(np.float32)


def _gain(key, placed, settings):
  """The share (B, H, W, C) of each cell's motion that is found."""
  much, where, noise, grain = jax.random.split(key, 4)
  steps = np.arange(-2, 3)  # rows, where nobody knows where the eyes are
  shifted = np.stack([np.roll(visible(), step, axis=0) for step in steps])
  chosen = jax.random.randint(where, placed.shape, 0, len(steps))
  share = jnp.asarray(shifted)[jnp.where(placed, len(steps) // 2, chosen)]
  much = uniform(much, settings.aperture, (len(placed), 1, 1, 1))
  patches = _rough(noise, grain, share.shape, (1.0, 3.0))
  return (1 - much * (1 - share)) * jnp.exp(settings.patchy * patches)


def _rough(key, grain, shape, bounds):
  """Noise with RMS 1 in each map and a smoothness between bounds, in cells."""
  noise = jax.random.normal(key, shape)
  noise = _smooth(noise, uniform(grain, bounds, shape[:1]))
  square = (noise**2).mean((1, 2, 3), keepdims=True)
  return noise / jnp.sqrt(square)


def wild(key: jax.Array, nothing: jax.Array, settings: Settings) -> jax.Array:
  """Factors (B,) on a disturbance; 1 where there is an expression."""
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
  """Weights (B, M) of a speaking mouth, and whether it speaks, (B,)."""
  happens, shapes = jax.random.split(key)
  mouth = np.array(
    [name.startswith(_SPEECH) for name in motion_basis.motions()]
  )
  speaks = jax.random.bernoulli(happens, settings.speech, nothing.shape)
  speaks &= nothing
  made = 0.5 * jax.random.normal(shapes, (len(nothing), len(mouth)))
  return speaks[:, None] * mouth[None] * made, speaks


def _gaze(key, count, settings):
  """Weights (B, M) of eyes that look elsewhere, both in the same direction."""
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
