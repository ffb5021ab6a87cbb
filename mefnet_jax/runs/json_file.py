"""Reads a JSON object that somebody else may have written."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from mefnet_jax.runs import errors


def read(
  path: str | os.PathLike[str],
  needed: Mapping[str, type] | None = None,
  **options: Any,
) -> dict[str, Any]:
  """Returns the object in a file.

  Args:
    path: of the file.
    needed: keys that it must have, each with the type of its value.
    options: of `json.loads`.

  Raises:
    errors.UserError: the file cannot be read, is no JSON object, lacks a key,
      or says something twice.
  """
  try:
    # Windows writes a mark before the text.
    text = pathlib.Path(path).read_text(encoding='utf-8-sig')
    found = json.loads(text, object_pairs_hook=_once, **options)
  except (OSError, ValueError, RecursionError) as error:
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


def _once(pairs):
  """An object whose keys differ; Python would take the last of equal ones."""
  found = dict(pairs)
  if len(found) < len(pairs):
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise ValueError(f'{twice!r} is there twice')
  return found
