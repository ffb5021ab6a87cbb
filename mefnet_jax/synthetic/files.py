"""Writing aside and renaming, so that nothing half-written is ever seen."""

import contextlib
import os
import pathlib
import shutil


@contextlib.contextmanager
def aside(path: pathlib.Path):
  """Yields a path beside `path` and renames it to `path` if all went well."""
  path = pathlib.Path(path)
  temporary = path.with_name(f'.{path.name}.{os.getpid()}.part')
  try:
    yield temporary
    os.replace(temporary, path)
  finally:
    if temporary.is_dir():
      shutil.rmtree(temporary, ignore_errors=True)
    else:
      temporary.unlink(missing_ok=True)
