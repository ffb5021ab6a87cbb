"""The environment of a run: processor, devices, versions and command line."""

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
  """Returns the processor's name, or the architecture if it is unknown."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    lines = []
  for line in lines:
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.processor() or platform.machine()


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
