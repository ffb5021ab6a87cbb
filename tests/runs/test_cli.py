"""What every command says of a disk, or of a config that is not there."""

import ctypes
import errno
import os
import signal
import subprocess
import sys

import pytest

from mefnet_jax.runs import cli, config_flag, errors, stopping
from tests.fixtures import forked


def test_help_that_nobody_reads_to_its_end_leaves_no_traceback():
  reader, writer = os.pipe()
  os.close(reader)
  try:
    done = subprocess.run(
      [sys.executable, '-m', 'mefnet_jax.main', '--help'],
      stdout=writer,
      stderr=subprocess.PIPE,
      text=True,
    )
  finally:
    os.close(writer)
  assert done.returncode == 1 and not done.stderr


@pytest.mark.parametrize(
  ('number', 'words'),
  [
    (errno.ENOSPC, ['w/report.json', 'free some', 'same command']),
    (errno.EACCES, ['w/report.json', 'another file or folder']),
  ],
)
def test_what_the_disk_says_is_one_line(monkeypatch, capsys, number, words):
  def main():
    raise OSError(number, 'says the disk', 'w/report.json')

  monkeypatch.setattr(sys, 'argv', ['command'])
  with pytest.raises(SystemExit) as left:
    cli.run(main)
  assert left.value.code == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: ') and all(word in line for word in words)


def test_a_picture_that_opencv_could_not_write_is_one_line(capsys):
  def main():
    raise OSError('a/b.jpg cannot be written.')

  assert cli.status(main) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: a/b.jpg cannot be written.')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_does_not_look_for_it(number):
  """The preparation of an hour ends at once; an epoch is finished first."""
  with stopping.signals() as stop:
    stop.patient = True
    signal.raise_signal(number)
    assert stop.is_set()
  with pytest.raises(errors.Stopped), stopping.signals():
    try:
      signal.raise_signal(number)
    except Exception:  # such as that of one odd clip
      pytest.fail('went on')


def test_a_variant_of_a_config_that_has_none_is_named():
  said = 'get_config() takes 0 positional arguments but 1 was given'
  text = config_flag.explain(TypeError(f'--config=m.py:big: {said}'))
  assert text.startswith('--config=m.py:big: this config has no variant')


@pytest.mark.parametrize(
  'error', [OSError('no file'), KeyError('name'), RuntimeError('of ours')]
)
def test_our_own_mistakes_keep_their_traceback(monkeypatch, error):
  """They are not the user's, and one line would not tell where to look."""

  def main():
    raise error

  monkeypatch.setattr(sys, 'argv', ['command'])
  with pytest.raises(type(error), match=str(error.args[0])):
    cli.run(main)


@pytest.mark.parametrize('module', ['models', 'datasets.prepare'])
def test_a_missing_config_is_one_line(module):
  done = forked.run(f'mefnet_jax.{module}', ['--config=configs/no.py'])
  assert done.returncode == 1
  assert done.stderr.startswith('error: --config=configs/no.py')
  assert len(done.stderr.splitlines()) == 1


def test_a_stop_that_a_callback_lost_is_still_one():
  """Numba's callbacks cannot raise, and it then fails for another reason."""
  callback = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGTERM))
  with pytest.raises(errors.Stopped), stopping.signals():
    callback()
    raise RuntimeError('no compiled object yet')


def test_sigterm_cleans_up_as_ctrl_c_does():
  before = signal.getsignal(signal.SIGTERM)
  with pytest.raises(KeyboardInterrupt), stopping.as_interrupts():
    signal.raise_signal(signal.SIGTERM)
  assert signal.getsignal(signal.SIGTERM) is before


_CLOSED = """
import os, signal, sys
from mefnet_jax.runs import stopping
try:
  with stopping.as_interrupts():
    signal.raise_signal(signal.SIGHUP)
    print('still here')
finally:
  print('to nobody', flush=True)
  os._exit(7)
"""


@pytest.mark.parametrize('ignored', [False, True], ids=['closed', 'nohup'])
def test_a_closed_terminal_ends_it_and_is_not_written_to(ignored):
  # The tests themselves may have been started by nohup.
  first = 'import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n'
  code = _CLOSED if ignored else first + _CLOSED
  done = subprocess.run(
    [*['nohup'] * ignored, sys.executable, '-c', code],
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 7
  assert done.stdout == ('still here\nto nobody\n' if ignored else '')
