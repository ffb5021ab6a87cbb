"""The paper's networks as pure Flax modules, by name."""

import dataclasses
import functools

from flax import linen as nn

from mefnet_jax.models import mecnn, mfcnn

_MODELS = {
  'base': functools.partial(
    mecnn.MECNN, channel_attention=False, spatial_attention=False
  ),
  'mecnn': mecnn.MECNN,
  'mfcnn': mfcnn.MFCNN,
}


def build(name: str, *, num_classes: int, **fields) -> nn.Module:
  """The network called `name` (base, mecnn or mfcnn), its fields set.

  Raises:
    ValueError: an unknown name, or a field that this network does not have.
  """
  if name not in _MODELS:
    raise ValueError(f'model {name!r} is not one of {", ".join(_MODELS)}')
  model = _MODELS[name]
  preset = model.keywords if isinstance(model, functools.partial) else {}
  cls = getattr(model, 'func', model)
  known = {f.name for f in dataclasses.fields(cls)} - {'parent', 'name'}
  unknown = sorted(set(fields) - (known - set(preset)))
  if unknown:
    raise ValueError(f'model {name!r} has no field {", ".join(unknown)}')
  return model(num_classes=num_classes, **fields)


def views(name: str) -> tuple[str, ...]:
  """The clip streams that the network called `name` looks at."""
  return mfcnn.STREAMS if name == 'mfcnn' else ('face',)
