"""What the network sees of the stored clips: frames, or what moved in them."""

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import augment

CHOICES = ('difference', 'frames', 'flow', 'as_is')
SCALES = ('clip', 'train')
# Fixed scale of 'flow' and 'as_is': 128 is zero, 32 levels are one.
_FIXED = ('flow', 'as_is')
_ZERO, _UNIT = 128.0, 32.0


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
  x = clips_BTHWC.astype(jnp.float32)
  return _scaled(x, how, *_scale(*_moments(clips_BTHWC, how)))


def measured(clips: dict[str, jax.Array], *, how: str) -> dict:
  """The clips with what `batch` scales each of them by, computed once.

  Args:
    clips: streams (N, T, H, W, C) uint8 and 'label' (N,).
    how: see `standardise`; a clip's scale comes from that clip alone.

  Returns:
    The same, and 'moments': (mean, variance) of (N,) a stream.
  """

  def moments(name, x):
    def of_one(clip_THWC):
      mean_B, variance_B = _moments(clip_THWC[None], _way(name, how))
      return mean_B[0], variance_B[0]

    return jax.lax.map(of_one, x)

  streams = {name: x for name, x in clips.items() if not _is_plain(name)}
  return {**clips, 'moments': {n: moments(n, x) for n, x in streams.items()}}


def training_moments(moments: dict, train: np.ndarray, clips: dict) -> dict:
  """Moments of a fold's training clips together, for `batch`.

  Args:
    moments: of `measured` clips.
    train: indices of the fold's training clips; no other clip is looked at,
      nor one that lacks the stream.
    clips: may hold '<stream>_present' (N,).

  Returns:
    (mean, variance) a stream: scalars.
  """

  def pooled(name, mean_N, variance_N):
    there = train
    if f'{name}_present' in clips:
      there = train[np.asarray(clips[f'{name}_present'])[train] > 0]
    there = there if len(there) else train  # no clip has it: nothing counts
    return _pooled(mean_N[there], variance_N[there])

  return {name: pooled(name, *pair) for name, pair in moments.items()}


def batch(
  clips: dict,
  index_B: jax.Array,
  *,
  how: str,
  moments: dict | None = None,
  augmentation: augment.Augmentation | None = None,
  key_B: jax.Array | None = None,
) -> dict[str, jax.Array]:
  """The `measured` clips at index_B as the network sees them, and labels.

  A sound has no onset frame: it is always taken as it is ('frames'). Words
  and masks ('<stream>_present') stay as they are stored.

  Args:
    clips: all clips.
    index_B: which of them.
    how: see `standardise`.
    moments: of a fold's training clips (`training_moments`), by which all clips
      are scaled alike; without them each clip is scaled by its own.
    augmentation: drawn for each clip by its key in key_B; its scale stays
      that of the clip as it was.
    key_B: keys, for the augmentation.
  """
  taken = {n: x[index_B] for n, x in clips.items() if n != 'moments'}
  streams = {name: taken[name].astype(jnp.float32) for name in clips['moments']}
  if augmentation:
    streams = augment.augment(streams, key_B, augmentation)
  for name, own in clips['moments'].items():
    chosen = moments[name] if moments else [x_N[index_B] for x_N in own]
    way = _way(name, how)
    streams[name] = _scaled(streams[name], way, *_scale(*chosen))
  return {**taken, **streams}


def _way(name, how):
  return 'frames' if name == 'audio' else how


def _is_plain(name):
  return name in ('label', 'text') or name.endswith('_present')


def _pooled(mean_N, variance_N):
  """Moments of clips of one size, taken together."""
  return mean_N.mean(), variance_N.mean() + mean_N.var()


def _moments(clips_BTHWC, how):
  """Mean and variance of each clip; the difference has no mean, by choice."""
  x = clips_BTHWC.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
  if how in _FIXED:
    return jnp.full(len(x), _ZERO), jnp.full(len(x), _UNIT**2)
  if how == 'difference':
    return jnp.zeros(len(x)), ((x - x[:, :1]) ** 2).mean(axes)
  mean_B = x.mean(axes)
  return mean_B, ((x - _spread(mean_B, x.ndim)) ** 2).mean(axes)


def _scale(mean, variance):
  """What to subtract and what to multiply by."""
  return mean, 1.0 / jnp.maximum(jnp.sqrt(variance), 1e-3)


def _scaled(x_BTHWC, how, mean, factor):
  shift = x_BTHWC[:, :1] if how == 'difference' else _spread(mean, x_BTHWC.ndim)
  return (x_BTHWC - shift) * _spread(factor, x_BTHWC.ndim)


def _spread(x, rank):
  """(B,) over clips of that rank; a scalar stays one."""
  return x.reshape(-1, *[1] * (rank - 1)) if x.ndim else x
