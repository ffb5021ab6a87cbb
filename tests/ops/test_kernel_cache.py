"""Compiled kernels are code: damaged or foreign ones are never run."""

import concurrent.futures
import contextlib
import errno
import json
import os
import pathlib
import pickle
import runpy
import shutil
import subprocess
import sys
import time

import numba
import pytest

import mefnet_jax
from mefnet_jax.runs import errors, files, locks
from tests.fixtures.kernels import cpu, kernel_cache


@pytest.fixture(autouse=True, scope='module')
def ready():
  assert cpu.FORMS  # compiled, before a test names another folder for them


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A folder of sealed kernels, and Numba's setting as it was afterwards."""
  monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path / 'kernels'))
  monkeypatch.setattr(numba.config, 'CACHE_DIR', '')
  begun = kernel_cache.begin()
  assert begun.fresh and numba.config.CACHE_DIR == str(begun.fresh)
  (begun.fresh / 'a').mkdir()
  (begun.fresh / 'a' / 'kernel.nbi').write_bytes(b'index')
  (begun.fresh / 'a' / 'kernel.nbc').write_bytes(b'code')
  kernel_cache.seal(begun)
  return begun.path


def test_whole_kernels_are_read_where_they_are_kept(folder):
  assert kernel_cache.begin() == kernel_cache.Folder(folder)
  assert numba.config.CACHE_DIR == str(folder)
  assert folder.parent.stat().st_mode & 0o777 == 0o700
  assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def damage(folder, how):
  index = folder / 'a' / 'kernel.nbi'
  match how:
    case 'flipped':
      index.write_bytes(b'inde\x79')
    case 'deleted':
      index.unlink()
    case 'foreign':
      (folder / 'a' / 'other.nbi').write_bytes(b'cos\nsystem\n')
    case 'no manifest':
      (folder / 'manifest.json').unlink()
    case 'manifest':
      (folder / 'manifest.json').write_text(json.dumps({'a/kernel.nbi': ''}))
    case 'written by others':
      folder.chmod(0o777)
    case 'link':
      folder.rename(folder.with_name('elsewhere'))
      folder.symlink_to(folder.with_name('elsewhere'))


@pytest.mark.parametrize(
  'how',
  [
    'flipped',
    'deleted',
    'foreign',
    'no manifest',
    'manifest',
    'written by others',
    'link',
  ],
)
def test_others_are_compiled_anew(folder, how):
  damage(folder, how)
  begun = kernel_cache.begin()
  assert begun.path == folder and begun.fresh
  assert numba.config.CACHE_DIR == str(begun.fresh)
  assert not list(begun.fresh.iterdir())
  (begun.fresh / 'kernel.nbi').write_bytes(b'new')
  kernel_cache.seal(begun)
  if how != 'link':
    assert kernel_cache.begin() == kernel_cache.Folder(folder)
    assert [p.name for p in folder.iterdir()] == ['kernel.nbi', 'manifest.json']


def test_a_folder_that_others_can_write_is_not_used(folder, monkeypatch):
  folder.parent.chmod(0o777)
  begun = kernel_cache.begin()
  assert begun.path is None
  assert begun.why_not == f'others can write to {folder.parent}'
  assert numba.config.CACHE_DIR == ''
  monkeypatch.setattr(os, 'geteuid', lambda: 12345)
  assert (
    kernel_cache.begin().why_not == f'{folder.parent} belongs to another user'
  )


def test_one_compiles_and_the_others_wait_for_it(folder, capsys):
  (folder / 'manifest.json').unlink()
  first = kernel_cache.begin()
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    second = pool.submit(kernel_cache.begin)
    with pytest.raises(concurrent.futures.TimeoutError):
      second.result(timeout=0.3)
    (first.fresh / 'kernel.nbi').write_bytes(b'new')
    kernel_cache.seal(first)
    assert second.result(timeout=60) == kernel_cache.Folder(folder)
  assert capsys.readouterr().err.splitlines()[-1] == (
    'Another process is compiling kernels: waiting for them ...'
  )
  assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.fixture
