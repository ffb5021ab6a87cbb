"""Where a run runs: processor, cores, devices, versions, the command itself."""

import os
import pathlib
import platform
import shlex
import sys
from importlib import metadata

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
  """The processor's name, as Linux gives it, or the architecture's."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    lines = []
  for line in lines:
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.processor() or platform.machine()


def cores() -> int:
  """The number of cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def devices() -> str:
  """The accelerators that jax sees, or the processor's name and devices."""
  import jax  # saliency and preparation ask for cores only

  found = jax.devices()
  if found[0].platform != 'cpu':
    return f'{len(found)} x {found[0].device_kind}'
  return f'CPU {processor()}, {len(found)} device(s)'


def versions() -> dict[str, str]:
  """Versions of Python and of the packages that a result depends on."""
  found = {'python': platform.python_version()}
  for name in _VERSIONS:
    try:
      found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return found


def command() -> str:
  """The command that runs: of main, or of an experiment that calls it."""
  module = getattr(sys.modules['__main__'], '__spec__', None)
  name = module.name if module else 'mefnet_jax.main'
  return shlex.join(['python', '-m', name, *sys.argv[1:]])
