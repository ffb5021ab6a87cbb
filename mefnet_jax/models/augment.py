"""Augmentation on the device: one draw per clip, shared by all its streams.

Flip, shift, scale and time warp are linear and separable: one matrix each for
columns, rows and frames. They are built from the clip's own random key, so
that a clip is augmented in the same way in any batch, fold or device.

Axes: B batch, T frames, H rows, W columns, C channels.
"""

import dataclasses

import jax
import jax.numpy as jnp

_KEY = 7_000  # separates the random draws of augmentation from dropout's


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """The strength of each augmentation; 0 turns it off.

  Attributes:
    flip: share of clips that are mirrored horizontally.
    shift: maximum shift, as a share of width and height, e.g. 0.05.
    scale: maximum relative change of size, e.g. 0.1.
    brightness: maximum relative change of contrast, e.g. 0.1.
    crop: maximum share of the clip's duration that is cut off, e.g. 0.2; the
      rest is stretched to T frames.
    jitter: standard deviation of each frame's time, in frames.
    reverse: share of clips that are played backwards, offset first.
  """

  flip: float = 0.0
  shift: float = 0.0
  scale: float = 0.0
  brightness: float = 0.0
  crop: float = 0.0
  jitter: float = 0.0
  reverse: float = 0.0

  def __bool__(self) -> bool:
    return any(dataclasses.astuple(self))


def augment(
  streams: dict[str, jax.Array], key_B: jax.Array, augmentation: Augmentation
) -> dict[str, jax.Array]:
  """Augments the streams that are clips; others are returned unchanged.

  Args:
    streams: clips (B, T, H, W, C) float32, or features of other ranks.
    key_B: one random key per clip.
    augmentation: its strength.

  Returns:
    The streams, of the same shapes.
  """
  draws = jax.vmap(
    lambda key: _draw(jax.random.fold_in(key, _KEY), augmentation)
  )(key_B)
  return {
    name: jax.vmap(_apply)(x, draws) if x.ndim == 5 else x
    for name, x in streams.items()
  }


def _draw(key, augmentation):
  """Draws the parameters of one clip."""
  names = ('flip', 'shift_x', 'shift_y', 'scale', 'brightness', 'crop', 'start')
  keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))

  def within(name, most):
    return jax.random.uniform(keys[name], minval=-most, maxval=most)

  reverse_key, jitter_key = jax.random.split(jax.random.fold_in(key, 1))
  cut = jax.random.uniform(keys['crop'], maxval=augmentation.crop)
  return {
    'sign': jnp.where(
      jax.random.bernoulli(keys['flip'], augmentation.flip), -1.0, 1.0
    ),
    'shift': jnp.stack(
      [within(f'shift_{a}', augmentation.shift) for a in 'yx']
    ),
    'scale': 1.0 + within('scale', augmentation.scale),
    'gain': 1.0 + within('brightness', augmentation.brightness),
    'span': 1.0 - cut,
    'start': cut * jax.random.uniform(keys['start']),
    'backwards': jax.random.bernoulli(reverse_key, augmentation.reverse),
    'jitter': augmentation.jitter,
    'jitter_key': jitter_key,
  }


def _apply(x_THWC, draw):
  """The augmented clip."""
  frames, rows, columns, _ = x_THWC.shape
  time_TT = _matrix(_times(draw, frames))
  row_HH = _matrix(_places(rows, draw['scale'], draw['shift'][0]))
  column_WW = _matrix(
    _places(columns, draw['scale'] * draw['sign'], draw['shift'][1])
  )
  # One axis after another: three small products, instead of a gather of eight
  # neighbours for every pixel.
  x = jnp.einsum('wj,thjc->thwc', column_WW, x_THWC)
  x = jnp.einsum('hi,tiwc->thwc', row_HH, x)
  x = jnp.einsum('ts,shwc->thwc', time_TT, x)
  return x * draw['gain']


def _places(size, scale, shift):
  """Positions (size,) from which pixels are read, scaled about the centre.

  A negative scale mirrors.
  """
  middle = (size - 1) / 2
  return (jnp.arange(size) - middle) * scale + middle + shift * size


def _times(draw, frames):
  """Times (frames,) at which frames are read."""
  last = frames - 1
  time = last * (draw['start'] + draw['span'] * jnp.linspace(0, 1, frames))
  noise = jax.random.normal(draw['jitter_key'], (frames,))
  time += draw['jitter'] * noise
  return jnp.where(draw['backwards'], last - time, time)


def _matrix(place_N):
  """The (N, N) matrix of linear interpolation at N positions.

  Positions outside are clamped to the first and last one, so that an edge is
  repeated, not filled with a grey that would look like motion.
  """
  place_N = jnp.clip(place_N, 0, len(place_N) - 1)
  distance = place_N[:, None] - jnp.arange(len(place_N))[None]
  return jnp.maximum(0.0, 1.0 - jnp.abs(distance))