def started(monkeypatch):
  """What `helped` starts: processes that would sleep for a minute."""
  processes, popen = [], subprocess.Popen

  def start(command, **options):
    processes.append((command, options['env']))
    code = 'import time; time.sleep(60)'
    process = popen([sys.executable, '-S', '-c', code], **options)
    processes.append(process)
    return process

  monkeypatch.setattr(subprocess, 'Popen', start)
  monkeypatch.setattr(numba.config, 'NUMBA_NUM_THREADS', 2)
  return processes


def test_a_second_process_helps_where_kernels_are_compiled(
  folder, started, monkeypatch
):
  """It finds its way to this package, from any folder, and is gone after."""
  with kernel_cache.helped(kernel_cache.begin()):
    pass  # nothing is to be compiled
  assert not started
  (folder / 'manifest.json').unlink()
  begun = kernel_cache.begin()
  monkeypatch.setattr(numba.config, 'NUMBA_NUM_THREADS', 1)
  with kernel_cache.helped(begun):
    assert not started
  monkeypatch.setattr(numba.config, 'NUMBA_NUM_THREADS', 2)
  with pytest.raises(OSError, match='full'), kernel_cache.helped(begun):
    (command, variables), process = started
    assert process.poll() is None
    raise OSError(errno.ENOSPC, 'the disk is full')
  assert process.poll() is not None
  assert command[0] == sys.executable
  assert (pathlib.Path(command[-1]) / 'mefnet_jax').samefile(
    mefnet_jax.__path__[0]
  )
  # In the helper:
  monkeypatch.setenv('MEFNET_KERNELS_INTO', variables['MEFNET_KERNELS_INTO'])
  helping = kernel_cache.begin()
  assert helping.is_helper and helping.path is None and not helping.why_not
  assert numba.config.CACHE_DIR == str(begun.fresh)
  assert 'MEFNET_KERNELS_INTO' not in os.environ  # nor in what it starts
  kernel_cache.seal(helping)
  assert not (begun.fresh / 'manifest.json').exists()
  begun.fresh.chmod(0o777)
  monkeypatch.setenv('MEFNET_KERNELS_INTO', str(begun.fresh))
  begun.alone.close()
  assert not kernel_cache.begin().is_helper  # where others can write
  assert numba.config.CACHE_DIR != str(begun.fresh)


def test_one_that_hangs_is_not_waited_for_for_ever(folder, monkeypatch):
  (folder / 'manifest.json').unlink()
  monkeypatch.setattr('mefnet_jax.ops.cpu.kernel_cache._PATIENCE', 0.3)
  hanging, begun = kernel_cache.begin(), kernel_cache.begin()
  assert begun.fresh and begun.fresh != hanging.fresh
  hanging.alone.close()


def test_whoever_has_imported_the_kernels_holds_up_nobody():
  path = cpu._FOLDER.path
  lock = path.with_name(f'.{path.name}.lock')
  with locks.hold(lock, wait=False) as alone:
    assert alone
    lock.unlink()


def test_one_that_died_leaves_its_place_to_the_next(folder):
  (folder / 'manifest.json').unlink()
  kernel_cache.begin().alone.close()  # as the system does for a dead process
  assert kernel_cache.begin().fresh


def test_two_that_compile_at_once_leave_one_whole_folder(folder, monkeypatch):
  """Where nothing can be locked: the second's takes the place of the first's.

  Neither is half.
  """
  (folder / 'manifest.json').unlink()

  def hold(path, wait):
    raise errors.UserError('this file system does not support locks')

  monkeypatch.setattr(locks, 'hold', hold)
  first, second = kernel_cache.begin(), kernel_cache.begin()
  assert first.fresh != second.fresh
  for begun in (first, second):
    (begun.fresh / 'kernel.nbi').write_bytes(b'same')
    kernel_cache.seal(begun)
  assert kernel_cache.begin() == kernel_cache.Folder(folder)
  assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_cache_that_is_removed_meanwhile_ends_nothing(folder):
  (folder / 'manifest.json').unlink()
  begun = kernel_cache.begin()
  shutil.rmtree(folder.parent)
  kernel_cache.seal(begun)
  assert kernel_cache.begin().fresh


