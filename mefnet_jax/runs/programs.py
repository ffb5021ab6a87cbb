"""Folders for compiled programs, which only the user may be able to write.

Data may lie in a cache that several people share. A compiled program is code:
anyone who can write it can act as the person who runs it. So programs are read
only from a folder that only the user and root can write or replace.
"""

import contextlib
import os
import pathlib
import stat
import time
import zlib

from mefnet_jax.runs import cache


def folder(name: str) -> tuple[pathlib.Path | None, str]:
  """Returns a private folder for programs, which is created if it is missing.

  It lies in the cache, or in the cache of the user's home if others can write
  to the former.

  Args:
    name: the folder's name, 'numba' or 'xla'.

  Returns:
    The folder and ''; or None and the reason why there is none.
  """
  why_not = ''
  for root in dict.fromkeys((cache.root(), *cache.own_root())):
    # Resolved, since a link in its path could be redirected to another user's
    # folder between the check and the use.
    path = root.resolve() / name
    here = why_not_private(path)
    if not here:
      return path, ''
    why_not = why_not or here
  return None, why_not


def why_not_private(path: pathlib.Path) -> str:
  """Creates a folder of mode 0700, or checks the one that is there.

  Returns:
    '', or the reason why it must not hold programs.
  """
  try:
    cache.make_folder(path.parent, 0o755)  # a umask of 002 is usual
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()  # not stat: a link could be redirected
    if not stat.S_ISDIR(found.st_mode):
      return f'{path} is no folder'
    if not hasattr(os, 'geteuid'):  # on Windows a profile is private
      return ''
    if found.st_uid != os.geteuid():
      return f'{path} belongs to another user'
    if found.st_mode & 0o022:
      return f'others can write to {path}'
    if found.st_mode & 0o077:
      path.chmod(0o700)
    return _why_parents_not_private(path.resolve())
  except OSError as error:
    return f'{path}: {error.strerror or error}'


def _why_parents_not_private(path):
  """Why another user could replace a folder by renaming; '' if none can.

  In a sticky folder such as /tmp only the owner of an entry can rename it.
  """
  for parent in path.parents:
    found = parent.stat()
    if found.st_uid not in (0, os.geteuid()):
      return f'{parent} belongs to another user'
    sticky = found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not sticky:
      return f'others can write to {parent}'
  return ''


def drop_torn(folder: pathlib.Path) -> None:
  """Removes XLA programs that a kill or a full disk has truncated.

  jax would warn about such a file at each start, and never replace it. Only
  files that are newer than the last check are read.

  Args:
    folder: a private folder, as of `folder`.
  """
  with contextlib.suppress(OSError):
    mark, began = folder / '.checked', time.time_ns()
    since = mark.stat().st_mtime_ns if mark.exists() else 0
    for path in folder.glob('*-cache'):
      if path.stat().st_mtime_ns >= since and _is_torn(path.read_bytes()):
        path.unlink(missing_ok=True)
    mark.touch()
    os.utime(mark, ns=(began, began))  # other processes write meanwhile


def _is_torn(data):
  """Whether data that begin as a zlib stream do not end as one."""
  stream = zlib.decompressobj()
  try:
    stream.decompress(data)
  except zlib.error:
    return data[:1] == b'x'  # else the compression is another one
  return not stream.eof
