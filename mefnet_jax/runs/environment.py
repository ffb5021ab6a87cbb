"""The environment of a run: processor, devices, versions and command line."""

import os
import pathlib
import platform
import shlex
import subprocess
import sys
from importlib import metadata

# Variables that affect instructions or the order of sums.
_COMPILERS = (
  'NUMBA_CPU_NAME',
  'NUMBA_CPU_FEATURES',
  'NUMBA_OPT',
  'NUMBA_LOOP_VECTORIZE',
  'NUMBA_SLP_VECTORIZE',
  'XLA_FLAGS',
  'JAX_NUM_CPU_DEVICES',
)
_VERSIONS = (
  'mefnet_jax',
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'tensorflow-datasets',
  'numpy',
  'numba',
  'opencv-python',
  'dlib-bin',
)


def processor() -> str:
  """Returns the processor's name, or the architecture if it is unknown."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    lines = []
  for line in lines:
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.processor() or platform.machine()


def vector_bits() -> int:
  """Returns the width of the processor's vectors in bits; 0 if unknown."""
  try:
    text = pathlib.Path('/proc/cpuinfo').read_text()
  except OSError:
    return 0
  words = set(text.split())
  widths = {'avx512f': 512, 'avx2': 256, 'sse2': 128, 'asimd': 128}
  return next((bits for name, bits in widths.items() if name in words), 0)


def compiled_for() -> str:
  """Returns the processor that kernels and programs are compiled for.

  Variables of the environment that change it, and so the last digits of
  results, are appended. '' if there is neither Numba nor such a variable.
  """
  try:
    from llvmlite import binding  # a part of Numba, which may be missing

    words = [binding.get_host_cpu_name()]
  except ImportError:
    words = []
  for name in _COMPILERS:
    if value := ' '.join(os.environ.get(name, '').split()):
      words.append(f'{name}={value}')
  return ' '.join(words)


def code() -> dict[str, str | bool]:
  """Returns the git commit of this code and whether it was changed since.

  Returns:
    {'commit': ..., 'changed': ...}; {} for an installed package, which lies in
    no repository.
  """
  folder = pathlib.Path(__file__).resolve().parents[2]
  if not (folder / '.git').exists():
    return {}
  commit = _git(folder, 'rev-parse', 'HEAD')
  changes = _git(folder, 'status', '--porcelain', '--', 'mefnet_jax', 'configs')
  if not commit or changes is None:
    return {}
  return {'commit': commit, 'changed': bool(changes)}


def _git(folder, *words):
  """The output of a git command; None if git is missing or fails."""
  try:
    done = subprocess.run(
      ['git', '-C', str(folder), *words],
      capture_output=True,
      text=True,
      timeout=20,
      check=True,
    )
  except (OSError, subprocess.SubprocessError):
    return None
  return done.stdout.strip()


def cores() -> int:
  """Returns the number of CPU cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def devices() -> str:
  """Describes the accelerators that jax uses, or the CPU if there are none."""
  import jax  # imported here because most callers only need `cores`

  found = jax.devices()
  if found[0].platform != 'cpu':
    return f'{len(found)} x {found[0].device_kind}'
  return f'CPU {processor()}, {len(found)} device(s)'


def versions() -> dict[str, str]:
  """Returns the versions of Python and of packages that affect results."""
  found = {'python': platform.python_version()}
  for name in _VERSIONS:
    try:
      found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return found


def command() -> str:
  """Returns the command line of this process, as a user would type it."""
  module = getattr(sys.modules['__main__'], '__spec__', None)
  name = module.name if module else 'mefnet_jax.main'
  return shlex.join(['python', '-m', name, *sys.argv[1:]])
