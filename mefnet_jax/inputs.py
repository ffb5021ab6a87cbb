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
  x = clips_BTHWC.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
  if how == 'difference':
    x = x - x[:, :1]
  else:
    x = x - x.mean(axes, keepdims=True)
  scale = jnp.sqrt((x**2).mean(axes, keepdims=True))
  return x / jnp.maximum(scale, 1e-3)


def batch(
  clips: dict[str, jax.Array], index_B: jax.Array, *, how: str
) -> dict[str, jax.Array]:
  """The clips at index_B: each stream standardised, and their labels."""
  streams = {
    name: standardise(clips_N[index_B], how)
    for name, clips_N in clips.items()
    if name != 'label'
  }
  return {**streams, 'label': clips['label'][index_B]}
