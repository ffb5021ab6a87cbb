"""What the network sees of the stored clips: frames, or what moved in them."""

import jax
import jax.numpy as jnp

CHOICES = ('difference', 'frames')


def standardise(clips_BTHWC: jax.Array, how: str) -> jax.Array:
  """Clips of 0..255 as the network's input, each clip by itself.

  Args:
    clips_BTHWC: uint8 clips; the first frame is the onset.
    how: 'frames' as they are (the paper), or 'difference' of each frame to
      the onset frame, where the person leaves the picture and the motion
      stays.

  Returns:
    float32 of the same shape, with mean 0 ('frames') and mean square 1 over
    each clip. A clip without any motion or contrast becomes zeros.
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

  def moments(name, x):
    def of_one(clip_THWC):
      mean_B, factor_B = _moments(clip_THWC[None], _way(name, how))
      return mean_B[0], factor_B[0]

    return jax.lax.map(of_one, x)

  streams = {name: x for name, x in clips.items() if not _is_plain(name)}
  return {**clips, 'moments': {n: moments(n, x) for n, x in streams.items()}}


def batch(clips: dict, index_B: jax.Array, *, how: str) -> dict[str, jax.Array]:
  """The `measured` clips at index_B, standardised, and their labels.

  A sound has no onset frame: it is always taken as it is ('frames'). Words
  and masks ('<stream>_present') stay as they are stored.
  """
  moments = clips['moments']
  taken = {n: x[index_B] for n, x in clips.items() if n != 'moments'}
  scaled = {
    name: _scaled(taken[name], _way(name, how), *(x_N[index_B] for x_N in own))
    for name, own in moments.items()
  }
  return {**taken, **scaled}


def _way(name, how):
  return 'frames' if name == 'audio' else how


def _is_plain(name):
  return name in ('label', 'text') or name.endswith('_present')


def _moments(clips_BTHWC, how):
  """What to subtract ('frames' only) and what to multiply by, (B,) each."""
  x = clips_BTHWC.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
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
