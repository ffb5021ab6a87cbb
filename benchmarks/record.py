"""Writes results, with the facts of the machine that they were measured on."""

import datetime
import json
import os
import pathlib
import platform
import sys

from mefnet_jax.runs import environment

RESULTS = pathlib.Path(__file__).parent / 'results'


def write(
  name: str,
  result: dict,
  load: float,
  file: pathlib.Path | None = None,
  *,
  device: str = '',
) -> pathlib.Path:
  """Writes a result as JSON; returns the file.

  Args:
    name: name of the benchmark, `python -m benchmarks.NAME`.
    result: the measurements.
    load: load of the machine before the measurement.
    file: the file to write; by default a new one.
    device: name of an accelerator, which becomes part of the file's name.
  """
  today, chip = datetime.date.today().isoformat(), environment.processor()
  facts = {
    'command': ' '.join([f'python -m benchmarks.{name}', *sys.argv[1:]]),
    'date': today,
    'processor': chip,
    'cores': environment.cores(),
    'load': {'before': load, 'after': os.getloadavg()[0]},
    'python': platform.python_version(),
  }
  file = file or _free(f'{name}-{today}-{device or chip}')
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_text(json.dumps(facts | result, indent=1) + '\n')
  print(f'written: {file}')
  return file


def _free(name):
  name = '-'.join(''.join(c if c.isalnum() else ' ' for c in name).split())
  names = [name, *(f'{name}-{i}' for i in range(2, 1000))]
  return next(
    file for n in names if not (file := RESULTS / f'{n}.json').exists()
  )
