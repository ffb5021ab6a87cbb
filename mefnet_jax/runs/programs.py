"""Folders for compiled programs, which only the user may be able to write.

Data may lie in a cache that several people share. A compiled program is code:
who can write it can act as the person who runs it. So programs are read only
from a folder that nobody but the user and root can write or replace.
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

  It lies in the cache, or in that of the user's home if others can write to
  the first.

  Args:
    name: of the folder.

  Returns:
    The folder and ''; or None and the reason why there is none.
  """
  why_not = ''
  for root in dict.fromkeys((cache.root(), *cache.own_root())):
    # Where it truly lies: a link in its path could be turned to a folder of
    # somebody else between the check and the use.
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
    cache.make(path.parent, 0o755)  # a umask of 002 is usual
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()  # not stat: a link could be turned to another folder
    if not stat.S_ISDIR(found.st_mode):
      return f'{path} is no folder'
    if not hasattr(os, 'geteuid'):  # Windows: a profile is its user's
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
  """Who else could rename a folder and put another in its place; '' if nobody.

  In a sticky folder such as /tmp only its owner can rename an entry.
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
  """Removes XLA programs that a kill or a full disk has cut short.

  jax would warn of such a file at each start, and never write it again. Only
  files that are newer than the last such look are read.
  """
  with contextlib.suppress(OSError):
    mark, began = folder / '.checked', time.time_ns()
    since = mark.stat().st_mtime_ns if mark.exists() else 0
    for path in folder.glob('*-cache'):
      if path.stat().st_mtime_ns >= since and _is_torn(path.read_bytes()):
        path.unlink(missing_ok=True)
    mark.touch()
    os.utime(mark, ns=(began, began))  # others write meanwhile


def _is_torn(data):
  """Whether data that begin as zlib's do not end as such."""
  whole = zlib.decompressobj()
  try:
    whole.decompress(data)
  except zlib.error:
    return data[:1] == b'x'  # others are of another compression
  return not whole.eof
