"""The cache of compiled kernels: code, so only a private folder will do.

Numba's files hold pickles and machine code. A folder of them is read only if
nobody but the user can write it and each file has the digest of its manifest;
otherwise the kernels are compiled afresh, into a new folder that takes the
place of the old one once it is whole.
"""

import contextlib
import dataclasses
import gc
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numba
from llvmlite import binding

from mefnet_jax.runs import (
  cache,
  errors,
  files,
  locks,
  programs,
)

_MANIFEST = 'manifest.json'
_LEFT_BEHIND = 86400.0  # seconds since the last change of a killed process
_PATIENCE = 600.0  # seconds to wait for another process
_HERE = pathlib.Path(__file__).parent
# Set for a process that only helps another one to compile, by `helped`.
_INTO = 'MEFNET_KERNELS_INTO'
_HELP = 'import sys; sys.path.insert(0, sys.argv[1]); import mefnet_jax.ops.cpu'


@dataclasses.dataclass(frozen=True)
class Folder:
  """Where this process caches its kernels.

  Attributes:
    path: their final place; None if they are not cached.
    fresh: where they lie until `seal`, if they must be compiled.
    is_helper: whether this process only helps the one that will seal them.
    why_not: the reason why they are not cached; '' if they are.
    alone: keeps other processes from compiling the same, until it is closed.
  """

  path: pathlib.Path | None
  fresh: pathlib.Path | None = None
  is_helper: bool = False
  why_not: str = ''
  alone: contextlib.ExitStack = dataclasses.field(
    default_factory=contextlib.ExitStack, compare=False
  )


def begin() -> Folder:
  """Gives Numba a folder that can be trusted; to be called before it compiles.

  The folder lies in NUMBA_CACHE_DIR if that is set, else in the user's cache.
  """
  into = os.environ.pop(_INTO, '')
  if into and not programs.why_not_private(pathlib.Path(into)):
    numba.config.CACHE_DIR = into
    return Folder(None, is_helper=True)
  chosen = os.environ.get('NUMBA_CACHE_DIR')
  root, why_not = pathlib.Path(chosen or '').resolve(), ''
  if chosen:
    why_not = programs.why_not_private(root)
  else:
    root, why_not = programs.folder('numba')
  if why_not:
    numba.config.CACHE_DIR = ''  # they are compiled for this process only
    return Folder(None, why_not=why_not)
  folder = Folder(root / _version())
  if not is_whole(folder.path):
    folder = _to_fill(folder)
  numba.config.CACHE_DIR = str(folder.fresh or folder.path)
  return folder


def _to_fill(folder):
  """The folder with a fresh one, unless another process fills it meanwhile."""
  _wait(folder)
  if is_whole(folder.path):
    folder.alone.close()
    return folder
  _clear(folder.path.parent)
  fresh = tempfile.mkdtemp(
    prefix=f'.new-{os.getpid()}-', dir=folder.path.parent
  )
  _say('Compiling kernels for this processor, once; a minute or two ...')
  return dataclasses.replace(folder, fresh=pathlib.Path(fresh))


def _clear(root):
  """Removes what compilations that were killed have left.

  Only after a day, since the process may run on another machine; and not while
  a process of its number lives here.
  """
  for path in (*root.glob('.new-*'), *root.glob('.old-*')):
    with contextlib.suppress(OSError):
      changed = max(p.lstat().st_mtime for p in (path, *path.rglob('*')))
      old = time.time() - changed > _LEFT_BEHIND
      if old and not _lives(path.name.split('-')[1]):
        shutil.rmtree(path, ignore_errors=True)


def _lives(number):
  """Whether a process of this number is there; False of other texts."""
  if os.name != 'posix':
    return True  # where a signal of 0 would stop it
  try:
    os.kill(int(number), 0)
  except PermissionError:
    return True
  except (OSError, ValueError, OverflowError):
    return False
  return True


