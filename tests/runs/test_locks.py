"""A lock says what keeps it from being one, and harms no file."""

import errno
import os

import pytest

from mefnet_jax.runs import cache, errors, locks, workdirs


def test_a_second_holder_is_told(tmp_path):
  with locks.hold(tmp_path / 'l', wait=False) as first:
    with locks.hold(tmp_path / 'l', wait=False) as second:
      assert first and not second
  with locks.hold(tmp_path / 'l', wait=False) as again:
    assert again


def test_a_lock_empties_no_file(tmp_path):
  (tmp_path / '.lock').write_text('mine')
  with workdirs.locked(tmp_path):
    pass
  assert (tmp_path / '.lock').read_text() == 'mine'


@pytest.mark.parametrize('there', [True, False])
def test_a_lock_that_is_a_link_is_refused(tmp_path, there):
  target = tmp_path / 'thesis.txt'
  if there:
    target.write_text('three years of work')
  (tmp_path / 'w').mkdir()
  (tmp_path / 'w' / '.lock').symlink_to(target)
  for lock in (
    workdirs.locked(tmp_path / 'w'),
    cache.lock(tmp_path / 'w' / '.lock'),
  ):
    with pytest.raises(errors.UserError, match='.lock is a link.*delete it'):
      with lock:
        pass
  assert target.exists() == there
  assert not there or target.read_text() == 'three years of work'


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_a_lock_that_is_no_file_is_one_line(tmp_path, make):
  make(tmp_path / '.lock')
  with pytest.raises(errors.UserError, match=str(tmp_path)):
    with workdirs.locked(tmp_path):
      pass


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_not_another_run(tmp_path, monkeypatch, number):
  def refuse(file, how):
    raise OSError(number, os.strerror(number))

  monkeypatch.setattr(locks.fcntl, 'flock', refuse)
  with pytest.raises(errors.UserError) as said:
    with workdirs.locked(tmp_path):
      pass
  assert 'this file system does not support locks' in str(said.value)
  assert 'another run' not in str(said.value)


@pytest.mark.parametrize('below', ['', 'run'])
def test_a_file_where_the_workdir_should_be_is_said_as_such(tmp_path, below):
  file = tmp_path / 'w'
  file.write_text('a file')
  with pytest.raises(errors.UserError) as said:
    with workdirs.locked(file / below):
      pass
  assert f'{file} stands where a folder should be' in str(said.value)
  assert 'free some' not in str(said.value)
  assert file.read_text() == 'a file'


@pytest.mark.parametrize('there', ['', 'config.json', 'notes.txt'])
def test_a_mistake_leaves_the_folder_as_it_was(tmp_path, there):
  workdir = tmp_path / 'a' / 'b'
  if there:
    workdir.mkdir(parents=True)
    (workdir / there).write_text('mine')
  before = sorted(tmp_path.rglob('*'))
  with pytest.raises(errors.UserError, match='no such folder'):
    with workdirs.locked(workdir):
      if there != 'config.json':
        (workdir / 'config.json').write_text('{}')
      raise errors.UserError('no such folder')
  assert sorted(tmp_path.rglob('*')) == before


def test_a_mistake_removes_no_work(tmp_path):
  with pytest.raises(errors.UserError):
    with workdirs.locked(tmp_path / 'w'):
      (tmp_path / 'w' / 'config.json').write_text('{}')
      (tmp_path / 'w' / 'checkpoints').mkdir()
      raise errors.UserError('the disk is full')
  names = {p.name for p in (tmp_path / 'w').iterdir()}
  assert names == {'config.json', '.lock', 'checkpoints'}


def test_a_lock_that_its_holder_removed_is_taken_anew(tmp_path):
  """Else two processes would each hold a lock, one of them on no file."""
  path = tmp_path / '.lock'
  old = os.open(path, os.O_RDWR | os.O_CREAT)
  opened = locks._opened
  given = iter([old])
  patch = pytest.MonkeyPatch()
  with patch.context() as patched:
    patched.setattr(locks, '_opened', lambda p: next(given, None) or opened(p))
    path.unlink()
    with locks.hold(path, wait=False) as alone:
      assert alone and path.exists()
      with locks.hold(path, wait=False) as second:
        assert not second
