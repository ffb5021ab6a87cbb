"""The package's only reader of JSON files, which anybody may have written."""

import json
import os
from collections.abc import Mapping
from typing import Any

from mefnet_jax.runs import errors, regular_file


def load(path: str | os.PathLike[str], **options: Any) -> Any:
  """Returns the value in a file, for callers that have a remedy of their own.

  Args:
    path: the file; UTF-8, with or without a byte order mark.
    **options: passed to `json.loads`.

  Raises:
    OSError: as `regular_file.read`.
    ValueError: it is not UTF-8 or not JSON, is nested too deeply, or has a key
      twice.
  """
  text = regular_file.read(path).decode('utf-8-sig')
  try:
    return json.loads(text, object_pairs_hook=_unique, **options)
  except RecursionError:
    raise ValueError('nested too deeply') from None


def read(
  path: str | os.PathLike[str],
  needed: Mapping[str, type] | None = None,
  **options: Any,
) -> dict[str, Any]:
  """Returns the object in a file.

  Args:
    path: the file; UTF-8, with or without a byte order mark.
    needed: keys that it must have, each with the type of its value.
    **options: passed to `json.loads`.

  Raises:
    errors.UserError: the file cannot be read, is no JSON object, lacks a key
      or has one twice.
  """
  try:
    found = load(path, **options)
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(f'{path}: cannot be read ({why})') from error
  if not isinstance(found, dict):
    raise errors.UserError(f'{path}: not a JSON object')
  for key, kind in (needed or {}).items():
    if not isinstance(found.get(key), kind):
      raise errors.UserError(
        f'{path}: {key!r} is missing or of another type: delete the file and '
        'give the same command again'
      )
  return found


def _unique(pairs):
  """An object whose keys differ; Python would take the last of equal ones."""
  found = dict(pairs)
  if len(found) < len(pairs):
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise ValueError(f'the key {twice!r} is there twice')
  return found
