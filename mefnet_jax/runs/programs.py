"""Where compiled programs are kept: code, in a folder of the user's alone.

Data may lie in a cache that several people share. Who can write a compiled
program runs it as whoever loads it, so these are taken only from a folder that
nobody but the user, or root, can write or put another folder in the place of.
"""

import os
import pathlib
import stat

from mefnet_jax.runs import cache


def folder(name: str) -> tuple[pathlib.Path | None, str]:
  """A folder that holds programs, made if need be.

  It lies in the cache, or in the user's own one if others can write to that.

  Args:
    name: of the folder.

  Returns:
    The folder and ''; or None, and why there is none.
  """
  why_not = ''
  for root in dict.fromkeys((cache.root(), *cache.own_root())):
    here = why_not_private(root / name)
    if not here:
      return root / name, ''
    why_not = why_not or here
  return None, why_not


def why_not_private(path: pathlib.Path) -> str:
  """Makes a folder of mode 0700; '', or why it must not hold programs."""
  try:
    path.mkdir(parents=True, mode=0o700, exist_ok=True)
    found = path.lstat()
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
    return _of_parents(path.resolve())
  except OSError as error:
    return f'{path}: {error.strerror or error}'


def _of_parents(path):
  """Who can rename a folder can put another in its place; '' if nobody."""
  for parent in path.parents:
    found = parent.stat()
    if found.st_uid not in (0, os.geteuid()):
      return f'{parent} belongs to another user'
    sticky = found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not sticky:
      return f'others can write to {parent}'
  return ''
