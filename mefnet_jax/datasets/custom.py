"""Registers a data set from a user's own file."""

import collections
import functools
import pathlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import errors, plugins


def register(
  name: str,
  read: Callable[..., clip_records.Release],
  *,
  title: str = '',
  licence: str = 'Not known: ask the makers of the recordings.',
  fps: float | None = None,
) -> None:
  """Makes a data set of one's own known to configs, by `config.dataset.name`.

  Args:
    name: the value of `config.dataset.name` that chooses it: letters, digits
      and _; not one of ours.
    read: `read(root, **options)` returns a `clip_records.Release` of that
      name. The options are the fields of `registry.READING`. For a folder that
      is no such release it raises errors.UserError.
    title: its name in print.
    licence: the terms under which it is distributed.
    fps: frames per second of its clips, if they are known.

  Raises:
    ValueError: the name is one of ours, or not made of those characters.
  """
  if name in registry.DATASETS and not plugins.is_own('data set', name):
    raise ValueError(f'{name!r} is one of our data sets: choose another name')
  if not re.fullmatch('[a-z][a-z0-9_]*', name):
    raise ValueError(f'{name!r}: a name of a-z, 0-9 and _ is needed')
  described = (read.__doc__ or f'as {name} is laid out').strip().splitlines()[0]
  reader = types.ModuleType(name)
  reader.__dict__.update(
    read=functools.partial(_read, name, read),
    looks_like=lambda root: False,
    TREES={'': described},
    OPTIONS={'images': ('auto',)},
  )
  plugins.remember('data set', name)
  registry.DATASETS[name] = registry.Dataset(
    reader=reader,
    title=title or name,
    literature='',
    licence=licence,
    fps={} if fps is None else {'': fps},
    synthetic=lambda reading: None,
  )


def _read(name: str, read: Callable, root: pathlib.Path, **options: str):
  """Calls a registered reader; refuses a release that no run could use."""
  try:
    found = read(root, **options)
  except errors.UserError:
    raise
  except Exception as error:  # somebody else's code may raise anything
    raise errors.UserError(
      f'data set {name}: its read(root, **options) '
      f'{plugins.describe_error(error, plugins.file_of(read))}'
    ) from error
  for fault in _faults(name, found):
    raise errors.UserError(f'data set {name}: {fault}')
  return found


def _faults(name: str, found: Any) -> Iterator[str]:
  """Yields the faults of a reader's result."""
  if not isinstance(found, clip_records.Release):
    yield (
      'its read has to return a clip_records.Release, and returns '
      f'{type(found).__name__}'
    )
    return
  if found.name != name:
    yield f'its release is called {found.name!r}: write name={name!r}'
  counted = collections.Counter(row.clip for row in found.rows)
  if double := [clip for clip, times in counted.items() if times > 1]:
    yield f'{counted[double[0]]} clips are called {double[0]!r}'
  for row in found.rows:
    for fault in _row_faults(row, found.classes):
      yield f'clip {row.clip!r}: {fault}'


def _row_faults(row: clip_records.Row, classes: tuple[str, ...]):
  """Yields the faults of a clip."""
  if not isinstance(row.clip, str) or not row.clip or '/' in row.clip:
    yield 'its name has to be a text without /'
  if not re.fullmatch(r'[A-Za-z0-9_]+', str(row.subject)):
    yield f'its subject {row.subject!r}: letters, digits and _ are needed'
  if not isinstance(row.subject, str):
    yield f'its subject {row.subject!r} has to be a text'
  if isinstance(row.label, str) or not 0 <= row.label < len(classes):
    yield (
      f'its label {row.label!r} has to be a place in classes {classes}: '
      f'0 to {len(classes) - 1}'
    )
  if not row.files or len(row.frames) not in (0, len(row.numbers)):
    yield f'it has {len(row.frames)} frames and {len(row.numbers)} numbers'
  inside = [n for n in row.numbers if row.onset <= n <= row.offset]
  if not inside:
    yield f'none of its frames lies in {row.onset} .. {row.offset}'