def _wait(folder):
  """Waits for a process that compiles these kernels, if there is one."""
  lock = folder.path.with_name(f'.{folder.path.name}.lock')
  until = None
  # Without locks each process compiles them: what is sealed first stays.
  with contextlib.suppress(OSError, errors.UserError):
    while not folder.alone.enter_context(locks.hold(lock, wait=False)):
      folder.alone.close()
      if until is None:
        _say('Another process is compiling kernels: waiting for them ...')
        until = time.monotonic() + _PATIENCE
      if time.monotonic() > until:  # it has been stopped
        return
      time.sleep(0.2)
    folder.alone.callback(lock.unlink, missing_ok=True)


def _say(text):
  print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def filled(folder: Folder) -> Iterator[None]:
  """Names the folder if kernels that are compiled in it cannot be kept.

  Raises:
    OSError: the disk is full, or files may not be so large; what was kept of
      these kernels is removed.
  """
  try:
    yield
  except OSError as error:
    if folder.fresh is None or error.errno is None:
      raise
    shutil.rmtree(folder.fresh, ignore_errors=True)
    folder.alone.close()
    reason = os.strerror(error.errno)
    raise OSError(error.errno, reason, str(folder.path)) from error


@contextlib.contextmanager
def helped(folder: Folder) -> Iterator[None]:
  """A second process compiles kernels too, from the last module backwards.

  Each looks into the folder before it compiles a kernel, so they meet in the
  middle. There is none where nothing must be compiled, on one core, or where
  NUMBA_NUM_THREADS is 1: what both need is compiled twice, so that other work
  on the second core loses more than this process gains.
  """
  helper, collects = None, gc.isenabled()
  # A compiler makes many objects that stay: to look through them again and
  # again takes a fifteenth of its time.
  gc.disable()
  several = numba.config.NUMBA_NUM_THREADS > 1  # of the cores, unless set
  if folder.fresh is not None and several and sys.executable:
    command = [sys.executable, '-P', '-c', _HELP, str(_HERE.parents[2])]
    with contextlib.suppress(OSError):  # then this process compiles all
      helper = subprocess.Popen(
        command,
        env={**os.environ, _INTO: str(folder.fresh)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
      )
  try:
    yield
  finally:
    if collects:
      gc.enable()
    if helper is not None:
      helper.kill()
      helper.wait()


def seal(folder: Folder) -> None:
  """Moves kernels that this process has compiled to their final place."""
  with folder.alone:
    if folder.fresh is not None and folder.fresh.exists():
      _move(folder)


def _move(folder):
  # The manifest comes last: a folder without one is never read.
  files.write_json(folder.fresh / _MANIFEST, _digests(folder.fresh))
  old = pathlib.Path(tempfile.mkdtemp(prefix='.old-', dir=folder.path.parent))
  try:
    if folder.path.exists():
      os.replace(folder.path, old / 'kernels')
    os.replace(folder.fresh, folder.path)
  except OSError:  # another process was faster
    shutil.rmtree(folder.fresh, ignore_errors=True)
  shutil.rmtree(old, ignore_errors=True)


def is_whole(path: pathlib.Path) -> bool:
  """Whether a folder is private and holds exactly what its manifest lists."""
  if not path.is_dir() or programs.why_not_private(path):
    return False
  manifest = cache.read_json(path / _MANIFEST)
  return bool(manifest) and manifest == _digests(path)


def _digests(path):
  return {
    str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
    for file in sorted(path.rglob('*'))
    if file.is_file() and file.name != _MANIFEST
  }


def _version():
  """A digest of the source, the compiler and the processor of the kernels.

  And of where the source lies: Numba does, so that of two copies of the package
  each would add its kernels to the other's folder, and break its seal.
  """
  digest = hashlib.sha256(os.fsencode(_HERE))
  for file in sorted(_HERE.glob('*.py')):
    digest.update(file.read_bytes())
  made_for = binding.get_host_cpu_name(), binding.get_host_cpu_features()
  by = sys.implementation.cache_tag, numba.__version__
  digest.update(repr((by, made_for[0], made_for[1].flatten())).encode())
  for name in ('NUMBA_CPU_NAME', 'NUMBA_CPU_FEATURES'):
    digest.update(os.environ.get(name, '').encode())
  return digest.hexdigest()[:16]
