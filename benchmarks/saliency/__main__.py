"""Measures the three side by side: one after the other, over and over."""

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

from benchmarks.saliency import task
from benchmarks.step import __main__ as step_main
from benchmarks.step import task as step_task

METHODS = ('integrated_gradients', 'smooth_grad')


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    '--peers', default='.venv-bench/bin/python', help="captum's Python"
  )
  parser.add_argument('--repeats', type=int, default=3, help='turns of each')
  parser.add_argument(
    '--clips', type=int, default=task.CLIPS, help='of this project, a turn'
  )
  parser.add_argument('--pytorch-clips', type=int, default=task.CLIPS)
  parser.add_argument('--flax-clips', type=int, default=task.CLIPS)
  parser.add_argument('--out', type=pathlib.Path, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  counts = {
    'ours': args.clips,
    'pytorch': args.pytorch_clips,
    'flax': args.flax_clips,
  }
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    np.savez(file, **task.make())
    workers, facts = {}, {}
    for name, python, module in (
      ('ours', sys.executable, 'ours'),
      ('pytorch', args.peers, 'pytorch'),
      ('flax', sys.executable, 'plain_flax'),
    ):
      workers[name] = start(name, python, module, file)
      facts[name] = step_main.answer(name, workers[name])
      print(f'{name}: {facts[name]["version"]}', flush=True)
    same(facts)
    samples = measure(workers, counts, args.repeats)
  write(args.out, load, facts, counts, samples)


def start(name, python, module, file):
  """A process that waits for its turns, on the CPU."""
  try:
    return subprocess.Popen(
      [python, '-m', f'benchmarks.saliency.{module}', str(file)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      cwd=step_main.ROOT,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    )
  except FileNotFoundError:
    sys.exit(
      f'error: {python}, the Python of {name}, is not there: `make '
      'bench-saliency` sets it up, or name another one with --peers'
    )


def same(facts):
  """All explain one network by one rule: equal maps of a clip.

  The noise of SmoothGrad differs, so of it only the size must agree.
  """
  first = facts['ours']
  scale = np.abs(first['values']).max()
  for name, one in facts.items():
    if not (
      np.allclose(one['sums'], first['sums'], rtol=1e-3, atol=1e-4)
      and np.allclose(one['values'], first['values'], atol=2e-3 * scale)
      and np.isclose(one['smooth_norm'], first['smooth_norm'], rtol=0.2)
    ):
      sys.exit(f'error: the maps of {name} are not ours: {one} {first}')
  for one in facts.values():
    one['values'] = one['values'][:3]  # enough for the file


def measure(workers, counts, repeats):
  """Seconds a clip, the contestants in turn; the first turn warms up."""
  samples = {m: {name: [] for name in workers} for m in METHODS}
  for turn in range(repeats + 1):
    for method in METHODS:
      for name, worker in workers.items():
        time.sleep(0.2)  # for the threads of the one before to fall asleep
        count = counts[name] if turn or name == 'ours' else 1
        worker.stdin.write(f'{method} {count}\n')
        worker.stdin.flush()
        seconds = step_main.answer(name, worker)
        if turn:
          samples[method][name].append(seconds)
  for worker in workers.values():
    worker.stdin.close()
    worker.wait()
  return samples


def write(out, load, facts, counts, samples):
  """The file of the results, a table, and the medians as the last line."""
  medians = {
    method: {n: task.CLIPS * statistics.median(s) for n, s in by.items()}
    for method, by in samples.items()
  }
  today, chip = datetime.date.today().isoformat(), step_main.processor()
  result = {
    'command': ' '.join(['python -m benchmarks.saliency', *sys.argv[1:]]),
    'date': today,
    'processor': chip,
    'cores': step_task.cores(),
    'load': {'before': load, 'after': os.getloadavg()[0]},
    'python': platform.python_version(),
    'contestants': facts,
    'clips_measured': counts,
    'median_seconds_of_164_clips': medians,
    'ratio_to_ours': {
      method: {n: s / by['ours'] for n, s in by.items()}
      for method, by in medians.items()
    },
    'seconds_a_clip': samples,
  }
  out = out or step_main.free_name(f'saliency-{today}-{chip}')
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(result, indent=1) + '\n')
  for method, by in medians.items():
    for name, seconds in by.items():
      ratio = seconds / by['ours']
      print(f'{method:22s} {name:8s} {seconds:8.2f} s  {ratio:6.1f} x ours')
  print(f'written: {out}')
  print(json.dumps(medians))


if __name__ == '__main__':
  main()
