"""Compiled kernels are code: damaged or foreign ones are never run."""

import json
import os

import numba
import pytest

from mefnet_jax.ops.cpu import kernel_cache


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
