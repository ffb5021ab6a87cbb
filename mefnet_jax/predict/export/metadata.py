"""The metadata of an exported file: strings by name."""

import json

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import model_function

WHOLE = 'model.json'


def of_members(
  model: trained_model.Model, members: list[dict]
) -> dict[str, str]:
  """Returns the metadata of a file that holds these members of model.json.

  JSON wherever a value is not a plain word: 'classes', 'inputs', 'frames',
  'fps', 'licence', 'notices', 'weights' (SHA-256 of each), and 'model.json',
  the whole description with those members.
  """
  # Members whose weights are not in the file are left out.
  described = {**model.description, 'members': members}
  inputs = {
    name: {'shape': ['N', *shape], 'dtype': dtype}
    for name, (shape, dtype) in model_function.inputs(model).items()
  }
  plain = {
    'classes': list(model.classes),
    'inputs': inputs,
    'input_kind': model.input_kind,
    'frames': described['frames'],
    'fps': described['fps'],
    'licence': described['licence'],
    'notices': described['notices'],
    'synthetic': model.synthetic,
    'weights': {one['file']: one['sha256'] for one in members},
    WHOLE: described,
  }
  return {
    name: value if isinstance(value, str) else json.dumps(value)
    for name, value in plain.items()
  }
