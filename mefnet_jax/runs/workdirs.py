"""A run's folder: one run at a time, and always of the same config."""

import contextlib
import json
import pathlib

import ml_collections

from mefnet_jax.runs import cache, errors, files, locks

_WORK = ('checkpoints', 'predictions.csv', 'report.json')  # worth keeping
# Fields that change how a run goes, not what comes out of it.
_FREE = ('dataset.workers', 'dataset.allow_lost', 'train.checkpoint_every')


@contextlib.contextmanager
def locked(workdir: pathlib.Path):
  """Holds the folder for one process; the lock dies with the process.

  Raises:
    UserError: another run holds it, it cannot be written, or its file system
      has no locks.
  """
  with contextlib.ExitStack() as held:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      alone = held.enter_context(locks.hold(workdir / '.lock', wait=False))
    except OSError as error:
      raise errors.UserError(
        f'{workdir}: cannot be written ({error.strerror}): '
        + files.mend(error, workdir, 'choose another --workdir')
      ) from error
    if not alone:
      raise errors.UserError(
        f'{workdir} is in use by another run: wait for it, or choose '
        'another --workdir'
      )
    yield


def claim(config, workdir: pathlib.Path):
  """Writes config.json, or compares it with the one the workdir holds.

  A folder in which nothing was trained yet takes any config: the mistake
  that ended its first run may be mended.

  Raises:
    UserError: the workdir holds the run of another config, or cannot be
      written.
  """
  path = workdir / 'config.json'
  text = json.dumps(config.to_dict(), indent=1, sort_keys=True) + '\n'
  try:
    if not any((workdir / name).exists() for name in _WORK):
      files.write(path, text)
    old = json.loads(path.read_text())
    if not isinstance(old, dict):
      raise ValueError('it holds no config')
  except (OSError, ValueError) as error:
    raise errors.UserError(
      f'{path}: cannot be used ({error}): choose another --workdir'
    ) from error
  differing = _differing(old, json.loads(text))
  if differing:
    raise errors.UserError(
      f'{workdir} holds a run of another config ({"; ".join(differing)}): '
      'choose another --workdir, or delete this one'
    )


def _differing(old, new, prefix=''):
  """The fields in which two configs differ, as text."""
  said = []
  for name in sorted(set(old) | set(new)):
    a, b, path = old.get(name), new.get(name), prefix + name
    if isinstance(a, dict) and isinstance(b, dict):
      said += _differing(a, b, path + '.')
    elif a != b and path not in _FREE:
      said.append(f'{path}: {a!r}, now {b!r}')
  return said


def digest(config: ml_collections.ConfigDict) -> str:
  """32 hexadecimal digits of all fields that change what comes out of a run.

  The place of a release is none of them: its clips have a digest of their own.
  """
  flat = config.copy_and_resolve_references().to_dict()
  for path in (*_FREE, 'dataset.release'):
    part, _, name = path.partition('.')
    flat.get(part, {}).pop(name, None)
  return cache.digest(flat)


def read_config(workdir: pathlib.Path) -> ml_collections.ConfigDict:
  """The config that a run left.

  Raises:
    errors.UserError: there is none, or it is not one of a run.
  """
  path = workdir / 'config.json'
  try:
    config = ml_collections.ConfigDict(_tuples(json.loads(path.read_text())))
    for part in ('dataset', 'model', 'protocol', 'train'):
      config[part].to_dict()
    return config
  except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}): give the folder of a run, as '
      'mefnet_jax.main left it'
    ) from error


def _tuples(value):
  """JSON's lists as the tuples that they were."""
  if isinstance(value, dict):
    return {name: _tuples(v) for name, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
