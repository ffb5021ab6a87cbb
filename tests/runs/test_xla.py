"""How jax is set up: two devices of a CPU, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

COUNT = """
from mefnet_jax.runs import xla
xla.tune_cpu()
import jax
print(jax.device_count())
"""


@pytest.mark.parametrize(
  ('given', 'devices'),
  [
    ({}, min(2, len(os.sched_getaffinity(0)))),
    ({'JAX_NUM_CPU_DEVICES': '3'}, 3),
    ({'XLA_FLAGS': '--xla_force_host_platform_device_count=5'}, 5),
  ],
)
def test_a_cpu_of_several_cores_is_two_devices(given, devices):
  said = subprocess.run(
    [sys.executable, '-c', COUNT],
    env={**os.environ, 'JAX_PLATFORMS': 'cpu', **given},
    capture_output=True,
    text=True,
    check=True,
  )
  assert int(said.stdout) == devices


def test_it_may_be_asked_for_when_jax_has_started():
  code = f'import jax; jax.devices(){COUNT}'
  subprocess.run([sys.executable, '-c', code], check=True)
