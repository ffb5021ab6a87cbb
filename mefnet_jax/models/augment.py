"""Augmentation on the device: one draw a clip, the same for all its streams.

Flip, shift and scale of a clip, and what happens to its time, are linear in
each axis by itself: a matrix for the columns, one for the rows and one for the
frames. They are built from the clip's own key, so a clip is augmented alike
whatever batch, fold or device it is in, and alike in all its frames.

Axes: B batch, T frames, H rows, W columns, C channels.
"""

import dataclasses

import jax
import jax.numpy as jnp

_KEY = 7_000  # tells the augmentation's draws from those of dropout


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """How strongly; 0 turns a part off.

  flip: share of clips mirrored left to right, in all streams alike.
  shift: the most, as a share of the width and the height, e.g. 0.05.
  scale: the most that a clip grows or shrinks, e.g. 0.1.
  brightness: the most that its contrast grows or shrinks, e.g. 0.1.
  crop: the most that is cut off the clip's time, e.g. 0.2; what is left is
    stretched to T frames.
  jitter: the standard deviation of each frame's time, in frames.
  reverse: share of clips played backwards, offset first.
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
  streams: dict[str, jax.Array], key_B: jax.Array, how: Augmentation
) -> dict[str, jax.Array]:
  """Augments the clips among the streams; what has no frames stays.

  Args:
    streams: clips (B, T, H, W, C) float32, or features of other ranks.
    key_B: a key a clip.
    how: what to draw.

  Returns:
    The streams, of the same shapes.
  """
  draws = jax.vmap(lambda key: _draw(jax.random.fold_in(key, _KEY), how))(key_B)
  return {
    name: jax.vmap(_apply)(x, draws) if x.ndim == 5 else x
    for name, x in streams.items()
  }


def _draw(key, how):
  """One clip's numbers."""
  names = ('flip', 'shift_x', 'shift_y', 'scale', 'brightness', 'crop', 'start')
  keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))

  def within(name, most):
    return jax.random.uniform(keys[name], minval=-most, maxval=most)

  reverse_key, jitter_key = jax.random.split(jax.random.fold_in(key, 1))
  cut = jax.random.uniform(keys['crop'], maxval=how.crop)
  return {
    'sign': jnp.where(jax.random.bernoulli(keys['flip'], how.flip), -1.0, 1.0),
    'shift': jnp.stack([within(f'shift_{a}', how.shift) for a in 'yx']),
    'scale': 1.0 + within('scale', how.scale),
    'gain': 1.0 + within('brightness', how.brightness),
    'span': 1.0 - cut,
    'start': cut * jax.random.uniform(keys['start']),
    'backwards': jax.random.bernoulli(reverse_key, how.reverse),
    'jitter': how.jitter,
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
  x = jnp.einsum('wj,thjc->thwc', column_WW, x_THWC)
  x = jnp.einsum('hi,tiwc->thwc', row_HH, x)
  x = jnp.einsum('ts,shwc->thwc', time_TT, x)
  return x * draw['gain']


def _places(size, scale, shift):
  """Where each pixel is read: (size,), about the middle of the picture."""
  middle = (size - 1) / 2
  return (jnp.arange(size) - middle) * scale + middle + shift * size


def _times(draw, frames):
  """When each frame is read: (frames,)."""
  last = frames - 1
  time = last * (draw['start'] + draw['span'] * jnp.linspace(0, 1, frames))
  noise = jax.random.normal(draw['jitter_key'], (frames,))
  time += draw['jitter'] * noise
  return jnp.where(draw['backwards'], last - time, time)


def _matrix(place_N):
  """Linear interpolation at places of a line of N; its ends go on."""
  place_N = jnp.clip(place_N, 0, len(place_N) - 1)
  distance = place_N[:, None] - jnp.arange(len(place_N))[None]
  return jnp.maximum(0.0, 1.0 - jnp.abs(distance))