def test_a_link_to_the_folder_is_followed_once(tmp_path, folder, monkeypatch):
  """So that nobody can turn it between the check and the use."""
  link = tmp_path / 'link'
  link.symlink_to(folder.parent)
  monkeypatch.setenv('NUMBA_CACHE_DIR', str(link))
  assert kernel_cache.begin() == kernel_cache.Folder(folder)
  assert numba.config.CACHE_DIR == str(folder)


def test_a_disk_that_fills_is_said_of_the_folder(folder):
  """Numba's write names no file; what it has written of these is removed."""
  (folder / 'manifest.json').unlink()
  begun = kernel_cache.begin()
  with pytest.raises(OSError) as said, kernel_cache.filled(begun):
    (begun.fresh / 'kernel.nbc').write_bytes(b'half')
    raise OSError(errno.ENOSPC, 'No space left on device')
  assert said.value.filename == str(folder)
  assert not begun.fresh.exists()


def test_what_killed_compilations_left_is_removed_after_a_day(folder):
  """Unless somebody still works there, or has done so since."""
  day = 86400
  gone = 2**22 + 1  # above the highest number of a process
  names = {
    f'.new-{gone}-a': (2 * day, False),
    '.new-abcd_ef1': (2 * day, False),  # as earlier versions named them
    '.old-abcdefg': (2 * day, False),
    f'.new-{gone}-b': (day / 2, True),
    f'.new-{os.getpid()}-c': (2 * day, True),
    f'.new-{gone}-d': (2 * day, True),  # its file is younger
    'else': (2 * day, True),
  }
  for name, (age, _) in names.items():
    inner = folder.with_name(name) / 'ops'
    inner.mkdir(parents=True)
    (inner / 'kernel.nbc').write_bytes(b'code')
    for path in (inner / 'kernel.nbc', inner, inner.parent):
      then = time.time() - (0 if path.suffix and name.endswith('d') else age)
      os.utime(path, (then, then))
  (folder / 'manifest.json').unlink()
  begun = kernel_cache.begin()
  begun.alone.close()
  left = {p.name for p in folder.parent.iterdir()} - {begun.fresh.name}
  expected = {name for name, (_, stays) in names.items() if stays}
  assert left == {folder.name, *expected}


class Trap:
  """Touches a file when it is unpickled."""

  def __init__(self, marker):
    self.marker = marker

  def __reduce__(self):
    return pathlib.Path.touch, (self.marker,)


KERNEL = (
  'import numba\n\n\n@numba.njit(cache=True)\ndef f(x):\n  return x + 1\n'
)


@pytest.mark.parametrize(
  ('how', 'runs'),
  [('not sealed', False), ('written by others', False), ('own', True)],
)
def test_a_pickle_that_somebody_planted_is_never_run(
  tmp_path, monkeypatch, how, runs
):
  """Numba's index is a pickle. One that the user has sealed is theirs."""
  monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path / 'kernels'))
  monkeypatch.setattr(numba.config, 'CACHE_DIR', '')
  (tmp_path / 'kernel.py').write_text(KERNEL)

  def compiled():
    begun = kernel_cache.begin()
    module = runpy.run_path(str(tmp_path / 'kernel.py'))
    assert module['f'](1) == 2
    kernel_cache.seal(begun)
    return begun

  path, marker = compiled().path, tmp_path / 'marker'
  for index in path.rglob('*.nbi'):
    index.write_bytes(pickle.dumps(Trap(marker)))
  if how != 'not sealed':
    files.write_json(path / 'manifest.json', kernel_cache._digests(path))
  if how == 'written by others':
    path.chmod(0o777)
  with contextlib.suppress(Exception):  # the trap is no index of Numba
    compiled()
  assert marker.exists() == runs
