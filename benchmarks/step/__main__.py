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

import numpy as np

from benchmarks.step import task

RESULTS = pathlib.Path(__file__).parents[1] / 'results'


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    '--peers', default='.venv-bench/bin/python', help='their Python'
  )
  parser.add_argument('--repeats', type=int, default=15)
  parser.add_argument('--out', type=pathlib.Path, help='file of the results')
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    np.savez(file, **task.make())
    workers = {
      name: start(python, module, file)
      for name, python, module in (
        ('ours', sys.executable, 'ours'),
        ('keras', args.peers, 'keras_step'),
        ('pytorch', args.peers, 'pytorch'),
        ('flax', sys.executable, 'plain_flax'),
      )
    }
    facts = {name: ready(name, worker) for name, worker in workers.items()}
    same(facts)
    samples = measure(workers, args.repeats)
  write(args.out, facts, samples)


def start(python, module, file):
  return subprocess.Popen(
    [python, '-m', f'benchmarks.step.{module}', str(file)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )


def ready(name, worker):
  """What a contestant says of itself once it is warm."""
  line = worker.stdout.readline()
  if not line:
    sys.exit(f'error: {name} did not start; see what it said above')
  print(f'{name}: {line.strip()}', flush=True)
  return json.loads(line)


def same(facts):
  """All are one network: equal loss and gradient before the first step."""
  for key in ('loss', 'gradient'):
    values = [one[key] for one in facts.values()]
    if not np.allclose(values, values[0], rtol=1e-3):
      sys.exit(f'error: the networks differ in their {key}: {values}')


def measure(workers, repeats):
  """Seconds of single steps, the contestants in turn."""
  samples = {name: [] for name in workers}
  for _ in range(repeats):
    for name, worker in workers.items():
      worker.stdin.write('step\n')
      worker.stdin.flush()
      samples[name].append(float(worker.stdout.readline()))
  for worker in workers.values():
    worker.stdin.close()
    worker.wait()
  return samples


def write(out, facts, samples):
  """The file of the results, a table, and the medians as the last line."""
  medians = {name: statistics.median(s) for name, s in samples.items()}
  rounds = list(zip(*samples.values(), strict=True))
  ratios = {
    name: statistics.median(r[i] / r[0] for r in rounds)
    for i, name in enumerate(samples)
  }
  today, chip = datetime.date.today().isoformat(), processor()
  result = {
    'command': 'make bench-step',
    'date': today,
    'processor': chip,
    'cores': len(os.sched_getaffinity(0)),
    'load': os.getloadavg()[0],
    'python': platform.python_version(),
    'contestants': facts,
    'median_seconds': medians,
    'median_ratio_to_ours': ratios,
    'samples': samples,
  }
  name = ''.join(c if c.isalnum() else '-' for c in chip).strip('-')
  out = out or RESULTS / f'step-{today}-{name}.json'
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(result, indent=1) + '\n')
  for name in samples:
    print(f'{name:8s} {medians[name]:.4f} s  {ratios[name]:6.2f} x ours')
  print(f'written: {out}')
  print(json.dumps({name: round(s, 5) for name, s in medians.items()}))


def processor():
  for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.machine()


if __name__ == '__main__':
  main()
