"""What the network sees of the stored clips: frames, or what moved in them."""

import jax
import jax.numpy as jnp

CHOICES = ('difference', 'frames', 'flow', 'as_is')
# Fixed scale of 'flow' and 'as_is': 128 is zero, 32 levels are one.
_FIXED = ('flow', 'as_is')
_ZERO, _UNIT = 128.0, 32.0


def stored(stream: str, how: str) -> str:
  """The stored stream that stands for a view of the network."""
  flows = {'face': 'flow', 'eyes': 'eyes_flow', 'mouth': 'mouth_flow'}
  return flows.get(stream, stream) if how == 'flow' else stream


def standardise(clips_BTHWC: jax.Array, how: str) -> jax.Array:
  """Clips of 0..255 as the network's input, each clip by itself.

  Args:
    clips_BTHWC: uint8 clips; the first frame is the onset.
    how: 'frames' as they are (the paper), or 'difference' of each frame to
      the onset frame, where the person leaves the picture and the motion
      stays; or 'flow' and 'as_is', (x - 128) / 32: there the size of the
      values says something.

  Returns:
    float32 of the same shape, with mean 0 ('frames') and mean square 1 over
    each clip ('difference' too). A clip without any motion or contrast
    becomes zeros.
  """
  return _scaled(clips_BTHWC, how, *_moments(clips_BTHWC, how))


def measured(clips: dict[str, jax.Array], *, how: str) -> dict:
  """The clips with what `batch` scales each of them by, computed once.

  Args:
    clips: streams (N, T, H, W, C) uint8 and 'label' (N,).
    how: see `standardise`; a clip's scale comes from that clip alone.

  Returns:
    The same, and 'moments': a (mean, 1 / root mean square) of (N,) a stream.
  """

  def of_one(clip_THWC):
    mean_B, factor_B = _moments(clip_THWC[None], how)
    return mean_B[0], factor_B[0]

  streams = {name: x for name, x in clips.items() if name != 'label'}
  moments = {name: jax.lax.map(of_one, x) for name, x in streams.items()}
  return {**clips, 'moments': moments}


def batch(clips: dict, index_B: jax.Array, *, how: str) -> dict[str, jax.Array]:
  """The `measured` clips at index_B, standardised, and their labels."""
  streams = {
    name: _scaled(clips[name][index_B], how, *(x_N[index_B] for x_N in moments))
    for name, moments in clips['moments'].items()
  }
  return {**streams, 'label': clips['label'][index_B]}


def _moments(clips_BTHWC, how):
  """What to subtract ('frames' only) and what to multiply by, (B,) each."""
  x = clips_BTHWC.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
  if how in _FIXED:
    return jnp.full(len(x), _ZERO), jnp.full(len(x), 1 / _UNIT)
  if how == 'difference':
    x, mean_B = x - x[:, :1], jnp.zeros(len(x))
  else:
    mean_B = x.mean(axes)
    x = x - _spread(mean_B, x.ndim)
  return mean_B, 1.0 / jnp.maximum(jnp.sqrt((x**2).mean(axes)), 1e-3)


def _scaled(clips_BTHWC, how, mean_B, factor_B):
  x = clips_BTHWC.astype(jnp.float32)
  mean = x[:, :1] if how == 'difference' else _spread(mean_B, x.ndim)
  return (x - mean) * _spread(factor_B, x.ndim)


def _spread(x_B, rank):
  return x_B.reshape(-1, *[1] * (rank - 1))
