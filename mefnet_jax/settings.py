"""Is a config one that can run? Said before any work is done."""

import jax
import numpy as np

from mefnet_jax import datasets, errors, inputs, models, parallel


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
  shapes = {
    name: jax.ShapeDtypeStruct(_shape(config, name), np.float32)
    for name in models.views(config.model.name)
  }
  try:
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x), shapes)
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


def _shape(config, stream):
  shapes = datasets.shapes(config.dataset)
  name = inputs.stored(stream, config.input)
  if name not in shapes:
    raise errors.UserError(
      f'--config.input={config.input}: no such stream is prepared; set '
      '--config.dataset.flow=dis (of megc_flow, --config.input=as_is)'
    )
  return (1, *shapes[name])


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
