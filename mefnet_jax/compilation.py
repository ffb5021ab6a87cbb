"""Compiled programs are kept, so that a second start trains in seconds."""

import os

import jax

from mefnet_jax.datasets import cache


def prepare():
  """Keeps compiled programs in the cache folder; asks for repeatable ones."""
  flags = os.environ.get('XLA_FLAGS', '')
  if 'xla_gpu_deterministic_ops' not in flags and _has_gpu():
    os.environ['XLA_FLAGS'] = f'{flags} --xla_gpu_deterministic_ops=true'
  jax.config.update('jax_compilation_cache_dir', str(cache.root() / 'xla'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def _has_gpu():
  """Looked for without starting jax, which reads XLA_FLAGS once."""
  return os.path.exists('/proc/driver/nvidia') or os.path.exists(
    '/dev/nvidiactl'
  )
