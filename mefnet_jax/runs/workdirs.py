"""The folder of a run: locked by one process, and bound to one config."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import ml_collections

from mefnet_jax.runs import cache, errors, files, json_file, locks, predictions

CONFIG, REPORT = 'config.json', 'report.json'
_LOCK = '.lock'
_RESULTS = ('checkpoints', predictions.FILE, REPORT)
# Fields that a resumed run may change, because they do not affect its results.
_FREE = ('dataset.workers', 'dataset.allow_lost', 'train.checkpoint_every')


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
  """Locks the folder for this process; the lock ends with the process.

  After an error before any work was saved, the folder is left as it was.

  Raises:
    UserError: another process holds the lock, the folder is not writable, or
      its file system does not support locks.
  """
  before = _found(workdir)
  with contextlib.ExitStack() as held:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      alone = held.enter_context(locks.hold(workdir / _LOCK, wait=False))
    except OSError as error:
      raise errors.UserError(
        f'{workdir}: cannot be written ({error.strerror}): '
        + files.remedy(error, workdir, 'choose another --workdir')
      ) from error
    if not alone:
      raise errors.UserError(
        f'{workdir} is in use by another run: wait for it, or choose '
        'another --workdir'
      )
    try:
      yield
    except (errors.UserError, OSError):
      _leave_as_before(workdir, before)
      raise


def _found(workdir):
  """The existing paths among a workdir, its content and its parents."""
  inside = workdir.iterdir() if workdir.is_dir() else ()
  return {p for p in (workdir, *workdir.parents, *inside) if p.exists()}


def _leave_as_before(workdir, before):
  """Removes the first files of a run, if it has created no others."""
  ours = [workdir / name for name in (CONFIG, _LOCK)]
  if _found(workdir) - before - {*ours, workdir, *workdir.parents}:
    return
  for path in ours:
    if path not in before:
      path.unlink(missing_ok=True)
  for folder in (workdir, *workdir.parents):
    if folder not in before:
      with contextlib.suppress(OSError):  # it may hold another run
        folder.rmdir()


def claim(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
  """Writes config.json, or compares the config with the one in the workdir.

  While the folder holds no results, any config is accepted, so that a mistake
  in the first one can be corrected.

  Args:
    config: as in configs/base.py.
    workdir: the run's folder, locked by this process.

  Raises:
    UserError: the workdir holds a run of another config, or is not writable.
  """
  path = workdir / CONFIG
  text = json.dumps(config.to_dict(), indent=1, sort_keys=True) + '\n'
  try:
    if not any((workdir / name).exists() for name in _RESULTS):
      files.write(path, text)
    old = json_file.load(path)
    if not isinstance(old, dict):
      raise ValueError('not a config')
  except (OSError, ValueError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(
      f'{path}: cannot be used ({why}): choose another --workdir'
    ) from error
  differing = _differing(old, json.loads(text))
  if differing:
    raise errors.UserError(
      f'{workdir} holds a run of another config ({"; ".join(differing)}): '
      'choose another --workdir, or delete this one'
    )


def _differing(old, new, prefix=''):
  """Describes the fields in which two configs differ."""
  differences = []
  for name in sorted(set(old) | set(new)):
    a, b, path = old.get(name), new.get(name), prefix + name
    if isinstance(a, dict) and isinstance(b, dict):
      differences += _differing(a, b, path + '.')
    elif a != b and path not in _FREE:
      differences.append(f'{path}: {a!r}, now {b!r}')
  return differences


def digest(config: ml_collections.ConfigDict) -> str:
  """Returns a digest of all fields that affect the results of a run.

  The path of the release is excluded, since its clips have a digest of their
  own.

  Returns:
    32 hexadecimal digits.
  """
  flat = config.copy_and_resolve_references().to_dict()
  # A release may be moved to another disk between two starts of a run.
  for path in (*_FREE, 'dataset.release'):
    part, _, name = path.partition('.')
    flat.get(part, {}).pop(name, None)
  return cache.digest(flat)


def read_config(workdir: pathlib.Path) -> ml_collections.ConfigDict:
  """Reads the config of a run.

  Raises:
    errors.UserError: config.json is missing, or is not the config of a run.
  """
  path = workdir / CONFIG
  try:
    config = ml_collections.ConfigDict(_tuples(json_file.load(path)))
    for part in ('dataset', 'model', 'protocol', 'train'):
      config[part].to_dict()
    return config
  except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
    why = getattr(error, 'strerror', None) or error
    raise errors.UserError(
      f'{path}: cannot be read ({why}): name a folder that mefnet_jax.main '
      'has written'
    ) from error


def read_report(workdir: pathlib.Path) -> dict[str, Any]:
  """Reads report.json, if it is of the config that the folder is bound to.

  Raises:
    errors.UserError: it is missing, no report, or was copied from another run.
  """
  path = workdir / REPORT
  kinds = {'config': dict, 'metrics': dict, 'intervals': dict}
  found = json_file.read(path, kinds)
  config = json_file.read(workdir / CONFIG)
  differing = _differing(config, found['config'])
  if differing:
    raise errors.UserError(
      f'{path}: of another run ({"; ".join(differing)}): delete it, then give '
      'the same command again'
    )
  return found


def _tuples(value):
  """Turns the lists of JSON back into tuples."""
  if isinstance(value, dict):
    return {name: _tuples(v) for name, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
