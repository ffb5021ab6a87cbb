"""Names of files, and what can be done where one cannot be written."""

import ast
import errno
import os
import pathlib
import subprocess
import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mefnet_jax.runs import errors, files, outputs

ROOT = pathlib.Path(__file__).parents[2]
IDS = st.lists(st.text(max_size=300), unique=True, max_size=8)


@settings(max_examples=200, deadline=None)
@given(IDS)
def test_each_id_has_a_flat_name_of_its_own(ids):
  names = files.flat_names(ids)
  assert list(names) == ids
  assert len({name.casefold() for name in names.values()}) == len(ids)
  for name in names.values():
    assert name and not set('/\\\0.\n ') & set(name)
    assert len(f'{name}.png'.encode()) <= 255


def test_a_plain_id_is_its_own_name():
  ids = ['s01_ne_01', 'anger/s1/001', 'a/b', 'a_b']
  named = list(files.flat_names(ids).values())
  assert named[:3] == ['s01_ne_01', 'anger_s1_001', 'a_b']
  assert named[3].startswith('a_b-')


@pytest.mark.parametrize(
  ('number', 'said'),
  [
    (errno.ENOSPC, 'free some space'),
    (errno.EDQUOT, 'free some space'),
    (errno.ENAMETOOLONG, 'shorter name'),
    (errno.EACCES, 'another'),
    (errno.EEXIST, 'stands where a folder should be'),
    (errno.ENOTDIR, 'stands where a folder should be'),
  ],
)
def test_the_mend_fits_the_error(tmp_path, number, said):
  (tmp_path / 'file').write_text('x')
  error = OSError(number, 'as the system says')
  assert said in files.remedy(error, tmp_path / 'file' / 'below', 'another')


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EFBIG])
def test_a_disk_that_fills_is_said_of_the_file(tmp_path, number):
  """A write fails without the file's name; half a file is not left."""
  path = tmp_path / 'report.json'
  path.write_text('old')
  with pytest.raises(OSError) as said, files.aside(path) as temporary:
    temporary.write_text('half')
    raise OSError(number, os.strerror(number))
  assert said.value.filename == str(path)
  assert [p.read_text() for p in tmp_path.iterdir()] == ['old']


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_right_that_lacks_is_said_of_the_file(tmp_path, number):
  with pytest.raises(OSError) as said, files.aside(tmp_path / 'a.csv') as there:
    raise OSError(number, os.strerror(number), str(there))
  assert said.value.filename == str(tmp_path / 'a.csv')


@pytest.mark.parametrize(
  ('flag', 'why'), [(os.ST_RDONLY, 'Read-only'), (0, 'Permission denied')]
)
def test_a_disk_that_is_read_only_is_said_as_such(
  tmp_path, monkeypatch, flag, why
):
  monkeypatch.setattr(os, 'access', lambda *_: False)
  disk = types.SimpleNamespace(f_flag=flag)
  monkeypatch.setattr(os, 'statvfs', lambda _: disk)
  with pytest.raises(errors.UserError, match=why):
    outputs.check(tmp_path / 'out', is_folder=True)


class OfALibrary(OSError):
  """As PyAV's, whose name of a file cannot be set."""

  filename = property(lambda self: None)


def test_the_error_of_a_library_is_said_of_the_file(tmp_path):
  path = tmp_path / 'talk.mp4'
  with pytest.raises(OSError) as said, files.aside(path) as temporary:
    temporary.write_text('half')
    raise OfALibrary(errno.EFBIG, 'as the library says')
  assert (said.value.errno, said.value.filename) == (errno.EFBIG, str(path))
  assert not list(tmp_path.iterdir())


def test_a_file_of_a_folder_that_is_not_whole_is_named_where_it_would_lie(
  tmp_path,
):
  with pytest.raises(OSError) as said, files.aside(tmp_path / 'out') as folder:
    folder.mkdir()
    raise OSError(errno.ENOSPC, 'No space', str(folder / 'a.csv'))
  assert said.value.filename == str(tmp_path / 'out' / 'a.csv')
  assert not list(tmp_path.iterdir())


def test_a_limit_of_sizes_names_file_and_mend(tmp_path):
  code = (
    'import resource, sys\n'
    'from mefnet_jax.runs import cli, files\n'
    'resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n'
    'sys.exit(cli.status(lambda: files.write(sys.argv[1], "x" * 1000)))\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code, str(tmp_path / 'a.csv')],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert 'a.csv: File too large' in line and 'ulimit -f' in line
  assert not list(tmp_path.iterdir())


def test_figures_are_drawn_into_memory_before_they_are_written():
  """On a full disk matplotlib fails in odd ways, and names no file."""
  calls, drawing = 0, []
  for room in ('mefnet_jax', 'experiments', 'benchmarks'):
    for path in (ROOT / room).rglob('*.py'):
      text = path.read_text()
      if 'savefig' not in text and 'encoded' not in text:
        continue  # to read all trees takes seconds
      tree = ast.parse(text)
      buffers = {
        node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.value) == 'io.BytesIO()'
      }
      for node in ast.walk(tree):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ''
        calls += called == 'figure_file.encoded'
        if 'savefig' in called:
          drawing.append(path.relative_to(ROOT).as_posix())
          assert node.args[0].id in buffers, path
  assert drawing == ['mefnet_jax/runs/figure_file.py']
  assert calls > 8
