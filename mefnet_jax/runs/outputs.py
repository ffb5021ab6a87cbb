"""Flags that name a command's output, checked before it begins to work.

A command may work for an hour before it writes, but a folder without write
permission, or a file in its place, can be reported at once.
"""

import argparse
import errno
import os
import pathlib

from absl import flags

from mefnet_jax.runs import errors, files

# Flags defined here belong to the modules that call these functions.
flags.disclaim_key_flags()

# Bytes of a name; systems allow 255, of which `files.aside` needs some.
_LONGEST = 230


def folder(text: str) -> pathlib.Path:
  """An argparse type: a folder to be written, whether or not it exists.

  Raises:
    argparse.ArgumentTypeError: as `check`.
  """
  return _parsed(text, is_folder=True)


def file(text: str) -> pathlib.Path:
  """An argparse type: a file to be written, whether or not it exists.

  Raises:
    argparse.ArgumentTypeError: as `check`.
  """
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
  """A path as given; `check_flags` checks it when all flags are parsed."""

  def parse(self, argument):
    return os.path.expanduser(argument)


class _Folder(_Text):
  """The parser of `DEFINE_folder`."""


class _File(_Text):
  """The parser of `DEFINE_file`."""


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
    errors.UserError: there is no such home folder, there is a file in place of
      a folder or a folder in place of a file, a name is too long, or the user
      has no permission to write.
  """
  path = pathlib.Path(path)
  if str(path).startswith('~'):
    raise errors.UserError(f'{path}: no such home folder')
  try:
    # Below a missing folder the system does not report that a name is too long.
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
      + files.remedy(error, path, 'choose another')
    ) from error


def _why_not_writable(folder):
  """The error number of writing there: no permission, or a read-only disk."""
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
