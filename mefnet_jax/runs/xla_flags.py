"""XLA_FLAGS and JAX_NUM_CPU_DEVICES, checked before XLA and jax read them.

XLA ends the whole process, without an exception, if it cannot read its flags;
with zero devices, jax later blames JAX_PLATFORMS.
"""

import functools
import os
import re
import subprocess
import sys

from mefnet_jax.runs import errors

# Flags that are checked without a process: those that we set, or that the
# documentation names.
_KNOWN = re.compile(
  r'--xla_force_host_platform_device_count=[1-9]\d{0,2}'
  r'|--xla_(gpu_deterministic_ops|cpu_use_fusion_emitters)=(true|false)'
  r'|--xla_cpu_experimental_ynn_fusion_type='
)
_READ = 'from jaxlib import xla_client; xla_client.make_cpu_client()'
_WRONG = re.compile(
  r"^[EF]\d.*\] (.*XLA_FLAGS: .*|.*XLA_FLAGS\".*|Couldn't interpret.*)$", re.M
)


def check() -> None:
  """Checks the two environment variables.

  Raises:
    errors.UserError: XLA cannot read its flags, or there would be no device.
  """
  devices = os.environ.get('JAX_NUM_CPU_DEVICES', '')
  if re.fullmatch(r'\s*(0+|-\d+)\s*', devices) and int(devices) != -1:
    raise errors.UserError(
      f'JAX_NUM_CPU_DEVICES={devices}: at least 1: mend or unset it'
    )
  given = os.environ.get('XLA_FLAGS', '')
  if all(_KNOWN.fullmatch(flag) for flag in given.split()):
    return
  if why := _why_unreadable(given):
    raise errors.UserError(f'XLA_FLAGS={given}: {why}: mend or unset it')


@functools.cache
def _why_unreadable(given):
  """XLA's error message about its flags; '' if it accepts them."""
  done = subprocess.run(
    [sys.executable, '-c', _READ],
    env={**os.environ, 'XLA_FLAGS': given},
    capture_output=True,
    text=True,
    errors='replace',
    check=False,
  )
  message = _WRONG.search(done.stderr)
  return message[1] if done.returncode and message else ''
