"""Checks that a user's own network does what training relies on.

docs/own_network.md lists the requirements. A network that breaks one would end
a run in a traceback, or worse: its held-out clips would influence the weights
that score them. The check takes seconds and comes before clips are prepared.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax.runs import plugins

_COUNT = 2  # clips of the batch that is tried
_TOLERANCE = 1e-3  # of logits: rounding differs between batches, by far less
# What flax and jax raise for them names neither the cause nor the remedy.
_REMEDIES = {
  'InvalidRngError': 'write layers.dropout instead of nn.Dropout',
  'ScopeCollectionNotFound': 'it may keep nothing beside its weights',
}


def check(model: nn.Module, clip: Mapping[str, jax.ShapeDtypeStruct]) -> None:
  """Tries a network on two clips: in shapes, then on random numbers.

  Args:
    model: the network.
    clip: shape and dtype of each of its streams, for one clip (1, T, H, W, C).

  Raises:
    ValueError: it raises, returns other shapes or types, keeps variables
      beside its weights, or lets a clip change the logits of another. The
      message is one line, and names the line of the network's file.
  """
  batch = {
    name: jax.ShapeDtypeStruct((_COUNT, *x.shape[1:]), x.dtype)
    for name, x in clip.items()
  }
  like = _traced(model, lambda x: model.init(jax.random.key(0), x), batch)
  other = sorted(set(like) - {'params'})
  if other:
    raise ValueError(
      f'it keeps {", ".join(other)} beside its weights, as batch normalisation '
      'does: use layers.Normalisation'
    )
  for train in (False, True):
    given = batch | jax.eval_shape(_training_inputs) if train else batch

    def answer(variables, x, train=train):
      return model.apply(variables, x, train=train)

    _check_answer(model, _traced(model, answer, like, given))
  _check_independent(model, like, batch)


def _training_inputs():
  """The entries that a batch has in training only."""
  return {'key': _keys(), 'used': jnp.ones(_COUNT)}


def _keys():
  return jax.random.split(jax.random.key(1), _COUNT)


def _traced(model, function, *arguments):
  """Shapes of a function's result; ValueError, in one line, if it raises."""
  try:
    return jax.eval_shape(function, *arguments)
  except Exception as error:  # somebody else's code may raise anything
    raised = plugins.describe_error(error, plugins.file_of(type(model)))
    remedy = _REMEDIES.get(type(error).__name__, '')
    raise ValueError(f'it {raised}{remedy and ": "}{remedy}') from error


def _check_answer(model: Any, answer: Any) -> None:
  """Raises ValueError unless shapes are those of (logits, out)."""
  if not isinstance(answer, tuple) or len(answer) != 2:
    raise ValueError(
      'its __call__ has to return (logits, out), two things, and returns '
      f'{_described(answer)}'
    )
  logits, out = answer
  wanted = _COUNT, model.num_classes
  if getattr(logits, 'shape', None) != wanted or logits.dtype != jnp.float32:
    raise ValueError(
      f'for {_COUNT} clips and {model.num_classes} classes its logits have to '
      f'be {wanted} float32, and are {_described(logits)}'
    )
  if not isinstance(out, Mapping):
    raise ValueError(
      'the second thing that it returns has to be a dict of named arrays, and '
      f'is {_described(out)}'
    )
  features = out.get('features')
  if features is not None and (features.ndim, len(features)) != (2, _COUNT):
    raise ValueError(
      f"out['features'] has to be ({_COUNT}, D) for {_COUNT} clips, and is "
      f'{_described(features)}'
    )


def _described(value):
  if hasattr(value, 'shape'):
    return f'{value.shape} {value.dtype}'
  return type(value).__name__


def _check_independent(model, like, batch):
  """Raises ValueError if one clip changes the logits of another."""
  rng = np.random.default_rng(0)
  # Not those of `init`: a last layer of zeros would hide every difference.
  params = jax.tree.map(
    lambda x: jnp.asarray(
      np.resize(0.2 * rng.normal(size=9973), x.shape), x.dtype
    ),
    like,
  )
  clips = {name: _drawn(rng, x) for name, x in batch.items()}
  changed = {name: x.at[1].set(_drawn(rng, x[1])) for name, x in clips.items()}
  answer = jax.jit(lambda x: model.apply(params, x, train=True)[0][0])
  one, other = (answer({**x, 'key': _keys()}) for x in (clips, changed))
  scale = 1 + np.abs(one).max()
  if not np.allclose(one, other, atol=_TOLERANCE * scale):
    raise ValueError(
      "a clip's logits change with the other clips of its batch, so that held-"
      'out clips would reach the weights: nothing may be taken over the axis B'
    )


def _drawn(rng, like):
  """Random numbers of that shape and type; words are small whole numbers."""
  if jnp.issubdtype(like.dtype, jnp.integer):
    return jnp.asarray(rng.integers(0, 64, like.shape), like.dtype)
  return jnp.asarray(rng.normal(size=like.shape), like.dtype)
