"""The cache folder: its place, locks for writers, and names by content hash.

    <root>/clips/<dataset>/<name>/1.1.0/   prepared clips, a TFDS dataset
    <root>/synthetic/<name>/               synthetic releases
    <root>/hashes/<name>.json              hashes of release files by their stat
    <root>/videos/<name>.json              times of the frames of long videos
    <root>/{numba,xla}/                    compiled programs, see `programs`

<root> is the environment variable MEFNET_CACHE, or ~/.cache/mefnet_jax.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import typing

from mefnet_jax.runs import errors, files, json_file, locks

if typing.TYPE_CHECKING:
  from collections.abc import Iterator

_OWN = '~/.cache/mefnet_jax'


def root() -> pathlib.Path:
  """Returns the path of the cache folder, which may not exist yet.

  Raises:
    errors.UserError: no home folder is known, and no other one is named.
  """
  given = os.environ.get('MEFNET_CACHE') or _OWN
  if given.startswith('$'):  # from a file of variables that no shell has read
    raise errors.UserError(
      f'MEFNET_CACHE={given}: no shell has replaced the variable in it: write '
      'the whole path'
    )
  found = _expanded(given)
  if not found:
    raise errors.UserError(
      f'{given}: no such home folder: name a folder for the cache in '
      'MEFNET_CACHE'
    )
  return pathlib.Path(os.path.abspath(found))


def own_root() -> list[pathlib.Path]:
  """Returns the cache in the user's home, even if MEFNET_CACHE names another.

  Returns:
    A list of one path; empty if no home folder is known.
  """
  return [pathlib.Path(found)] if (found := _expanded(_OWN)) else []


def _expanded(path):
  """A path with the home folder in place of ~; '' if there is no such home.

  An empty or relative home would put the cache into the current folder.
  """
  if not path.startswith('~'):
    return path
  if os.environ.get('HOME') == '':
    return ''
  found = os.path.expanduser(path)  # unchanged if there is no such home
  return found if os.path.isabs(found) else ''


def made(folder: pathlib.Path) -> pathlib.Path:
  """Creates a folder of the cache if it is missing, and returns it.

  Raises:
    errors.UserError: the folder cannot be created.
  """
  try:
    # Programs are read from the user's own cache only if no other user can
    # write to it, so that the umask must not decide.
    own = any(folder.is_relative_to(root) for root in own_root())
    make_folder(folder, 0o755 if own else 0o777)
  except OSError as error:
    raise errors.UserError(
      f'{folder}: the cache cannot be written ({error.strerror}): '
      + files.remedy(error, folder, 'look after its rights')
      + ', or name another folder in the environment variable MEFNET_CACHE'
    ) from None
  return folder


def make_folder(folder: pathlib.Path, mode: int) -> None:
  """Creates a folder and its parents, all with the permissions `mode` at most.

  `Path.mkdir` applies its mode to the last folder only.

  Raises:
    OSError: it cannot be created.
  """
  for path in (*reversed(folder.parents), folder):
    if path == folder or not path.exists():
      path.mkdir(mode, exist_ok=True)


@contextlib.contextmanager
def lock(path: str | os.PathLike) -> 'Iterator[None]':
  """Holds a lock on a file, after waiting for other processes to release it.

  The system releases the lock of a process that dies.

  Args:
    path: the lock file, which is created if it is missing.

  Raises:
    errors.UserError: the folder cannot be created, or as `locks.hold`.
    OSError: the file cannot be opened.
  """
  path = pathlib.Path(path)
  made(path.parent)
  with locks.hold(path, wait=True):
    yield


def digest(*parts: object) -> str:
  """Returns a digest of the parts' JSON as 32 hexadecimal digits."""
  # Keys are sorted, since the order of a dict must not matter.
  text = json.dumps(parts, default=str, sort_keys=True)
  return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read_json(path: pathlib.Path) -> dict:
  """Returns the JSON object in a file; {} if it is missing or damaged."""
  try:
    content = json_file.load(path)
  except (OSError, ValueError):
    return {}
  return content if isinstance(content, dict) else {}
