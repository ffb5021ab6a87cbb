"""From `config.model` to a network."""

from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import models
from mefnet_jax.runs import errors


def network(config: ConfigDict, num_classes: int) -> nn.Module:
  """The config's network.

  Args:
    config: of a run; `config.model` is read.
    num_classes: outputs of the last layer.

  Raises:
    errors.UserError: an unknown network, or a field that it does not have.
  """
  fields = config.model.to_dict()
  name = fields.pop('name')
  try:
    return models.build(name, num_classes=num_classes, **fields)
  except ValueError as error:
    raise errors.UserError(f'config.model: {error}') from error


def name(config: ConfigDict) -> str:
  """What reports call the network: its name and its fusion, if it has one."""
  fusion = config.model.get('fusion')
  return f'{config.model.name}-{fusion}' if fusion else config.model.name
