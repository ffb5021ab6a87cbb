"""Compiled programs are kept, so that a second start trains in seconds."""

import contextlib
import ctypes
import hashlib
import os
import pathlib

import jax

from mefnet_jax.runs import cache, environment


def prepare(*, deterministic: bool = True):
  """Keeps compiled programs in the cache folder; asks for repeatable ones.

  Args:
    deterministic: on a GPU no operation may add in an order of its own.
  """
  tune_cpu()
  flags = os.environ.get('XLA_FLAGS', '')
  chosen = 'xla_gpu_deterministic_ops' in flags
  if deterministic and not chosen and _has_gpu():
    os.environ['XLA_FLAGS'] = f'{flags} --xla_gpu_deterministic_ops=true'
  jax.config.update('jax_compilation_cache_dir', str(cache.root() / 'xla'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.03)


def tune_cpu():
  """What makes training on a CPU faster; before jax starts."""
  _keep_memory()
  _use_two_devices()
  keep_kernels()


def _use_two_devices():
  """Two devices on a CPU of several cores: each its folds, or half a batch.

  While one waits or adds up the other one multiplies: a tenth to a fifth less
  time than one device whose operations are spread over the cores. What the
  user has set, with JAX_NUM_CPU_DEVICES or XLA_FLAGS, stays.
  """
  chosen = 'host_platform_device_count' in os.environ.get('XLA_FLAGS', '')
  if chosen or jax.config.jax_num_cpu_devices != -1:
    return
  with contextlib.suppress(RuntimeError):  # jax has started already
    jax.config.update('jax_num_cpu_devices', min(2, environment.cores()))


def _keep_memory():
  """Lets the process keep the memory that a step frees, for the next step.

  By default glibc gives large blocks back at once, and the kernel clears
  them again page by page: a sixth of the base network's step on CPU. Now
  no block is mapped for itself, however large, and the heap never shrinks.
  Elsewhere than on glibc it does nothing.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (AttributeError, OSError, TypeError):
    return
  m_trim_threshold, m_mmap_max, m_arena_max, never = -1, -4, -8, -1
  mallopt(m_mmap_max, 0)
  mallopt(m_trim_threshold, never)
  mallopt(m_arena_max, 1)


def keep_kernels():
  """Has Numba keep what it compiles of `ops`, for exactly these files.

  It would go by one file at a time, and a kernel is compiled into others. If
  the folder cannot be made, each process compiles for itself.
  """
  files = sorted((pathlib.Path(__file__).parents[1] / 'ops').glob('*.py'))
  digest = hashlib.sha256(b''.join(f.read_bytes() for f in files)).hexdigest()
  chosen = os.environ.get('NUMBA_CACHE_DIR') or cache.root() / 'numba'
  folder = pathlib.Path(chosen)
  if folder.name != digest[:16]:
    folder /= digest[:16]
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:
    os.environ.pop('NUMBA_CACHE_DIR', None)
  else:
    os.environ['NUMBA_CACHE_DIR'] = str(folder)


def _has_gpu():
  """Looked for without starting jax, which reads XLA_FLAGS once."""
  return os.path.exists('/proc/driver/nvidia') or os.path.exists(
    '/dev/nvidiactl'
  )


@contextlib.contextmanager
def profiled(workdir: pathlib.Path, wanted: bool):
  """Writes a trace of what runs inside to workdir/profile, if wanted."""
  if not wanted:
    yield
    return
  with jax.profiler.trace(str(workdir / 'profile')):
    yield
