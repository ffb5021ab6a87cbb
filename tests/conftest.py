"""A cache of its own, what compiles sooner, and the order of the tests."""

import contextlib
import importlib
import importlib.metadata
import os
import pathlib
import tempfile

import pytest

from mefnet_jax.runs import errors, programs

# Commands that tests start read each other's bytecode, whatever is set here.
os.environ.pop('PYTHONDONTWRITEBYTECODE', None)
# The only thing taken from the user's cache, and left there: compiled kernels,
# which commands read by their digests. They take a minute to make.
_KERNELS = pathlib.Path(__file__).parents[1] / '.pytest_cache' / 'numba'
with contextlib.suppress(errors.UserError):  # there is no home folder
  _KERNELS = programs.folder('numba')[0] or _KERNELS
os.environ.setdefault('NUMBA_CACHE_DIR', str(_KERNELS))
# By one process, as other workers have tests to run meanwhile.
os.environ.setdefault('NUMBA_NUM_THREADS', '1')
os.environ['MEFNET_CACHE'] = tempfile.mkdtemp(prefix='mefnet-tests-')
# Compile sooner: without optimizations, without the emitters that take twice
# the time for the same operations, and each program in one piece, since all
# processors are busy with tests; jaxlib ends at a flag it lacks.
os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = '1'
if importlib.metadata.version('jaxlib').startswith('0.10.'):
  flags = os.environ.get('XLA_FLAGS', '')
  flags += ' --xla_cpu_use_fusion_emitters=false'
  flags += ' --xla_cpu_parallel_codegen_split_count=1'
  os.environ['XLA_FLAGS'] = flags

pytest.register_assert_rewrite('tests.fixtures')

# In a new environment workers that import the same at once compile the same
# bytecode. So every other one begins with what comes last.
if os.environ.get('PYTEST_XDIST_WORKER', '')[-1:] in tuple('13579'):
  for name in (
    *('distributed', 'onnx', 'onnxruntime', 'selenium', 'jupytext', 'nbclient'),
    *('pandas', 'skimage', 'sklearn.linear_model', 'scipy.stats'),
    *('matplotlib.figure', 'av', 'openpyxl', 'numba', 'tensorflow_datasets'),
  ):
    with contextlib.suppress(ImportError):
      importlib.import_module(name)


# What takes longest is begun first, so that no worker is left with it when the
# others are done. The first file compiles the kernels; the second, the fourth
# and the fifth, which the next worker gets, need none. Where processes wait for
# each other (`multihost`, `test_main`) the other worker has work.
_FIRST = (
  'ops/test_cpu.py',
  'models/test_layers.py',
  'models/test_networks.py',
  'saliency/test_saliency.py',
  'predict/test_watch.py',
  'training/test_cross_validation.py',
  'runs/test_multihost.py',
  'training/test_synthetic_model.py',
  'explain/test_main.py',
  'predict/test_export.py',
  'predict/test_main.py',
  'test_main.py',
  'notebooks/test_notebooks.py',
  'test_protocol.py',
)


# After these, rooms whose files take long; of the others many take a second.
_THEN = ('training', 'models', 'predict', 'saliency', 'datasets', 'preprocess')


def pytest_collection_modifyitems(items):
  """Puts `_FIRST` and `_THEN` in front; all workers do the same."""
  here = pathlib.Path(__file__).parent
  files = {here / name: i for i, name in enumerate(_FIRST)}
  rooms = {here / name: len(files) + i for i, name in enumerate(_THEN)}
  last = len(files) + len(rooms)
  items.sort(
    key=lambda item: files.get(item.path, rooms.get(item.path.parent, last))
  )


def pytest_configure(config):
  """Imports the fixtures, unless workers do: they would wait for this."""
  if hasattr(config, 'workerinput') or not config.getoption('tx', None):
    config.pluginmanager.import_plugin('tests.fixtures.everywhere')
