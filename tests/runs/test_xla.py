"""How jax is set up: a device for each core, unless the user says otherwise."""

import json
import os
import subprocess
import sys

CORES = len(os.sched_getaffinity(0))
# jax is imported once, reads XLA_FLAGS when it starts, and starts in forks.
CODE = """
import json, os, sys
from mefnet_jax.runs import xla
import jax
for case in json.loads(sys.argv[1]):
  child = os.fork()
  if child:
    assert os.waitpid(child, 0)[1] == 0, case
    continue
  os.environ['XLA_FLAGS'] = case['flags']
  if case['started']:
    jax.devices()
  xla.tune_cpu()
  print(jax.device_count(), flush=True)
  os._exit(0)
"""


def counted(*cases, **variables):
  """How many devices there are, by case."""
  said = subprocess.run(
    [sys.executable, '-W', 'ignore', '-c', CODE, json.dumps(cases)],
    env={**os.environ, 'JAX_PLATFORMS': 'cpu', **variables},
    capture_output=True,
    text=True,
    check=False,
  )
  assert said.returncode == 0, said.stderr
  return [int(count) for count in said.stdout.split()]


def test_each_core_is_a_device_unless_told_otherwise():
  five = '--xla_force_host_platform_device_count=5'
  assert counted(
    {'flags': '', 'started': False},
    {'flags': five, 'started': False},
    {'flags': '', 'started': True},  # too late, and no error
  ) == [min(64, CORES), 5, 1]
  plain = {'flags': '', 'started': False}
  assert counted(plain, JAX_NUM_CPU_DEVICES='3') == [3]
