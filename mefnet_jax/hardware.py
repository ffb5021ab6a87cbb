"""What this machine is, in words."""

import pathlib
import platform


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
