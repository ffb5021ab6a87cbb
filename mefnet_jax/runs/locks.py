"""The package's only file locks; they are released when the process dies."""

import contextlib
import errno
import os
import pathlib
import stat
from collections.abc import Iterator

from mefnet_jax.runs import errors

try:
  import fcntl
except ImportError:  # on Windows there is no lock
  fcntl = None  # type: ignore[assignment]

# Errors of file systems without locks, such as some network mounts.
_UNSUPPORTED = {
  errno.ENOLCK,
  errno.ENOSYS,
  errno.EOPNOTSUPP,
  errno.ENOTSUP,
  errno.EINVAL,
}


@contextlib.contextmanager
def hold(path: pathlib.Path, *, wait: bool) -> Iterator[bool]:
  """Yields whether this process holds the lock.

  The file is created if it is missing. It is never truncated, and links are
  not followed, so that a link called `.lock` cannot harm another file.

  Args:
    path: the lock file.
    wait: whether to wait for another process that holds the lock.

  Raises:
    errors.UserError: the path is a link or not a regular file, or its file
      system does not support locks.
    OSError: the file cannot be opened.
  """
  file = _opened(path)
  try:
    alone = _locked(file, path, wait)
    while alone and not _is_at(file, path):  # its last holder removed it
      os.close(file)
      file = _opened(path)
      alone = _locked(file, path, wait)
    yield alone
  finally:
    os.close(file)


def _opened(path):
  """The open lock file, which is created if it is missing."""
  # O_NONBLOCK, because opening a pipe or a device would wait.
  flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
  try:
    file = os.open(path, flags | os.O_NOFOLLOW, 0o666)
  except OSError as error:
    if error.errno != errno.ELOOP:
      raise
    raise errors.UserError(
      f'{path} is a link, and a lock must be a file of its own: delete it'
    ) from error
  if not stat.S_ISREG(os.fstat(file).st_mode):
    os.close(file)
    raise errors.UserError(f'{path} is not a regular file: delete it')
  return file


def _is_at(file, path):
  """Whether an open file is the one that now lies at the path."""
  try:
    return os.path.samestat(os.fstat(file), os.stat(path))
  except FileNotFoundError:
    return False


def _locked(file, path, wait):
  """Whether this process now holds the lock of the open file."""
  if not fcntl:
    return True
  try:
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
  except BlockingIOError:
    return False
  except OSError as error:
    if error.errno not in _UNSUPPORTED:
      raise
    raise errors.UserError(
      f'{path}: this file system does not support locks ({error.strerror}), '
      'so two runs could write at once: choose a folder on another disk'
    ) from error
  return True
