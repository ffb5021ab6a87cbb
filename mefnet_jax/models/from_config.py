"""Builds the network that `config.model` describes."""

from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import models
from mefnet_jax.runs import errors


def network(config: ConfigDict, num_classes: int) -> nn.Module:
  """Builds the network of a config.

  Args:
    config: a run's config, of which `config.model` is read.
    num_classes: outputs of the last layer.

  Raises:
    errors.UserError: the network is unknown, or does not have a field.
  """
  fields = config.model.to_dict()
  name = fields.pop('name')
  try:
    return models.build(name, num_classes=num_classes, **fields)
  except (ValueError, TypeError) as error:
    raise errors.UserError(f'config.model: {error}') from error


def name(config: ConfigDict) -> str:
  """Returns the network's name in reports, with its fusion if it has one."""
  fusion = config.model.get('fusion')
  return f'{config.model.name}-{fusion}' if fusion else config.model.name
