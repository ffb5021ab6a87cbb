"""The atomic write of the package: no reader ever sees half a file.

A file is written under another name in its folder and renamed when complete;
within a file system a rename is atomic.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

from mefnet_jax.runs import escape

_LONGEST = 150  # bytes of a file's name, before its suffix
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_OF_RIGHTS = {errno.EACCES, errno.EPERM}


@contextlib.contextmanager
def aside(path: str | os.PathLike, *, mark: str = '') -> Iterator[pathlib.Path]:
  """Yields a temporary path in the folder of `path`, renamed to it at the end.

  The caller writes a file or a folder there; if it fails, that is removed. The
  temporary path has the suffix of `path`, on which some libraries depend.

  Args:
    path: the file or folder to be written.
    mark: part of the temporary name, by default the number of the process. With
      a fixed mark, under a lock, the next process removes what a killed one
      left.

  Raises:
    OSError: the path cannot be written.
  """
  path = pathlib.Path(path)
  temporary = path.with_name(f'.{path.stem}.{mark or os.getpid()}{path.suffix}')
  remove(temporary)
  try:
    with errors_naming(path, instead_of=temporary):
      yield temporary
      # Unlike os.rename it replaces an existing file on Windows too.
      os.replace(temporary, path)
  finally:
    remove(temporary)


@contextlib.contextmanager
def errors_naming(
  path: pathlib.Path, *, instead_of: pathlib.Path
) -> Iterator[None]:
  """Makes errors of disks and permissions name the final path of a file.

  Args:
    path: the final path.
    instead_of: the temporary file or folder that the code in the context
      writes.

  Raises:
    OSError: as raised in the context, with another path.
  """
  try:
    yield
  except OSError as error:
    # A write to an open file fails without naming it, and libraries name the
    # temporary one, or a file in it.
    failed = str(error.filename or instead_of)
    inside = failed.startswith(f'{instead_of}{os.sep}')
    ours = inside or failed == str(instead_of)
    if ours and error.errno in _OF_DISKS | _OF_RIGHTS:
      reason = os.strerror(error.errno)
      final = f'{path}{failed.removeprefix(str(instead_of))}'
      raise OSError(error.errno, reason, final) from error
    raise


def write(path: str | os.PathLike, content: bytes | str) -> None:
  r"""Writes a whole file, text as UTF-8; creates its folder if it is missing.

  What UTF-8 cannot encode, such as a byte of an odd file name, is escaped:
  \udcff.

  Raises:
    OSError: the file cannot be written; an existing one stays.
  """
  path = pathlib.Path(path)
  if isinstance(content, str):
    data = content.encode(errors='backslashreplace')
  else:
    data = content
  path.parent.mkdir(parents=True, exist_ok=True)
  with aside(path) as temporary:
    temporary.write_bytes(data)


def write_json(path: str | os.PathLike, content: Any, **options: Any) -> None:
  """Writes plain values as JSON, indented by one space, with a final newline.

  Args:
    path: the file; its folder is created if it is missing.
    content: plain values.
    **options: passed to `json.dumps`.

  Raises:
    OSError: the file cannot be written.
  """
  write(path, json.dumps(content, **{'indent': 1, **options}) + '\n')


def write_csv(
  path: str | os.PathLike, header: Iterable[str], rows: Iterable[Iterable]
) -> None:
  """Writes a table with a header, as `to_csv` formats it.

  Raises:
    OSError: the file cannot be written.
  """
  write(path, to_csv(header, rows))


def to_csv(header: Iterable[str], rows: Iterable[Iterable]) -> str:
  """Returns a table as CSV, with newlines at the ends of the lines.

  No cell can be run as a formula (`escape.csv_cell`, which `csv_table.read`
  reverses).
  """
  return ''.join(map(_line, (header, *rows)))


def _line(cells):
  """A row; Python's writer quotes carriage returns only if lines end in one."""
  text = io.StringIO(newline='')
  writer = csv.writer(text, lineterminator='\r\n')
  writer.writerow(map(escape.csv_cell, cells))
  return text.getvalue().removesuffix('\r\n') + '\n'


def flat_names(ids: Iterable[str]) -> dict[str, str]:
  """Returns a file name without suffix for each id, which may hold slashes.

  No two names are equal, even on a file system that ignores case.
  """
  names, taken = {}, set()
  for one in ids:
    name = ''.join(c if c.isalnum() or c in '-_@' else '_' for c in one)
    if len(name.encode()) > _LONGEST or name.casefold() in taken or not name:
      mark = hashlib.blake2b(one.encode(errors='replace'), digest_size=8)
      name = f'{name[:40]}-{mark.hexdigest()}'
    taken.add(name.casefold())
    names[one] = name
  return names


def digest(path: str | os.PathLike) -> str:
  """Returns the BLAKE2b digest of a file as 32 hexadecimal digits.

  Raises:
    OSError: the file cannot be read.
  """
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, _blake2b).hexdigest()


def _blake2b():
  return hashlib.blake2b(digest_size=16)


def remove(path: pathlib.Path) -> None:
  """Removes a file, a link or a whole folder, if it is there.

  Raises:
    OSError: a file or a link cannot be removed.
  """
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path, ignore_errors=True)
  else:
    path.unlink(missing_ok=True)


def remedy(error: OSError, path: str | os.PathLike, other: str) -> str:
  """Returns advice about a path that cannot be used.

  Args:
    error: the system's error.
    path: the file or folder that was to be read or written.
    other: the advice for errors that suggest none.
  """
  if error.errno in (errno.ENOSPC, errno.EDQUOT):
    return 'free some space, then run the same command again'
  if error.errno == errno.EFBIG:
    return 'raise the limit of the size of files (ulimit -f)'
  if error.errno == errno.ENAMETOOLONG:
    return 'choose a shorter name'
  if error.errno in (errno.ENOTDIR, errno.EEXIST):
    # The deepest part that exists; a dangling link exists only as a link.
    for part in (pathlib.Path(path), *pathlib.Path(path).parents):
      if part.is_symlink() or part.exists():
        break
    if not part.is_dir():
      return f'{part} stands where a folder should be: move it away'
  return other
