"""Compiled programs are taken from the user's own folders only."""

import os
import pathlib
import subprocess
import sys
import zlib

import pytest

from mefnet_jax.runs import cache, errors, programs

REPOSITORY = pathlib.Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'shared'))
  (tmp_path / 'shared').mkdir(mode=0o755)
  return tmp_path / 'home'


def test_they_lie_in_the_cache_for_the_user_alone(home, tmp_path):
  folder, why_not = programs.folder('xla')
  assert (folder, why_not) == (tmp_path / 'shared' / 'xla', '')
  assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize('mode', [0o777, 0o775])
def test_in_a_shared_cache_they_lie_in_the_home(home, tmp_path, mode):
  (tmp_path / 'shared').chmod(mode)
  folder, why_not = programs.folder('xla')
  assert folder == home / '.cache' / 'mefnet_jax' / 'xla' and not why_not
  home.chmod(0o777)
  folder, why_not = programs.folder('xla')
  assert folder is None
  assert why_not == f'others can write to {tmp_path / "shared"}'


def test_folders_of_others_links_and_files_are_refused(
  home, tmp_path, monkeypatch
):
  path = tmp_path / 'programs'
  path.mkdir()
  assert programs.why_not_private(path) == ''
  (tmp_path / 'link').symlink_to(path)
  link = tmp_path / 'link'
  assert programs.why_not_private(link) == f'{link} is no folder'
  path.chmod(0o770)
  assert programs.why_not_private(path) == f'others can write to {path}'
  path.chmod(0o700)
  monkeypatch.setattr(os, 'geteuid', lambda: 12345)
  assert 'belongs to another user' in programs.why_not_private(path)


@pytest.mark.parametrize('given', [None, '~nosuchuser/cache'])
def test_without_a_home_the_cache_is_one_line(given, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  monkeypatch.delenv('MEFNET_CACHE')
  if given:
    monkeypatch.setenv('MEFNET_CACHE', given)
  with pytest.raises(errors.UserError, match='name a folder .* MEFNET_CACHE'):
    cache.root()
  assert not list(tmp_path.iterdir())


def test_a_variable_that_no_shell_has_replaced_is_no_folder(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('MEFNET_CACHE', '$HOME/cache')
  with pytest.raises(errors.UserError, match='no shell has replaced'):
    cache.root()


@pytest.mark.parametrize('first', ['data', 'programs'])
@pytest.mark.parametrize('umask', [0o002, 0o000])
def test_programs_are_kept_whatever_the_umask(home, monkeypatch, umask, first):
  """Under the usual 002, what the cache itself makes is for its user alone."""
  monkeypatch.delenv('MEFNET_CACHE')
  home.mkdir(mode=0o755)
  before = os.umask(umask)
  try:
    if first == 'data':
      cache.made(cache.root() / 'clips')
    folder, why_not = programs.folder('xla')
  finally:
    os.umask(before)
  assert (folder, why_not) == (home / '.cache' / 'mefnet_jax' / 'xla', '')


def test_a_shared_cache_stays_the_groups(home, tmp_path):
  before = os.umask(0o002)
  try:
    made = cache.made(tmp_path / 'shared' / 'clips')
  finally:
    os.umask(before)
  assert made.stat().st_mode & 0o777 == 0o775


def test_a_command_says_that_it_keeps_no_programs(tmp_path):
  shared = tmp_path / 'shared'
  shared.mkdir()
  shared.chmod(0o777)
  code = 'from mefnet_jax.runs import xla; xla.prepare()'
  done = subprocess.run(
    [sys.executable, '-c', code],
    cwd=REPOSITORY,
    env={**os.environ, 'MEFNET_CACHE': str(shared), 'HOME': str(shared)},
    capture_output=True,
    text=True,
    check=True,
  )
  said = f'compiled programs are not kept: others can write to {shared}\n'
  assert done.stderr == said


def test_a_link_that_is_turned_later_leads_nowhere_else(home, tmp_path):
  """MEFNET_CACHE is a link, which somebody else may be able to replace."""
  mine, theirs = tmp_path / 'mine', tmp_path / 'theirs'
  mine.mkdir(), theirs.mkdir()
  (tmp_path / 'shared').rmdir()
  (tmp_path / 'shared').symlink_to(mine)
  folder, why_not = programs.folder('numba')
  assert (folder, why_not) == (mine / 'numba', '')
  (tmp_path / 'shared').unlink()
  (tmp_path / 'shared').symlink_to(theirs)
  assert folder.resolve() == mine / 'numba'


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
@pytest.mark.parametrize('what', ['cache', 'programs'])
def test_programs_of_another_user_are_passed_over(home, tmp_path, what):
  """Whoever made the cache may have planted compiled programs in it."""
  shared = tmp_path / 'shared'
  (shared / 'xla').mkdir(mode=0o700)
  os.chown(shared if what == 'cache' else shared / 'xla', 12345, 12345)
  folder, why_not = programs.folder('xla')
  assert (folder, why_not) == (home / '.cache' / 'mefnet_jax' / 'xla', '')


@pytest.mark.parametrize('home', ['', '.', 'a/b'])
def test_a_home_that_is_no_place_is_one_line(home, tmp_path, monkeypatch):
  """The cache would lie wherever the command is started, and so would code."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HOME', home)
  monkeypatch.delenv('MEFNET_CACHE', raising=False)
  with pytest.raises(errors.UserError, match='name a folder .* MEFNET_CACHE'):
    cache.root()
  assert cache.own_root() == [] and not list(tmp_path.iterdir())


def test_a_home_that_cannot_be_written_keeps_no_programs(tmp_path, monkeypatch):
  (tmp_path / 'home').write_text('a file')
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  monkeypatch.delenv('MEFNET_CACHE', raising=False)
  folder, why_not = programs.folder('xla')
  assert folder is None and 'Not a directory' in why_not


def test_a_relative_xdg_cache_home_is_not_asked(home, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('XDG_CACHE_HOME', 'planted')
  assert programs.folder('xla')[0] == tmp_path / 'shared' / 'xla'
  assert not (tmp_path / 'planted').exists()


def test_programs_that_were_cut_short_are_removed(tmp_path):
  """jax would warn of them at each start, and never write them again."""
  whole = zlib.compress(bytes(range(256)) * 9)
  contents = {
    'a-cache': whole,
    'b-cache': whole[:-1],
    'c-cache': whole[:40],
    'd-cache': b'',
    'e-cache': b'\x28\xb5\x2f\xfd of another compression',
    'f-cache': whole[:50] + b'?' + whole[51:],
    'else': whole[:40],
  }
  for name, data in contents.items():
    (tmp_path / name).write_bytes(data)
  programs.drop_torn(tmp_path)
  left = {p.name for p in tmp_path.iterdir()}
  assert left == {'a-cache', 'e-cache', 'else', '.checked'}
  # What was looked at once is not read again; what is newer is.
  for name, age in (('g-cache', 9), ('h-cache', 0)):
    (tmp_path / name).write_bytes(whole[:40])
    then = (tmp_path / '.checked').stat().st_mtime + 1 - age
    os.utime(tmp_path / name, (then, then))
  programs.drop_torn(tmp_path)
  assert (tmp_path / 'g-cache').exists() and not (tmp_path / 'h-cache').exists()
  programs.drop_torn(tmp_path / 'nowhere')
