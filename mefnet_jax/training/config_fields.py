"""Fields of a config by their path, and the checks of single values."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from mefnet_jax.runs import errors, plugins


def present(config: ConfigDict, paths: Iterable[str]) -> Iterator[str]:
  """Yields the fields that this config has; it depends on the network.

  Fields of a network of one's own are left out: they may mean other things.
  """
  own = plugins.is_own('network', config.model.name)
  for path in paths:
    place, _, name = path.rpartition('.')
    if own and place == 'model':
      continue
    if name in (get(config, place) if place else config):
      yield path


def get(config: ConfigDict, path: str) -> Any:
  """Returns the value of a field such as 'train.epochs'."""
  for name in path.split('.'):
    config = config[name]
  return config


def one_of(config: ConfigDict, path: str, choices: Collection[Any]) -> None:
  """Raises UserError unless a field has one of the values."""
  value = get(config, path)
  if value not in choices:
    raise errors.UserError(
      f'--config.{path}={value}: choose one of {", ".join(choices)}'
    )


def finite(config: ConfigDict, prefix: str = '') -> None:
  """Raises UserError if a number is infinite or none."""
  for name, value in config.items():
    if hasattr(value, 'items'):
      finite(value, f'{prefix}{name}.')
    elif isinstance(value, float) and not np.isfinite(value):
      raise errors.UserError(f'--config.{prefix}{name}={value}: not finite')


def at_least(config: ConfigDict, path: str, least: float) -> None:
  """Raises UserError if a field is below a value."""
  value = get(config, path)  # "not ... >=", so that nan is refused
  if not value >= least:
    raise errors.UserError(f'--config.{path}={value}: at least {least}')


def below(config: ConfigDict, path: str, most: float) -> None:
  """Raises UserError unless a field is below a value."""
  value = get(config, path)
  if not value < most:
    raise errors.UserError(f'--config.{path}={value}: below {most}')


def three_sizes(config: ConfigDict, path: str) -> None:
  """Raises UserError unless a field is three positive whole numbers."""
  value = get(config, path)
  whole = all(isinstance(size, int) and size > 0 for size in value)
  if len(value) != 3 or not whole:
    raise errors.UserError(
      f'--config.{path}={tuple(value)}: three whole numbers of at least 1 are '
      "needed: frames, rows, columns, as in '(15,3,3)'"
    )
