"""Configures XLA: compilation cache, determinism, CPU devices and memory."""

import contextlib
import ctypes
import os
import pathlib
import sys
from collections.abc import Iterator

import jax

from mefnet_jax.runs import environment, programs

_MOST_DEVICES = 64  # each holds the clips
# Settings of jax's numbers, which environment variables must not change.
_NUMBERS = {
  'jax_enable_x64': False,
  'jax_default_prng_impl': 'threefry2x32',
  'jax_threefry_partitionable': True,
  'jax_default_matmul_precision': None,
  'jax_numpy_dtype_promotion': 'standard',
  'jax_random_seed_offset': 0,
  'jax_disable_jit': False,
  # A loss that is not finite is a finding of a run, not an exception.
  'jax_debug_nans': False,
  'jax_debug_infs': False,
  # The guard would end a training at its first printed number.
  'jax_transfer_guard': 'allow',
}


def prepare(*, deterministic: bool = True) -> None:
  """Configures jax for training; must be called before jax starts.

  Compiled programs are kept in the cache folder, so that a second start trains
  within seconds.

  Args:
    deterministic: whether a GPU must give the same bits in each run.
  """
  tune_cpu()
  # Variables such as JAX_ENABLE_X64=1 or JAX_DEFAULT_PRNG_IMPL=rbg would change
  # the numbers, and no report would mention it.
  for name, value in _NUMBERS.items():
    jax.config.update(name, value)
  flags = os.environ.get('XLA_FLAGS', '')
  chosen = 'xla_gpu_deterministic_ops' in flags
  if deterministic and not chosen and _has_gpu():
    os.environ['XLA_FLAGS'] = f'{flags} --xla_gpu_deterministic_ops=true'
  _keep_programs()
  # By default jax keeps only programs that took a second to compile; many small
  # ones add up.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.03)


def tune_cpu() -> None:
  """Applies the settings that speed up training on a CPU, before jax starts."""
  _keep_memory()
  _use_cores_as_devices()


def _use_cores_as_devices():
  """Makes each core of a CPU a device, for folds or half-batches.

  A kernel runs on one core, and while one device waits for memory the others
  compute. On two cores this takes 10 to 20 % less time than one device that
  spreads its operations over them. `training.parallel` chooses how many are
  used. The user's JAX_NUM_CPU_DEVICES or XLA_FLAGS take precedence.
  """
  chosen = 'host_platform_device_count' in os.environ.get('XLA_FLAGS', '')
  devices = jax.config.jax_num_cpu_devices  # type: ignore[attr-defined]
  if chosen or devices != -1:
    return
  with contextlib.suppress(RuntimeError):  # jax has started already
    count = min(_MOST_DEVICES, environment.cores())
    jax.config.update('jax_num_cpu_devices', count)


def _keep_memory():
  """Makes the process keep the memory that a step frees, for the next step.

  By default glibc returns large blocks to the system, which clears them page by
  page when they are allocated again: a sixth of the base network's step on a
  CPU. With these settings no block gets a mapping of its own and the heap never
  shrinks. Does nothing without glibc.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (AttributeError, OSError, TypeError):
    return
  m_trim_threshold, m_mmap_max, m_arena_max, never = -1, -4, -8, -1
  mallopt(m_mmap_max, 0)
  mallopt(m_trim_threshold, never)
  mallopt(m_arena_max, 1)


def _keep_programs():
  """Makes jax cache its programs, if there is a private folder for them."""
  folder, why_not = programs.folder('xla')
  jax.config.update('jax_compilation_cache_dir', folder and str(folder))
  if folder:
    programs.drop_torn(folder)
  if why_not:
    print(f'compiled programs are not kept: {why_not}', file=sys.stderr)


def _has_gpu():
  """Whether there is an NVIDIA GPU.

  Asking jax would start it, and XLA reads XLA_FLAGS only at its start.
  """
  return os.path.exists('/proc/driver/nvidia') or os.path.exists(
    '/dev/nvidiactl'
  )


@contextlib.contextmanager
def profiled(workdir: pathlib.Path, enabled: bool) -> Iterator[None]:
  """Writes a trace of the code in its context to workdir/profile.

  Args:
    workdir: the run's folder.
    enabled: whether to write a trace at all.
  """
  if not enabled:
    yield
    return
  with jax.profiler.trace(str(workdir / 'profile')):
    yield
