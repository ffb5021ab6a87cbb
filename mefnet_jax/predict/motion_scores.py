"""What a model for motion maps says of maps that have just been made.

One compiled program answers for all members, so that a stream of maps costs
little: the model file is read once.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

from mefnet_jax.models import inference, motion_input
from mefnet_jax.predict import action_units
from mefnet_jax.predict import model as models
from mefnet_jax.runs import errors

_KIND = 'motion'  # of the network's input


@dataclasses.dataclass(frozen=True)
class Scores:
  """Of N maps, by a model of C classes and A action units.

  Attributes:
    classes: (N, C) probabilities, mean over the members.
    spread: (N, C) their standard deviation over the members.
    expression: (N,) probability that there is an expression.
    returning: (N,) probability that an expression is going back; zeros from a
      model that does not know it.
    units: 'p', 'level' and 'side' of the action units, each (N, A). Level is
      in the unit of the maps, shares of the distance between the eyes.
  """

  classes: np.ndarray
  spread: np.ndarray
  expression: np.ndarray
  returning: np.ndarray
  units: dict[str, np.ndarray]


def score(model: models.Model, maps: np.ndarray) -> Scores:
  """Asks a model about motion maps.

  Args:
    model: whose input is motion maps.
    maps: (N, H, W, 2) float32 of `preprocess.motion_map`; N at least 1.

  Raises:
    errors.UserError: the model looks at something else, or is damaged.
  """
  shape = _shape(model)
  if maps.shape[1:] != shape:
    raise ValueError(f'maps of {maps.shape[1:]}, not {shape}')
  count = len(maps)
  padded = np.zeros((_padded(count), *shape), np.float32)
  padded[:count] = maps
  answer, scale = _programs(model)
  logits, out = jax.tree.map(lambda x: np.asarray(x)[:, :count], answer(padded))
  members = inference.softmax(logits.astype(np.float64) / model.temperature)
  outs = [{k: x[i] for k, x in out.items()} for i in range(len(members))]
  expression = _sigmoid(out['expression']).mean(0)
  returning = np.zeros_like(expression)
  if 'returning' in out:
    returning = _sigmoid(out['returning']).mean(0)
  return Scores(
    classes=members.mean(0),
    spread=members.std(0),
    expression=expression,
    returning=returning,
    units=action_units.mean(
      outs, np.asarray(scale(padded))[:count], model.unit_calibration
    ),
  )


def _shape(model):
  """(H, W, 2) of the maps that a model looks at."""
  if model.input_kind != _KIND:
    raise errors.UserError(
      f'{model.folder}: this model looks at {model.input_kind}, not at motion '
      'maps: take one made by configs/mefnet_zero.py, or mefnet-zero'
    )
  ((_, height, width, _),) = model.streams.values()
  return height, width, 2


@functools.lru_cache(maxsize=4)
def _programs(model: models.Model) -> tuple[Callable, Callable]:
  """Compiled once: maps (n, H, W, 2) -> logits and outputs, each (members, n,
  ...); and maps -> the unit (n,) of their levels."""
  described = model.description['members']
  members = [model.member(one['fold'], one['seed']) for one in described]
  # numpy: jax would compile a program for each shape of an array.
  params = jax.tree.map(lambda *x: np.stack(x), *(m.params for m in members))
  params = jax.device_put(params)
  (stream,) = model.streams

  @jax.jit
  def answer(params, maps):
    seen = {stream: motion_input.standardise(maps)[:, None]}
    return jax.vmap(lambda own: model.network.apply({'params': own}, seen))(
      params
    )

  @jax.jit
  def scale(maps):
    return motion_input.scale(motion_input.halved(maps))

  return functools.partial(answer, params), scale


def _padded(count):
  """The next power of two: few sizes, so few compilations."""
  return 1 << (count - 1).bit_length()


def _sigmoid(x):
  return 1 / (1 + np.exp(-x.astype(np.float64)))
