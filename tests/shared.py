"""What all workers of a session make once: the first makes, others wait."""

import fcntl
import os
import pathlib
from collections.abc import Callable

import pytest


def once(
  factory: pytest.TempPathFactory,
  name: str,
  make: Callable[[pathlib.Path], object],
) -> pathlib.Path:
  """A folder that `make` fills, one for all workers of pytest-xdist."""
  root = factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    root = root.parent  # each worker's own lies in that of the session
  folder = root / 'shared' / name
  folder.mkdir(parents=True, exist_ok=True)
  done = folder / 'done'
  with (folder / 'lock').open('w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not done.exists():
      make(folder / 'made')
      done.touch()
  return folder / 'made'
