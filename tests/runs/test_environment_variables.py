"""Variables of jax change no number, and none ends in a traceback."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from tests.fixtures import forked

ROOT = pathlib.Path(__file__).parents[2]


def run(*words, **variables):
  return subprocess.run(
    [sys.executable, *words],
    cwd=ROOT,
    env={**os.environ, **variables},
    capture_output=True,
    text=True,
    check=False,
  )


def only_line(code, **variables):
  """The line of a program that ends in one, with status 1."""
  done = run('-c', code, **variables)
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  return line


def test_numbers_and_the_backend_stay_as_they_are():
  """Of 32 bits, drawn and multiplied as without the variables; and no guard
  ends a training at its first number, no backend at its figures."""
  plain = forked.run('tests.fixtures.numbers', [])
  changed = run(
    '-m',
    'tests.fixtures.numbers',
    JAX_ENABLE_X64='1',
    JAX_DEFAULT_PRNG_IMPL='rbg',
    JAX_THREEFRY_PARTITIONABLE='0',
    JAX_DEFAULT_MATMUL_PRECISION='bfloat16',
    JAX_NUMPY_DTYPE_PROMOTION='strict',
    JAX_RANDOM_SEED_OFFSET='5',
    JAX_DISABLE_JIT='1',
    JAX_DEBUG_NANS='1',
    JAX_DEBUG_INFS='1',
    JAX_TRANSFER_GUARD='disallow',
    MPLBACKEND='nosuch',
  )
  assert plain.returncode == 0, plain.stderr
  assert changed.stdout == plain.stdout, changed.stderr
  first, *_, last = changed.stdout.splitlines()
  assert (first, last) == ('float32 int32', 'agg [2. 2.]')


@pytest.mark.parametrize(
  ('name', 'value'),
  [
    ('JAX_ENABLE_X64', 'maybe'),
    pytest.param('JAX_NUM_CPU_DEVICES', 'two', marks=pytest.mark.slow),
  ],
)
def test_a_variable_that_jax_cannot_read_is_one_line(name, value):
  code = (
    'import sys\n'
    'from mefnet_jax.runs import cli\n'
    'sys.exit(cli.status(lambda: __import__("jax") and 0))\n'
  )
  line = only_line(code, **{name: value})
  assert line.startswith('error: ') and name.lower() in line.lower()


@pytest.mark.parametrize(
  'name',
  [
    'JAX_PLATFORM_NAME',
    pytest.param('JAX_DEFAULT_DEVICE', marks=pytest.mark.slow),
  ],
)
def test_another_variable_that_asks_for_a_device_is_named(name):
  if importlib.util.find_spec('jax_cuda13_plugin'):
    pytest.skip('there may be one')
  code = (
    'import sys\n'
    'from mefnet_jax.runs import cli\n'
    'def main():\n'
    '  import jax\n'
    '  jax.jit(lambda x: x + 1)(1.0)\n'
    'sys.exit(cli.status(main))\n'
  )
  line = only_line(code, JAX_PLATFORMS='', **{name: 'gpu'})
  assert line.startswith(f'error: {name}=gpu: ')


def test_names_of_files_that_are_not_utf8_are_one_line():
  """A table in UTF-8 would not find its files, and end in a traceback."""
  code = (
    'import sys\n'
    'from mefnet_jax.runs import cli\n'
    'sys.exit(cli.status(lambda: 0))\n'
  )
  ascii_names = {'LC_ALL': 'C', 'PYTHONCOERCECLOCALE': '0'}
  line = only_line(code, **ascii_names, PYTHONUTF8='0')
  assert 'read as ascii' in line and 'PYTHONUTF8=1' in line
  assert run('-c', code, **ascii_names, PYTHONUTF8='1').returncode == 0


@pytest.mark.parametrize(
  'device', [pytest.param('no_such_device', marks=pytest.mark.slow), 'cuda']
)
def test_a_device_that_is_not_here_is_one_line(device):
  """Of a name that jax knows, or not; here no wheel for it is installed."""
  if importlib.util.find_spec('jax_cuda13_plugin'):
    pytest.skip('there is one for cuda')
  code = (
    'import sys\n'
    'from mefnet_jax.runs import cli\n'
    'import jax\n'
    'sys.exit(cli.status(lambda: jax.devices()))\n'
  )
  line = only_line(code, JAX_PLATFORMS=device)
  assert line.startswith(f'error: JAX_PLATFORMS={device}: ')
  assert 'unset it' in line
