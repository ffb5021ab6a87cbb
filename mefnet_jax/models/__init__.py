"""The networks, as Flax modules by name: the paper's and those beside it."""

import dataclasses
from typing import Any

from flax import linen as nn

from mefnet_jax.models import (
  mecnn,
  mfcnn,
  motion_cnn,
  motion_mlp,
  off_apexnet_like,
  ststnet_like,
)
from mefnet_jax.runs import plugins

_ATTENTION = (
  'channel_attention',
  'spatial_attention',
  'attention_place',
  'reduction',
  'attention_kernel',
  'drop_rate',
  'drop_threshold',
)
# Naming a field that does not apply is refused rather than ignored: a config
# that sets it would claim something that the network does not do.
# name: (network, preset fields, fields that do not apply)
_NETWORKS = {
  'base': (
    mecnn.MECNN,
    {'channel_attention': False, 'spatial_attention': False},
    (*_ATTENTION, 'depth', 'width'),
  ),
  'mecnn': (mecnn.MECNN, {}, ()),
  'residual': (
    mecnn.MECNN,
    {'depth': (2, 2), 'width': (32, 64), 'conv': '2plus1d'},
    (),
  ),
  'mfcnn': (mfcnn.MFCNN, {}, ()),
  'ststnet_like': (ststnet_like.STSTNetLike, {}, ()),
  'off_apexnet_like': (off_apexnet_like.OffApexNetLike, {}, ()),
  'motion_mlp': (motion_mlp.MotionMLP, {}, ()),
  'motion_cnn': (motion_cnn.MotionCNN, {}, ('form', 'middle')),
}


def register(name: str, network: type[nn.Module]) -> None:
  """Makes a network of one's own known to configs, by `config.model.name`.

  Args:
    name: the value of `config.model.name` that chooses it; not one of ours.
    network: a Flax module with the fields `num_classes` and `streams` (names
      of its input streams, with a default), and perhaps others, which
      `config.model` may then set. Its `__call__(batch, *, train=False)` returns
      logits (B, num_classes) and a dict of named arrays (docs/own_network.md).

  Raises:
    ValueError: the name is one of ours, it is no Flax module, or a field is
      missing.
  """
  if name in _NETWORKS and not plugins.is_own('network', name):
    raise ValueError(f'{name!r} is one of our networks: choose another name')
  if not (isinstance(network, type) and issubclass(network, nn.Module)):
    raise ValueError(f'{name!r}: a class of flax.linen.Module is needed')
  fields = {f.name for f in dataclasses.fields(network)}
  if 'num_classes' not in fields or not hasattr(network, 'streams'):
    raise ValueError(
      f'{network.__name__} needs the fields num_classes: int and '
      "streams: tuple[str, ...] = ('face',)"
    )
  plugins.remember('network', name)
  _NETWORKS[name] = (network, {}, ())


def build(name: str, *, num_classes: int, **fields: Any) -> nn.Module:
  """Builds the network of that name.

  Args:
    name: a key of `_NETWORKS`: base, mecnn, residual, mfcnn, ststnet_like, ...,
      or a registered name.
    num_classes: outputs of the last layer.
    **fields: values for fields of the network, such as those of
      `streams.Options`.

  Raises:
    ValueError: the name is unknown, or the network does not have a field.
  """
  network, preset, absent = _network(name)
  known = {f.name for f in dataclasses.fields(network)} - {'parent', 'name'}
  unknown = sorted(set(fields) - (known - set(absent)))
  if unknown:
    raise ValueError(f'model {name!r} has no field {", ".join(unknown)}')
  for field, value in fields.items():
    if isinstance(value, list):  # as JSON has it; a module must be hashable
      fields[field] = tuple(value)
  return network(num_classes=num_classes, **{**preset, **fields})


def input_streams(name: str, streams: tuple[str, ...] = ()) -> tuple[str, ...]:
  """Returns the names of a network's input streams.

  Args:
    name: the network's.
    streams: the names in the config; if empty, the network's defaults.

  Raises:
    ValueError: the name is unknown.
  """
  return tuple(streams) or _network(name)[0].streams


def _network(name):
  if name not in _NETWORKS:
    raise ValueError(
      f'model {name!r} is not one of {", ".join(_NETWORKS)}; for one of your '
      'own, first import the file that registers it: --plugin=FILE.py, or in '
      'your config or script (docs/own_network.md)'
    )
  return _NETWORKS[name]
