"""THE lock: a file that one process holds, and that its death lets go of."""

import contextlib
import errno
import os
import pathlib
import stat
from collections.abc import Iterator

from mefnet_jax.runs import errors

try:
  import fcntl
except ImportError:  # Windows: nobody is kept out
  fcntl = None

# What a system answers that cannot lock at all, such as a network mount.
_UNSUPPORTED = {
  errno.ENOLCK,
  errno.ENOSYS,
  errno.EOPNOTSUPP,
  errno.ENOTSUP,
  errno.EINVAL,
}


@contextlib.contextmanager
def hold(path: pathlib.Path, *, wait: bool) -> Iterator[bool]:
  """Yields whether this process holds the lock; if it may wait, it does.

  The file is made if it is missing. It is never emptied, and no link is
  followed, so a `.lock` that leads elsewhere harms no other file.

  Raises:
    errors.UserError: the path is a link or no plain file, or its file system
      has no locks.
    OSError: the file cannot be opened.
  """
  file = _opened(path)
  try:
    yield _locked(file, path, wait)
  finally:
    os.close(file)


def _opened(path):
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
    raise errors.UserError(f'{path} is no plain file: delete it')
  return file


def _locked(file, path, wait):
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
      f'{path}: this file system has no locks ({error.strerror}), so nothing '
      'would keep two runs apart: choose a folder on another disk'
    ) from error
  return True
