"""Two devices, no silent rank promotion, and a cache of its own."""

import gc
import importlib.metadata
import itertools
import os
import pathlib
import tempfile

# Commands that tests start read each other's bytecode, whatever is set here.
os.environ.pop('PYTHONDONTWRITEBYTECODE', None)
os.environ['MEFNET_CACHE'] = tempfile.mkdtemp(prefix='mefnet-tests-')
_KEPT = pathlib.Path(__file__).parents[1] / '.pytest_cache' / 'numba'
os.environ.setdefault('NUMBA_CACHE_DIR', str(_KEPT))
# Compile sooner: without optimizations, without the emitters that take twice
# the time for the same operations, and each program in one piece, since all
# processors are busy with tests; jaxlib ends at a flag it lacks.
os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = '1'
if importlib.metadata.version('jaxlib').startswith('0.10.'):
  flags = os.environ.get('XLA_FLAGS', '')
  flags += ' --xla_cpu_use_fusion_emitters=false'
  flags += ' --xla_cpu_parallel_codegen_split_count=1'
  os.environ['XLA_FLAGS'] = flags

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

pytest.register_assert_rewrite('tests.fixtures')

from absl import logging  # noqa: E402

from configs import base  # noqa: E402
from tests.fixtures.commands import whole_run  # noqa: E402, F401
from tests.fixtures.explained import tiny_run  # noqa: E402, F401
from tests.fixtures.recorded import smile  # noqa: E402, F401
from tests.fixtures.releases import rendered, tiny_smic  # noqa: E402, F401

# Equal programs of several tests are compiled once, where commands keep them.
jax.config.update(
  'jax_compilation_cache_dir', os.path.join(os.environ['MEFNET_CACHE'], 'xla')
)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.01)
_MODULES = itertools.count(1)
gc.set_threshold(50_000, 20, 50)  # tracing makes many objects, few cycles
jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')


# What takes longest is begun first, so that no worker is left with it when the
# others are done. The first file compiles the kernels; the second and the
# fourth, which the next worker gets, need none.
_FIRST = (
  'ops/test_cpu.py',
  'models/test_layers.py',
  'models/test_networks.py',
  'training/test_cross_validation.py',
  'training/test_synthetic_model.py',
  'explain/test_main.py',
  'predict/test_export.py',
  'predict/test_main.py',
  'test_main.py',
  'runs/test_multihost.py',
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


@pytest.fixture(autouse=True)
def what_is_logged_stays():
  """A command that a test runs in this process logs errors only."""
  verbosity = logging.get_verbosity()
  yield
  logging.set_verbosity(verbosity)


@pytest.fixture(autouse=True, scope='module')
def programs_are_forgotten():
  """After some modules: thousands of them exhaust a process's memory maps."""
  yield
  if next(_MODULES) % 10 == 0:  # each time all must be traced anew
    jax.clear_caches()


@pytest.fixture
def small():
  """A config whose training takes a second: 9 frames, 12 pixels, 2 epochs."""
  config = base.get_config()
  config.dataset.update(frames=9, face=16, eyes=12, mouth=12)
  config.model.update(filters=4, kernel=(5, 3, 3), hidden=(8,))
  config.train.update(epochs=2, batch_size=8, evaluate_every=1)
  config.protocol.folds = 3
  return config


@pytest.fixture
def clips():
  """Random clips of the small config: 14 of 5 subjects, 3 classes."""
  random = np.random.default_rng(0)

  def stream(size):
    return random.integers(0, 256, (14, 9, size, size, 1), np.uint8)

  return {
    'face': stream(16),
    'eyes': stream(12),
    'mouth': stream(12),
    'label': np.arange(14, dtype=np.int32) % 3,
  }
