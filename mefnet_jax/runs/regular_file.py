"""Reads files that a user's path leads to: regular ones, of bounded size.

To open a pipe or a device may wait for ever, and to read one may never end; a
file of many gigabytes would fill the memory.
"""

import errno
import os
import pathlib
import stat

MOST = 2**28  # bytes of a file that is read as a whole


def check(
  path: str | os.PathLike[str], most: int | None = None
) -> os.stat_result:
  """Returns the stat of a file that may be opened and read to its end.

  Args:
    path: of the file; links are followed.
    most: bytes that it may have; None for any number.

  Raises:
    OSError: there is no such file, it is a folder, a pipe, a socket or a
      device, or it is larger.
  """
  found = os.stat(path)
  if stat.S_ISDIR(found.st_mode):
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
  if not stat.S_ISREG(found.st_mode):
    raise OSError(errno.EINVAL, 'not a regular file', str(path))
  if most is not None and found.st_size > most:
    size, limit = found.st_size / 2**20, most / 2**20
    raise OSError(
      errno.EINVAL, f'{size:,.0f} MiB, more than {limit:,.0f}', str(path)
    )
  return found


def read(path: str | os.PathLike[str], most: int = MOST) -> bytes:
  """Returns the bytes of a file.

  Args:
    path: of the file; links are followed.
    most: bytes that it may have.

  Raises:
    OSError: as `check`; or it cannot be read.
  """
  check(path, most)
  return pathlib.Path(path).read_bytes()
