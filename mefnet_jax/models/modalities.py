"""Masks of missing streams, and modality dropout in training."""

import jax
import jax.numpy as jnp

from mefnet_jax.models import field_values

_KEY = 99  # separates the draws of modality dropout from other dropouts


def present(
  batch: dict[str, jax.Array],
  streams: tuple[str, ...],
  key_B: jax.Array | None,
  rate: float,
) -> dict[str, jax.Array | None]:
  """Returns for each stream which clips have it: (B,) bool, or None for all.

  Args:
    batch: may hold '<stream>_present' (B,), 0 for clips without the stream.
    streams: their names.
    key_B: one random key per clip in training, otherwise None.
    rate: probability of dropping a stream in training; a clip that would lose
      all its streams keeps them all.
  """
  masks = {name: batch.get(f'{name}_present') for name in streams}
  recorded = {
    name: None if mask is None else mask > 0 for name, mask in masks.items()
  }
  if key_B is None or rate == 0.0:
    return recorded
  ones_B = jnp.ones(len(key_B), bool)
  has = {name: ones_B if m is None else m for name, m in recorded.items()}
  after = {name: m & _drawn(key_B, name, rate) for name, m in has.items()}
  # A clip without any stream would only teach the class frequencies.
  some_B = jnp.stack(list(after.values())).any(0)
  return {name: jnp.where(some_B, after[name], has[name]) for name in streams}


def masked(x: jax.Array, present_B: jax.Array | None) -> jax.Array:
  """Returns x with zeros for the clips without the stream."""
  if present_B is None:
    return x
  mask = present_B.reshape(-1, *[1] * (x.ndim - 1))
  return jnp.where(mask, x, jnp.zeros_like(x))


def _drawn(key_B, name, rate):
  """(B,) bool: whether to keep a stream, drawn from the clip's key and name."""
  number = field_values.STREAMS.index(name)

  def keep(key):
    key = jax.random.fold_in(jax.random.fold_in(key, _KEY), number)
    return jax.random.bernoulli(key, 1.0 - rate)

  return jax.vmap(keep)(key_B)
