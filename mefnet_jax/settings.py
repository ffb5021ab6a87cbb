"""Is a config one that can run? Said before any work is done."""

import jax
import numpy as np

from mefnet_jax import errors, folds, inputs, models, parallel

_AT_LEAST_ONE = (
  'seeds',
  'dataset.frames',
  'model.filters',
  'train.batch_size',
  'train.epochs',
)
_NOT_NEGATIVE = (
  'seed',
  'dataset.allow_lost',
  'dataset.workers',
  'train.learning_rate',
  'train.decay',
  'train.weight_decay',
  'train.evaluate_every',
  'train.checkpoint_every',
)


def check(config):
  """Raises UserError for a config that no run can follow."""
  _one_of(config, 'input', inputs.CHOICES)
  _one_of(config, 'train.parallel', parallel.CHOICES)
  _one_of(config, 'train.selection', ('last',))
  for name in _AT_LEAST_ONE:
    _at_least(config, name, 1)
  folds.is_leaky(config.protocol.name)
  for name in ('dataset.face', 'dataset.eyes', 'dataset.mouth'):
    _at_least(config, name, 8)
  for name in _NOT_NEGATIVE:
    _at_least(config, name, 0)
  for name in ('protocol.test_share', 'model.dropout'):
    _at_least(config, name, 0)
    _below(config, name, 1)
  for name in ('model.kernel', 'model.pool'):
    _three_sizes(config, name)
  model = network(config, num_classes=2)
  shapes = {
    name: jax.ShapeDtypeStruct(_shape(config.dataset, name), np.float32)
    for name in models.views(config.model.name)
  }
  try:
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x), shapes)
  except (TypeError, ValueError) as error:
    said = str(error).splitlines()[0]
    raise errors.UserError(f'config.model: {said}') from error


def network(config, num_classes: int):
  """The config's network; UserError for fields that it does not have."""
  fields = config.model.to_dict()
  name = fields.pop('name')
  try:
    return models.build(name, num_classes=num_classes, **fields)
  except ValueError as error:
    raise errors.UserError(f'config.model: {error}') from error


def _shape(dataset, stream):
  size = dataset[stream]
  return (1, dataset.frames, size, size, 1)


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


def _below(config, path, most):
  value = _get(config, path)
  if not value < most:
    raise errors.UserError(f'--config.{path}={value}: below {most}')


def _three_sizes(config, path):
  value = _get(config, path)
  whole = all(isinstance(size, int) and size > 0 for size in value)
  if len(value) != 3 or not whole:
    raise errors.UserError(
      f'--config.{path}={tuple(value)}: three whole numbers of at least 1 are '
      "needed: frames, rows, columns, as in '(15,3,3)'"
    )
