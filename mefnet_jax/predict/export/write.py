"""Writes an exported model, if it agrees with the model."""

import hashlib
import os
import pathlib
from typing import NamedTuple

from mefnet_jax.predict import trained_model
from mefnet_jax.predict.export import (
  agreement,
  onnx_file,
  packed_file,
  stablehlo_file,
)
from mefnet_jax.runs import errors, files

FORMATS = {
  'onnx': onnx_file,
  'stablehlo': stablehlo_file,
  'safetensors': packed_file,
}


class Written(NamedTuple):
  """An exported file.

  Attributes:
    path: the file.
    difference: largest difference of a probability from the model's.
    sha256: its digest.
    size: its bytes.
  """

  path: pathlib.Path
  difference: float
  sha256: str
  size: int


def write(
  model: trained_model.Model,
  path: str | os.PathLike,
  kind: str,
  *,
  fold: str | None = None,
  seed: int | None = None,
) -> Written:
  """Exports a model; no file is left unless it agrees with the model.

  Args:
    model: the model to export.
    path: the file, in a folder that exists.
    kind: a name in FORMATS.
    fold: the fold to export; by default the mean over all folds.
    seed: the seed to export; by default the mean over all seeds.

  Raises:
    errors.UserError: there is no such fold or seed, the weights are damaged,
      the format cannot represent the network, the file does not agree with the
      model, or the path cannot be written.
  """
  path = pathlib.Path(path)
  _check_place(path)
  members = model.listed(fold, seed)
  form = FORMATS[kind]
  content = form.content(model, members)
  # Compared before it is written, so that no wrong file is ever left.
  off = agreement.check(
    form.answers(content), model, fold=fold, seed=seed, path=path
  )
  try:
    files.write(path, content)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be written ({error.strerror}): '
      + files.remedy(error, path, 'name a file in a folder of your own')
    ) from error
  digest = hashlib.sha256(content).hexdigest()
  return Written(path, off, digest, len(content))


def _check_place(path):
  """Raises UserError, before any work, for a path that cannot be written."""
  if not path.name or path.name == '..' or path.is_dir():
    raise errors.UserError(f'{path}: a folder: name a file in it')
  if not path.parent.is_dir():
    raise errors.UserError(f'{path.parent}: no such folder: make it first')
  if not os.access(path.parent, os.W_OK):
    raise errors.UserError(
      f'{path}: its folder cannot be written: name another one'
    )
