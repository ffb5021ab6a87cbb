"""The network's input: stored clips as frames, motion or flow, normalised."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import augment, motion_input

CHOICES = ('difference', 'frames', 'flow', 'as_is', 'motion')
SCALES = ('clip', 'train')
# 'flow' and 'as_is' have a fixed scale: level 128 is 0, 32 levels are 1. The
# scale of 'motion' is taken from the map (`motion_input`).
_FIXED = ('flow', 'as_is', 'motion')
_ZERO, _UNIT = 128.0, 32.0


def input_shape(shape: tuple[int, ...], input_kind: str) -> tuple[int, ...]:
  """Returns the shape (T, H, W, C) in which the network sees a stored clip.

  Raises:
    ValueError: maps of an odd size, which 'motion' cannot halve.
  """
  if input_kind != 'motion':
    return tuple(shape)
  frames, height, width, channels = shape
  if height % 2 or width % 2 or channels < 2:
    raise ValueError(
      f'{shape}: motion needs maps of an even height and width, with u and v'
    )
  return frames, height // 2, width // 2, 2


def standardise(clips_BTHWC: jax.Array, input_kind: str) -> jax.Array:
  """Normalises each clip of values 0..255 on its own.

  Args:
    clips_BTHWC: uint8 clips; the first frame is the onset.
    input_kind: 'frames' (the paper); 'difference' of each frame to the onset
      frame, which removes the person's appearance and keeps the motion; or
      'flow' and 'as_is', (x - 128) / 32, whose magnitude carries meaning; or
      'motion' (`motion_input`).

  Returns:
    float32 of `input_shape`. Each clip has mean 0 ('frames') and mean square
    1 ('frames', 'difference'); a clip without motion or contrast is zero.
  """
  x = clips_BTHWC.astype(jnp.float32)
  return _scaled(x, input_kind, *_scale(*_moments(clips_BTHWC, input_kind)))


def measured(clips: dict[str, jax.Array], *, input_kind: str) -> dict:
  """Returns the clips with the moments by which `batch` scales them.

  Args:
    clips: streams (N, T, H, W, C) uint8 and 'label' (N,).
    input_kind: see `standardise`; the moments of a clip depend on it alone.

  Returns:
    The clips, and 'moments': for each stream (mean, variance), each (N,).
  """
  moments = {
    name: _clip_by_clip(x, kind=_stream_kind(name, input_kind))
    for name, x in clips.items()
    if not _is_plain(name)
  }
  return {**clips, 'moments': moments}


# Jitted, or each call would compile a program of its own.
@functools.partial(jax.jit, static_argnames='kind')
def _clip_by_clip(x_NTHWC, *, kind):
  """Moments of each clip."""

  def of_one(clip_THWC):
    mean_B, variance_B = _moments(clip_THWC[None], kind)
    return mean_B[0], variance_B[0]

  # All clips as float32 at once would take four times the memory of the uint8
  # that is stored.
  return jax.lax.map(of_one, x_NTHWC)


def training_moments(moments: dict, train: np.ndarray, clips: dict) -> dict:
  """Returns the joint moments of a fold's training clips, for `batch`.

  Args:
    moments: the moments of `measured` clips.
    train: indices of the fold's training clips; other clips, and clips without
      the stream, are ignored.
    clips: may hold '<stream>_present' (N,).

  Returns:
    For each stream the scalars (mean, variance).
  """

  def pooled(name, mean_N, variance_N):
    having = train
    if f'{name}_present' in clips:
      having = train[np.asarray(clips[f'{name}_present'])[train] > 0]
    if not len(having):
      having = (
        train  # the stream is masked everywhere: any finite value will do
      )
    return _pooled(mean_N[having], variance_N[having])

  return {name: pooled(name, *pair) for name, pair in moments.items()}


def batch(
  clips: dict,
  index_B: jax.Array,
  *,
  input_kind: str,
  moments: dict | None = None,
  augmentation: augment.Augmentation | None = None,
  key_B: jax.Array | None = None,
) -> dict[str, jax.Array]:
  """Returns the normalised streams and labels of some `measured` clips.

  Sound has no onset frame and is always treated as 'frames'. Words and masks
  ('<stream>_present') are returned as stored.

  Args:
    clips: all clips, as returned by `measured`.
    index_B: indices of the clips.
    input_kind: see `standardise`.
    moments: moments of a fold's training clips (`training_moments`), by which
      all clips are scaled; without them each clip is scaled by its own.
    augmentation: drawn for each clip from its key; the clip is scaled by its
      moments before augmentation.
    key_B: random keys for the augmentation.

  Raises:
    ValueError: an augmentation without keys.
  """
  taken = {n: x[index_B] for n, x in clips.items() if n != 'moments'}
  streams = {name: taken[name].astype(jnp.float32) for name in clips['moments']}
  if augmentation:
    if key_B is None:
      raise ValueError('an augmentation is drawn from keys: give key_B')
    streams = augment.augment(streams, key_B, augmentation)
  for name, pair in clips['moments'].items():
    chosen = moments[name] if moments else [x_N[index_B] for x_N in pair]
    kind = _stream_kind(name, input_kind)
    streams[name] = _scaled(streams[name], kind, *_scale(*chosen))
  return {**taken, **streams}


def at_once(
  clips: dict[str, jax.Array], *, input_kind: str, moments: dict | None = None
) -> dict[str, jax.Array]:
  """Normalises all clips at once, to the same values as `measured` and `batch`.

  Args:
    clips: streams (N, T, H, W, C) uint8, words and masks.
    input_kind: see `standardise`.
    moments: as for `batch`.
  """
  found = dict(clips)
  for name, x in clips.items():
    if not _is_plain(name):
      kind = _stream_kind(name, input_kind)
      own = moments[name] if moments else _moments(x, kind)
      found[name] = _scaled(x.astype(jnp.float32), kind, *_scale(*own))
  return found


def _stream_kind(name, input_kind):
  """The input kind of one stream; sound has no onset frame."""
  return 'frames' if name == 'audio' else input_kind


def _is_plain(name):
  """Whether a stream is passed on as it is stored."""
  return name in ('label', 'text') or name.endswith('_present')


def _pooled(mean_N, variance_N):
  """Joint moments of clips of equal size."""
  return mean_N.mean(), variance_N.mean() + mean_N.var()


def _moments(clips_BTHWC, input_kind):
  """Mean and variance of each clip; the mean of a difference is taken as 0."""
  x = clips_BTHWC.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
  if input_kind in _FIXED:
    return jnp.full(x.shape[0], _ZERO), jnp.full(x.shape[0], _UNIT**2)
  if input_kind == 'difference':
    return jnp.zeros(x.shape[0]), ((x - x[:, :1]) ** 2).mean(axes)
  mean_B = x.mean(axes)
  return mean_B, ((x - _spread(mean_B, x.ndim)) ** 2).mean(axes)


def _scale(mean, variance):
  """The values to subtract and to multiply by."""
  # The limit is far below one grey level: it only spares a constant clip the
  # division by 0.
  return mean, 1.0 / jnp.maximum(jnp.sqrt(variance), 1e-3)


def _scaled(x_BTHWC, input_kind, mean, factor):
  """The clips as the network sees them."""
  if input_kind == 'motion':
    return motion_input.standardise(x_BTHWC)
  shift = (
    x_BTHWC[:, :1]
    if input_kind == 'difference'
    else _spread(mean, x_BTHWC.ndim)
  )
  return (x_BTHWC - shift) * _spread(factor, x_BTHWC.ndim)


def _spread(x, rank):
  """Reshapes (B,) to broadcast over clips of that rank; keeps scalars."""
  return x.reshape(-1, *[1] * (rank - 1)) if x.ndim else x
