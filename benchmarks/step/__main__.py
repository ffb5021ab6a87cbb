"""Measures the four side by side: one after the other, over and over."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.step import task

ROOT = pathlib.Path(__file__).parents[2]
TURN = 1.0  # seconds of steps, at least one, that a contestant has at a time


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    '--peers', default='.venv-bench/bin/python', help='their Python'
  )
  parser.add_argument('--repeats', type=int, default=9, help='turns of each')
  parser.add_argument('--out', type=pathlib.Path, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    np.savez(file, **task.make())
    workers, facts = {}, {}
    for name, python, module in (
      ('ours', sys.executable, 'ours'),
      ('keras', args.peers, 'keras_step'),
      ('pytorch', args.peers, 'pytorch'),
      ('flax', sys.executable, 'plain_flax'),
    ):
      workers[name] = start(name, python, module, file)
      facts[name] = answer(name, workers[name])
      print(f'{name}: {json.dumps(facts[name])}', flush=True)
    same(facts)
    samples = measure(workers, facts, args.repeats)
  write(args.out, load, facts, samples)


def start(name, python, module, file):
  """A process that waits for its turns; no GPU, for the peers use none."""
  environment = {**os.environ, 'JAX_PLATFORMS': 'cpu'}
  try:
    return subprocess.Popen(
      [python, '-m', f'benchmarks.step.{module}', str(file)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      cwd=ROOT,
      env=environment,
    )
  except FileNotFoundError:
    sys.exit(
      f'error: {python}, the Python of {name}, is not there: `make bench-step` '
      'sets it up, or name another one with --peers'
    )


def answer(name, worker):
  """The next answer of a contestant."""
  for line in worker.stdout:
    if line.startswith(task.ANSWER):
      return json.loads(line.removeprefix(task.ANSWER))
    print(f'{name} says: {line.rstrip()}', file=sys.stderr)
  sys.exit(f'error: {name} has stopped; see what it said above')


def same(facts):
  """All are one network: equal loss and gradient, and losses as they train.

  Rounding grows from step to step, the more so in a network with maxima.
  """
  loss, later, norm = (
    [pick(one) for one in facts.values()]
    for pick in (
      lambda one: one['losses'][0],
      lambda one: one['losses'][1:],
      lambda one: one['gradient_norm'],
    )
  )
  for what, values, tolerance in (
    ('loss', loss, 1e-5),
    ('gradient norm', norm, 1e-4),
    ('later losses', later, 1e-3),
  ):
    if not np.allclose(values, values[0], rtol=tolerance, atol=0):
      sys.exit(f'error: the networks differ in their {what}: {values}')


def measure(workers, facts, repeats):
  """Seconds of a step, the contestants in turn."""
  samples = {name: [] for name in workers}
  for _ in range(repeats):
    for name, worker in workers.items():
      time.sleep(0.2)  # for the threads of the one before to fall asleep
      steps = max(1, round(TURN / facts[name]['seconds']))
      worker.stdin.write(f'{steps}\n')
      worker.stdin.flush()
      samples[name].append(answer(name, worker))
  for worker in workers.values():
    worker.stdin.close()
    worker.wait()
  return samples


def write(out, load, facts, samples):
  """The file of the results, a table, and the medians as the last line."""
  medians = {name: statistics.median(s) for name, s in samples.items()}
  today, chip = datetime.date.today().isoformat(), processor()
  result = {
    'command': ' '.join(['python -m benchmarks.step', *sys.argv[1:]]),
    'date': today,
    'processor': chip,
    'cores': task.cores(),
    'load': {'before': load, 'after': os.getloadavg()[0]},
    'python': platform.python_version(),
    'contestants': facts,
    'median_seconds': medians,
    'ratio_to_ours': {n: s / medians['ours'] for n, s in medians.items()},
    'samples': samples,
  }
  out = out or free_name(f'step-{today}-{chip}')
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(result, indent=1) + '\n')
  for name, ratio in result['ratio_to_ours'].items():
    print(f'{name:8s} {medians[name]:.4f} s  {ratio:6.2f} x ours')
  print(f'written: {out}')
  print(json.dumps({name: round(s, 5) for name, s in medians.items()}))


def processor():
  for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.machine()


def free_name(name):
  """A file of benchmarks/results that no earlier measurement has."""
  name = '-'.join(''.join(c if c.isalnum() else ' ' for c in name).split())
  folder = ROOT / 'benchmarks' / 'results'
  names = [name, *(f'{name}-{i}' for i in range(2, 1000))]
  return next(
    file for n in names if not (file := folder / f'{n}.json').exists()
  )


if __name__ == '__main__':
  main()
