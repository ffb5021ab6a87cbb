"""Streams that a clip may lack: masks, and their dropping in training."""

import jax
import jax.numpy as jnp

from mefnet_jax.models import choices

_KEY = 99  # tells the draw of modalities from the network's dropouts


def present(
  batch: dict[str, jax.Array],
  streams: tuple[str, ...],
  key_B: jax.Array | None,
  rate: float,
) -> dict[str, jax.Array | None]:
  """Which clips have each stream: (B,) bool, or None where all have it.

  Args:
    batch: may hold '<stream>_present' (B,), 0 for a clip that lacks it.
    streams: their names.
    key_B: a key a clip in training, else None.
    rate: the share of streams taken for lacking in training; a clip that
      would lose all it has keeps all it has.
  """
  given = {name: batch.get(f'{name}_present') for name in streams}
  there = {
    name: None if mask is None else mask > 0 for name, mask in given.items()
  }
  if key_B is None or rate == 0.0:
    return there
  ones_B = jnp.ones(len(key_B), bool)
  has = {name: ones_B if m is None else m for name, m in there.items()}
  kept = {name: m & _drawn(key_B, name, rate) for name, m in has.items()}
  some_B = jnp.stack(list(kept.values())).any(0)
  return {name: jnp.where(some_B, kept[name], has[name]) for name in streams}


def masked(x: jax.Array, present_B: jax.Array | None) -> jax.Array:
  """x with zeros, whatever it holds, for clips that lack the stream."""
  if present_B is None:
    return x
  mask = present_B.reshape(-1, *[1] * (x.ndim - 1))
  return jnp.where(mask, x, jnp.zeros_like(x))


def _drawn(key_B, name, rate):
  """(B,) bool: kept; a stream's draw hangs on the clip's key and its name."""
  number = choices.STREAMS.index(name)

  def keep(key):
    key = jax.random.fold_in(jax.random.fold_in(key, _KEY), number)
    return jax.random.bernoulli(key, 1.0 - rate)

  return jax.vmap(keep)(key_B)
