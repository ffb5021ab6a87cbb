"""The files of a trained network: model.json and weights as safetensors.

    model/model.json           architecture, inputs, classes and provenance
    model/fold1.safetensors    weights of one member: a fold with a seed

model.json lists each weights file with its SHA-256. It is written last, so a
folder with a model.json is complete. Hugging Face's safetensors hold named
arrays and no code.
"""

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mefnet_jax.runs import (
  errors,
  files,
  json_file,
  model_check,
  regular_file,
)

FORMAT = 1
FOLDER, NAME = 'model', 'model.json'  # the folder lies in that of a run
# A pickle would run code of the model's author.
SUFFIX = '.safetensors'
MOST_BYTES = 2**32  # of the weights of a member: a billion float32
# The required keys of model.json.
KEYS = (
  'format',
  'network',
  'classes',
  'input',
  'frames',
  'fps',
  'preprocessing',
  'normalisation',
  'kernels',
  'protocol',
  'selection',
  'synthetic',
  'licence',
  'scores',
  'intervals',
  'notices',
  'versions',
  'members',
)
_SEPARATOR = '/'


def write_weights(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> str:
  """Writes named arrays as safetensors and returns the SHA-256 of the file.

  Raises:
    OSError: the file cannot be written.
  """
  from safetensors import numpy as safetensors

  # safetensors writes a strided array in the order of its memory.
  ordered = {name: np.asarray(x, order='C') for name, x in arrays.items()}
  content = safetensors.save(ordered)
  files.write(path, content)
  return hashlib.sha256(content).hexdigest()


def write_description(folder: pathlib.Path, description: Mapping) -> None:
  """Writes model.json; the weights that it lists must exist already.

  Args:
    folder: the model's folder.
    description: has all `KEYS` except 'format', which is added.

  Raises:
    ValueError: a key is missing, or a number is not finite.
    OSError: the file cannot be written.
  """
  content = {'format': FORMAT, **description}
  missing = [key for key in KEYS if key not in content]
  if missing:
    raise ValueError(f'the description lacks {", ".join(missing)}')
  # JSON has no NaN; readers other than Python's refuse it.
  files.write_json(folder / NAME, content, allow_nan=False)


def begin(folder: pathlib.Path) -> None:
  """Creates the folder, or removes the model that it holds.

  Raises:
    OSError: it cannot be created or emptied.
  """
  folder.mkdir(parents=True, exist_ok=True)
  # The description first: a folder without it is not taken for a model.
  for path in (folder / NAME, *folder.glob(f'*{SUFFIX}')):
    files.remove(path)


def read_description(folder: pathlib.Path) -> dict[str, Any]:
  """Reads model.json and validates it as far as possible without the network.

  Raises:
    errors.UserError: the folder or file is missing, a link leads out of the
      folder, the format version differs, or keys are missing or invalid.
  """
  if not folder.is_dir():
    raise errors.UserError(
      f'{folder}: no such folder: name a run or its model/ folder'
    )
  path = inside(folder, NAME)
  try:
    found = json_file.load(path)
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{path}: no such file: the folder holds no model, or only half of one; '
      'run mefnet_jax.main with its --workdir again'
    ) from error
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(f'{path}: cannot be read ({why})') from error
  if not isinstance(found, dict) or 'format' not in found:
    raise errors.UserError(f'{path}: not the description of a model')
  if found['format'] != FORMAT:
    raise errors.UserError(
      f'{path}: format {found["format"]!r}, but this version of mefnet_jax '
      f'reads {FORMAT}: use the version that wrote it, or train again'
    )
  missing = [key for key in KEYS if key not in found]
  if missing:
    raise errors.UserError(
      f'{path}: incomplete, the key {missing[0]!r} is missing'
    )
  model_check.check(path, found, SUFFIX)
  return found


def members(
  folder: pathlib.Path,
  description: Mapping,
  fold: str | None,
  seed: int | None,
) -> list[dict]:
  """Returns the members of a fold and seed, as model.json lists them.

  Args:
    folder: the model's folder, for error messages.
    description: the content of model.json.
    fold: name of a fold; None for all.
    seed: a seed; None for all.

  Raises:
    errors.UserError: there is none.
  """
  listed = description['members']
  found = [
    one
    for one in listed
    if fold in (None, one['fold']) and seed in (None, one['seed'])
  ]
  if not found:
    asked = [] if fold is None else [fold]
    asked += [] if seed is None else [f'seed {seed}']
    folds = ', '.join(dict.fromkeys(one['fold'] for one in listed))
    seeds = ', '.join(dict.fromkeys(str(one['seed']) for one in listed))
    raise errors.UserError(
      f'{folder}: no weights of {", ".join(asked)}, only of {folds}, seed '
      f'{seeds}'
    )
  return found


def read_weights(folder: pathlib.Path, member: Mapping) -> dict:
  """Reads the arrays of one member by name, after checking its digest.

  Args:
    folder: the model's folder.
    member: an item of model.json's 'members'.

  Raises:
    errors.UserError: the file is missing, no regular file or larger than
      `MOST_BYTES`, is a link out of the folder, or its digest is not the one in
      model.json.
  """
  from safetensors import SafetensorError
  from safetensors import numpy as safetensors

  path = inside(folder, member['file'])
  # Read once, for the digest and the arrays: the file could change in between.
  try:
    content = regular_file.read(path, MOST_BYTES)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror}): copy the whole model folder'
    ) from error
  if hashlib.sha256(content).hexdigest() != member['sha256']:
    raise errors.UserError(
      f'{path}: damaged, or of another model (its SHA-256 is not the one in '
      f'{NAME}): copy the whole model folder again'
    )
  try:
    return safetensors.load(content)
  except (SafetensorError, ValueError, TypeError) as error:
    raise errors.UserError(
      f'{path}: not a safetensors file ({error})'
    ) from error


def inside(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Returns the path of a file in the folder.

  Raises:
    errors.UserError: the file is a link that leads out of the folder.
  """
  path = folder / name
  # The folder itself may be a link; only what lies in it must stay in it.
  home = os.path.realpath(folder)
  if os.path.dirname(os.path.realpath(path)) != home:
    raise errors.UserError(
      f'{path}: links out of the folder are not followed: copy the file there'
    )
  return path


def flatten(tree: Mapping, prefix: str = '') -> dict[str, np.ndarray]:
  """Flattens nested dicts of arrays to {'params/head/kernel': array, ...}.

  Args:
    tree: arrays of any shape in dicts of dicts.
    prefix: put before the names.
  """
  flat: dict[str, np.ndarray] = {}
  for name, value in tree.items():
    path = f'{prefix}{_SEPARATOR}{name}' if prefix else name
    if isinstance(value, Mapping):
      flat |= flatten(value, path)
    else:
      flat[path] = np.asarray(value)
  return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> dict:
  """Returns the nested dicts of which `flatten` made `flat`."""
  tree: dict = {}
  for path, value in flat.items():
    *parents, name = path.split(_SEPARATOR)
    place = tree
    for parent in parents:
      place = place.setdefault(parent, {})
    place[name] = value
  return tree
