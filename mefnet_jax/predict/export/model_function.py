"""The function that is exported: from stored streams to probabilities.

It is pure, takes streams as they are stored (uint8), and contains the weights,
the normalisation and the mean over members.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import field_values, normalize, pixel_scaling
from mefnet_jax.predict import trained_model
from mefnet_jax.runs import errors

_MANY = 16  # with so many clips the last one is noise
# Streams that a clip may lack; a mask marks the clips that have them.
_OPTIONAL = tuple(
  n for n in field_values.STREAMS if n not in field_values.CLIP_STREAMS
)


def inputs(
  model: trained_model.Model,
) -> dict[str, tuple[tuple[int, ...], str]]:
  """Shape, without the batch axis, and dtype of each input, by name."""
  found = {}
  for name, one in model.description['input']['streams'].items():
    found[name] = tuple(one['shape']), str(np.dtype(one['dtype']))
    if name in _OPTIONAL:
      found[f'{name}_present'] = (), 'uint8'
  return found


def function(
  model: trained_model.Model, members: Sequence[trained_model.Member]
) -> Callable[[Mapping[str, jax.Array]], jax.Array]:
  """Returns streams (B, ...) by name -> probabilities (B, C), the mean over
  members."""

  def probabilities(streams):
    each = [_one(model, member, streams) for member in members]
    return sum(each[1:], each[0]) / len(each)

  return probabilities


@contextlib.contextmanager
def any_batch(model: trained_model.Model) -> Iterator[None]:
  """A context in which a network is traced for a batch of any size.

  Raises:
    errors.UserError: the network cannot be traced so; a network of one's own
      may depend on the number of clips.
  """
  try:
    yield
  except Exception as error:  # the network's own code may raise anything
    why = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'{model.folder}: its network cannot be exported for any number of clips '
      f'({type(error).__name__}: {why}): use --format=safetensors'
    ) from error


def _one(model, member, streams):
  """Probabilities by one member."""
  streams = dict(streams)
  if member.pixels:
    streams |= pixel_scaling.apply(
      {name: streams[name] for name in member.pixels},
      {
        n: (p['mean'][None], p['spread'][None])
        for n, p in member.pixels.items()
      },
      model.input_kind,
      jnp,
    )
  seen = normalize.at_once(
    streams, input_kind=model.input_kind, moments=member.moments
  )
  params = jax.tree.map(jnp.asarray, member.params)
  logits, _ = model.network.apply({'params': params}, seen, train=False)
  logits = logits.astype(jnp.float32) / model.temperature
  return jax.nn.softmax(logits, axis=-1)


def sample(
  model: trained_model.Model, count: int, seed: int = 0
) -> dict[str, Any]:
  """Makes up clips on which an export is compared with its model.

  They are smooth drifting patterns with noise, at many contrasts; to plain
  noise a network gives nearly the same answer for every clip. The last of many
  clips is plain noise. None is without motion, because normalising would
  enlarge its rounding errors.

  Args:
    model: the model that is exported.
    count: number of clips N.
    seed: seed of the random numbers.

  Returns:
    The inputs (N, ...) by name.
  """
  random = np.random.default_rng(seed)
  return {
    name: _stream(random, (count, *shape), dtype)
    for name, (shape, dtype) in inputs(model).items()
  }


def _stream(random, shape, dtype):
  """(N, ...) of a stream: a mask, words, or patterns of grey levels."""
  if len(shape) == 1:
    return (random.random(shape) < 0.7).astype(dtype)
  if np.dtype(dtype) != np.uint8:
    return random.integers(0, 1000, shape).astype(dtype)
  axes = [np.linspace(0, 1, n, dtype=np.float32) for n in shape[1:]]
  places = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
  found = np.stack([_pattern(random, places) for _ in range(shape[0])])
  if len(found) >= _MANY:
    found[-1] = random.integers(0, 256, shape[1:], np.uint8)
  return found


def _pattern(random, places):
  """Three plane waves and noise, as uint8."""
  waves = random.normal(0, 3, (places.shape[-1], 3))
  levels = np.sin(2 * np.pi * places @ waves).mean(-1)
  levels += random.normal(0, 0.1, levels.shape)
  return np.clip(128 + random.uniform(5, 100) * levels, 0, 255).astype(np.uint8)
