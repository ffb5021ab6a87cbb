"""A variable that cannot be read is one line, however early it is read."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from mefnet_jax.runs import early_errors, errors, xla_flags

ROOT = pathlib.Path(__file__).parents[2]


WRONG = {'JAX_ENABLE_X64': 'maybe', 'JAX_NUM_CPU_DEVICES': 'x'}
PACKAGES = ('mefnet_jax', 'experiments', 'benchmarks')


def run(*words):
  return subprocess.run(
    [sys.executable, '-m', *words],
    cwd=ROOT,
    env={**os.environ, **WRONG},
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.parametrize(
  'module',
  [
    'experiments.zero',
    pytest.param('benchmarks.step.ours', marks=pytest.mark.slow),
    'mefnet_jax.audit',
  ],
)
def test_a_variable_that_jax_cannot_read_is_one_line(module, tmp_path):
  """The first two import jax above their command, the last within it."""
  done = run(module, *['--predictions=nowhere'] * (module[:3] == 'mef'))
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ')


def test_each_package_with_a_command_begins_with_the_hook():
  """`python -m` imports a package before its module."""
  for path in ROOT.rglob('*.py'):
    room = path.relative_to(ROOT).parts[0]
    if room in PACKAGES and "__name__ == '__main__'" in path.read_text():
      text = (ROOT / room / '__init__.py').read_text()
      assert (
        '\nimport mefnet_jax' in text or '\nearly_errors.begin()' in text
      ), room


def test_a_library_keeps_the_hook_of_its_user():
  code = 'import mefnet_jax, sys; print(sys.excepthook is sys.__excepthook__)'
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert done.stdout == 'True\n', done.stderr


def test_a_command_draws_into_files_whatever_matplotlib_is_told(monkeypatch):
  """It would end in a traceback after the training, in the first figure."""
  monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
  for argv, wanted in ((['-m', 'x'], 'agg'), (['-c'], 'junk')):
    monkeypatch.setenv('MPLBACKEND', 'junk')
    monkeypatch.setattr(sys, 'argv', argv)
    early_errors.begin()
    assert os.environ['MPLBACKEND'] == wanted


@pytest.mark.slow
def test_no_command_ends_in_a_traceback_before_it_begins(tmp_path):
  """Every `python -m` of the tree, with variables that jax cannot read."""
  done = run('tests.fixtures.started', str(tmp_path))
  assert done.returncode == 0, done.stderr
  statuses = json.loads((tmp_path / 'statuses.json').read_text())
  for name, status in statuses.items():
    said = (tmp_path / f'{name}.err').read_text().splitlines()
    assert (status, len(said)) in ((0, 0), (1, 1)), (name, status, said[-9:])
    if status:
      assert said[0].startswith('error: '), (name, said)
      assert any(v.lower() in said[0].lower() for v in WRONG), (name, said)
    else:
      assert (tmp_path / f'{name}.out').read_text(), name
  assert len(statuses) >= 50 and sum(statuses.values()) >= 20


@pytest.mark.parametrize(
  ('given', 'said'),
  [
    ('--nonsense', '--nonsense'),
    ('nonsense', 'Could not open file'),
    ('--xla_force_host_platform_device_count=abc', 'interpret value abc'),
  ],
)
def test_flags_that_xla_cannot_read_are_one_line(given, said, monkeypatch):
  """XLA itself would end the process with an abort."""
  monkeypatch.setenv('XLA_FLAGS', given)
  with pytest.raises(errors.UserError, match=said) as caught:
    xla_flags.check()
  assert str(caught.value).startswith(f'XLA_FLAGS={given}: ')


@pytest.mark.parametrize(
  'given',
  ['', ' --xla_force_host_platform_device_count=4', '--xla_dump_to='],
)
def test_flags_that_xla_reads_pass(given, monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', given)
  xla_flags.check()


@pytest.mark.parametrize('count', ['0', '-5'])
def test_no_devices_are_one_line(count, monkeypatch):
  """jax would start, and then accuse JAX_PLATFORMS; -1 is its own default."""
  monkeypatch.setenv('JAX_NUM_CPU_DEVICES', count)
  with pytest.raises(errors.UserError, match=f'DEVICES={count}: at least 1'):
    xla_flags.check()
  monkeypatch.setenv('JAX_NUM_CPU_DEVICES', '-1')
  xla_flags.check()
