"""The answers of a model for motion maps to maps that are still in memory.

All members are one compiled program, and the model file is read once, so that
many calls with few maps each cost little.
"""

import functools
import typing
from collections.abc import Callable

import jax
import numpy as np

from mefnet_jax.models import inference, motion_input
from mefnet_jax.predict import action_units, trained_model
from mefnet_jax.runs import errors

_KIND = 'motion'  # of the network's input


class Scores(typing.NamedTuple):
  """A model's scores of N maps; it has C classes and A action units.

  Attributes:
    classes: (N, C) probabilities, mean over the members.
    spread: (N, C) their standard deviation over the members.
    expression: (N,) probability that there is an expression.
    returning: (N,) probability that an expression is going back; zeros from a
      model that was not trained to tell.
    units: 'p', 'level' and 'side' of the action units, each (N, A). Level is
      in the unit of the maps, shares of the distance between the eyes.
  """

  classes: np.ndarray
  spread: np.ndarray
  expression: np.ndarray
  returning: np.ndarray
  units: dict[str, np.ndarray]


def score(model: trained_model.Model, maps: np.ndarray) -> Scores:
  """Returns a model's scores of motion maps.

  Args:
    model: for motion maps.
    maps: (N, H, W, 2) float32 of `preprocess.motion_map`; N at least 1.

  Raises:
    errors.UserError: the model is for another input, or is damaged.
    ValueError: maps of another size than the model's.
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
      f'{model.folder}: this model needs {model.input_kind}, not motion maps: '
      'use one made by configs/mefnet_zero.py, or mefnet-zero'
    )
  ((_, height, width, _),) = model.streams.values()
  return height, width, 2


@functools.lru_cache(maxsize=4)
def _programs(model: trained_model.Model) -> tuple[Callable, Callable]:
  """Two programs of maps (n, H, W, 2): (logits, out), each with the axes
  (members, n, ...); and the unit (n,) of the levels."""
  members = [model.member(*one) for one in model.members]
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
