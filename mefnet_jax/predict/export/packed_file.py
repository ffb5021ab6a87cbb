"""A model folder as one safetensors file: named arrays and no code.

The arrays of fold1.safetensors are called fold1.safetensors/params/...;
model.json is in the file's metadata.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import agreement, metadata
from mefnet_jax.runs import errors, model_file, regular_file


def content(model: trained_model.Model, members: list[dict]) -> bytes:
  """The file's bytes.

  Args:
    model: the model to export.
    members: those of model.json to include.

  Raises:
    errors.UserError: damaged weights.
  """
  arrays = {
    f'{one["file"]}/{name}': x
    for one in members
    for name, x in model_file.read_weights(model.folder, one).items()
  }
  return safetensors.save(arrays, metadata.of_members(model, members))


@dataclasses.dataclass(frozen=True, eq=False)
class _Packed(trained_model.Model):
  """A model whose weights lie in one file, `folder`."""

  def weights(self, member: Mapping) -> dict[str, np.ndarray]:
    """As `Model.weights`."""
    start = f'{member["file"]}/'
    with safe_open(self.folder, 'numpy') as file:
      arrays = {
        name.removeprefix(start): file.get_tensor(name)
        for name in file.keys()
        if name.startswith(start)
      }
    # The member's own file would have these bytes; model.json has its digest.
    whole = hashlib.sha256(safetensors.save(arrays)).hexdigest()
    if whole != member['sha256']:
      raise errors.UserError(
        f'{self.folder}: damaged: the weights of {member["file"]} have another '
        'SHA-256 than its model.json names'
      )
    return arrays


def load(path: str | os.PathLike) -> trained_model.Model:
  """Opens a packed model as `mefnet_jax.load` opens a folder.

  Raises:
    errors.UserError: there is no such file, or it is no packed model.
  """
  path = pathlib.Path(path)
  try:
    regular_file.check(path)
    with safe_open(path, 'numpy') as file:
      described = (file.metadata() or {})[metadata.WHOLE]
  except KeyError as error:
    raise errors.UserError(f'{path}: holds no {metadata.WHOLE}') from error
  except (OSError, SafetensorError) as error:
    raise errors.UserError(f'{path}: not a packed model ({error})') from error
  # Opening a model checks the description, but needs a folder.
  with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / model_file.NAME).write_text(described)
    try:
      opened = trained_model.load(folder)
    except errors.UserError as error:
      text = str(error).replace(folder, str(path))
      raise errors.UserError(text) from error
  return _Packed(path, json.loads(described), opened.network)


def answers(file: bytes) -> agreement.Answers:
  """Runs the model in a file's bytes."""

  def run(clips: Mapping[str, np.ndarray]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
      path = pathlib.Path(folder) / 'model.safetensors'
      path.write_bytes(file)
      return load(path).probabilities(clips)

  return run
