"""What a network of one's own must do, tried before any clip is prepared.

docs/own_network.md has the list. A network that breaks it would end a run in a
traceback, or worse: give scores in which the clips of a batch, and so the two
sides of a fold, have seen each other.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax.runs import plugins

_CLIPS = 2
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
    ValueError: it raises, answers with other shapes or types, keeps something
      beside its weights, or lets a clip change the answer for another. The
      message is one line, with the line of the network's file.
  """
  batch = {
    name: jax.ShapeDtypeStruct((_CLIPS, *x.shape[1:]), x.dtype)
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
    given = batch | jax.eval_shape(_of_training) if train else batch

    def answer(variables, x, train=train):
      return model.apply(variables, x, train=train)

    _check_answer(model, _traced(model, answer, like, given))
  _check_apart(model, like, batch)


def _of_training():
  """What a batch holds beside its clips in training."""
  return {'key': _keys(), 'used': jnp.ones(_CLIPS)}


def _keys():
  return jax.random.split(jax.random.key(1), _CLIPS)


def _traced(model, function, *arguments):
  """The shapes of what a function returns; what it raises, in one line."""
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
  wanted = _CLIPS, model.num_classes
  if getattr(logits, 'shape', None) != wanted or logits.dtype != jnp.float32:
    raise ValueError(
      f'for {_CLIPS} clips and {model.num_classes} classes its logits have to '
      f'be {wanted} float32, and are {_described(logits)}'
    )
  if not isinstance(out, Mapping):
    raise ValueError(
      'the second thing that it returns has to be a dict of named arrays, and '
      f'is {_described(out)}'
    )
  features = out.get('features')
  if features is not None and (features.ndim, len(features)) != (2, _CLIPS):
    raise ValueError(
      f"out['features'] has to be ({_CLIPS}, D) for {_CLIPS} clips, and is "
      f'{_described(features)}'
    )


def _described(value):
  if hasattr(value, 'shape'):
    return f'{value.shape} {value.dtype}'
  return type(value).__name__


def _check_apart(model, like, batch):
  """Raises ValueError if one clip changes the logits of another."""
  rng = np.random.default_rng(0)
  # Not those of `init`: a last layer that starts at zero would hide all.
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
