"""Is a config one that can run? Said before any work is done."""

import jax
import numpy as np

from mefnet_jax import errors, inputs, models, parallel
from mefnet_jax.datasets import modalities


def check(config):
  """Raises UserError for a config that no run can follow."""
  _one_of(config, 'input', inputs.CHOICES)
  _one_of(config, 'train.parallel', parallel.CHOICES)
  _one_of(config, 'train.selection', ('last',))
  for name in ('seeds', 'train.epochs', 'train.batch_size', 'dataset.frames'):
    _at_least(config, name, 1)
  for name in ('dataset.face', 'dataset.eyes', 'dataset.mouth'):
    _at_least(config, name, 8)
  for name in ('seed', 'train.learning_rate', 'train.decay'):
    _at_least(config, name, 0)
  model = network(config, num_classes=2)
  clip = shapes(config, model)
  try:
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x), clip)
  except ValueError as error:
    raise errors.UserError(f'config.model: {error}') from error


def network(config, num_classes: int):
  """The config's network; UserError for fields that it does not have."""
  fields = config.model.to_dict()
  name = fields.pop('name')
  try:
    return models.build(name, num_classes=num_classes, **fields)
  except ValueError as error:
    raise errors.UserError(f'config.model: {error}') from error


def shapes(config, model) -> dict[str, jax.ShapeDtypeStruct]:
  """Shape and type of one clip's streams, those that the network looks at.

  Raises:
    UserError: a modality that config.dataset does not ask for.
  """
  modalities.check(config.dataset)
  return {name: _stream(config, name) for name in model.streams}


def _stream(config, name):
  """The shape and type of one clip's stream; zero sizes for unknown ones."""
  dataset = config.dataset
  if name in modalities.SUFFIXES:
    if name not in dataset.modalities:
      raise errors.UserError(
        f'config.model.streams has {name}: ask for it with '
        f"--config.dataset.modalities=('{name}',)"
      )
    dtype = np.int32 if name == 'text' else np.float32
    shape = modalities.shapes(dataset)[name]
    return jax.ShapeDtypeStruct((1, *shape), dtype)
  size = dataset.get(name, 0)
  channels = 3 if name == 'flow' else 1
  shape = (1, dataset.frames, size, size, channels)
  return jax.ShapeDtypeStruct(shape, np.float32)


def _get(config, path):
  for name in path.split('.'):
    config = config[name]
  return config


def _one_of(config, path, choices):
  value = _get(config, path)
  if value not in choices:
    raise errors.UserError(
      f'--config.{path}={value}: choose one of {", ".join(choices)}'
    )


def _at_least(config, path, least):
  value = _get(config, path)
  if not value >= least:
    raise errors.UserError(f'--config.{path}={value}: at least {least}')
