"""Flags that name what a command writes, checked before it begins to work.

A command may work for an hour before it writes. That its folder cannot be
written, or that a file stands where it should be, can be said at once.
"""

import argparse
import errno
import os
import pathlib

from absl import flags

from mefnet_jax.runs import errors, files

# Flags defined here belong to the modules that call these functions.
flags.disclaim_key_flags()

# Bytes of a name; 255 are allowed, and `files.aside` adds some.
_LONGEST = 230


def folder(text: str) -> pathlib.Path:
  """An argparse type: a folder to be written, whether or not it exists."""
  return _parsed(text, is_folder=True)


def file(text: str) -> pathlib.Path:
  """An argparse type: a file to be written, whether or not it exists."""
  return _parsed(text, is_folder=False)


def DEFINE_folder(
  name: str, default: str | None, text: str
) -> flags.FlagHolder:
  """Defines a flag of absl that names a folder to be written."""
  return flags.DEFINE(_Folder(), name, default, text)


def DEFINE_file(name: str, default: str | None, text: str) -> flags.FlagHolder:
  """Defines a flag of absl that names a file to be written."""
  return flags.DEFINE(_File(), name, default, text)


class _Text(flags.ArgumentParser):
  """The path as it is given; `check_flags` looks at it when all are parsed."""

  def parse(self, argument):
    return os.path.expanduser(argument)


class _Folder(_Text):
  """Of `DEFINE_folder`."""


class _File(_Text):
  """Of `DEFINE_file`."""


def check_flags(known: flags.FlagValues) -> None:
  """Checks the values of all flags that were defined by this module.

  Raises:
    errors.UserError: as `check`.
  """
  for name in known:
    flag = known[name]
    if isinstance(flag.parser, _Text) and flag.value:
      try:
        check(flag.value, is_folder=isinstance(flag.parser, _Folder))
      except errors.UserError as error:
        raise errors.UserError(f'--{name}: {error}') from error


def check(path: str | os.PathLike, *, is_folder: bool) -> None:
  """Checks whether a file or folder can be written.

  Raises:
    errors.UserError: there is no such home, a file stands where a folder must
      be or the other way round, a name is too long, or the user may not write.
  """
  path = pathlib.Path(path)
  if str(path).startswith('~'):
    raise errors.UserError(f'{path}: no such home folder')
  try:
    # Of a missing parent the system would not say that a name is too long.
    if any(len(os.fsencode(name)) > _LONGEST for name in path.parts):
      raise _error(errno.ENAMETOOLONG, path)
    if path.is_dir() and not is_folder:
      raise errors.UserError(f'{path} is a folder: name a file')
    part = path if is_folder else path.parent
    while not part.exists() and not part.is_symlink() and part != part.parent:
      part = part.parent
    if not part.is_dir():
      raise _error(errno.ENOTDIR, path)
    if not os.access(part, os.W_OK | os.X_OK):
      raise _error(_why_not_writable(part), part)
  except OSError as error:
    raise errors.UserError(
      f'{error.filename or path}: cannot be written ({error.strerror}): '
      + files.mend(error, path, 'choose another')
    ) from error


def _why_not_writable(folder):
  """The number of the error of writing there: a disk may be read-only."""
  read_only = getattr(os, 'ST_RDONLY', 0)  # not on Windows
  if read_only and os.statvfs(folder).f_flag & read_only:
    return errno.EROFS
  return errno.EACCES


def _error(number, path):
  return OSError(number, os.strerror(number), str(path))


def _parsed(text, *, is_folder):
  try:
    path = pathlib.Path(os.path.expanduser(text))
    check(path, is_folder=is_folder)
    return path
  except errors.UserError as error:
    raise argparse.ArgumentTypeError(str(error)) from error
