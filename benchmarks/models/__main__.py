"""Measures MECNN and MFCNN, 18 and 96 frames, side by side and in turn.

python -m benchmarks.models --peers=.venv-bench/bin/python
python -m benchmarks.models --networks=mecnn --frames=18 --repeats=3
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

from benchmarks.models import task
from benchmarks.step import __main__ as step

CONTESTANTS = {'ours': 'ours', 'keras': 'keras_models', 'pytorch': 'pytorch'}
TURN = 1.0  # seconds of work, at least one call, that a contestant has a turn


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--peers', default='.venv-bench/bin/python')
  parser.add_argument('--networks', default='mecnn,mfcnn')
  parser.add_argument('--frames', default='18,96')
  parser.add_argument('--batch', type=int, default=64)
  parser.add_argument('--repeats', type=int, default=5, help='turns of each')
  parser.add_argument('--out', type=pathlib.Path, help='file of the results')
  args = parser.parse_args()
  results = [
    measured(network, int(frames), args)
    for network in args.networks.split(',')
    for frames in args.frames.split(',')
  ]
  write(args.out, results)


def measured(network, frames, args):
  """The medians of one network with so many frames."""
  workers = {
    name: start(args.peers, module, network, frames, args.batch)
    for name, module in CONTESTANTS.items()
  }
  facts = {name: step.answer(name, w) for name, w in workers.items()}
  same(facts)
  samples = {n: {'train': [], 'infer': []} for n in workers}
  for _ in range(args.repeats):
    for what in ('train', 'infer'):
      for name, worker in workers.items():
        time.sleep(0.2)  # for the threads of the one before to fall asleep
        count = max(1, round(TURN / facts[name][what]))
        worker.stdin.write(f'{what} {count}\n')
        worker.stdin.flush()
        samples[name][what].append(step.answer(name, worker))
  for worker in workers.values():
    worker.stdin.close()
    worker.wait()
  medians = {
    name: {what: statistics.median(s) for what, s in own.items()}
    for name, own in samples.items()
  }
  for what in ('train', 'infer'):
    best = min(medians[n][what] for n in ('keras', 'pytorch'))
    said = ', '.join(f'{n} {medians[n][what]:.4f} s' for n in medians)
    ratio = best / medians['ours'][what]
    print(
      f'{network}, {frames} frames, {what}: {said}: {ratio:.2f} x', flush=True
    )
  return {
    'network': network,
    'frames': frames,
    'batch': args.batch,
    'contestants': facts,
    'median_seconds': medians,
    'samples': samples,
  }


def start(peers, module, network, frames, batch):
  """A process that waits for its turns; no GPU, for the peers use none."""
  python = sys.executable if module == 'ours' else peers
  command = [python, '-m', f'benchmarks.models.{module}']
  try:
    return subprocess.Popen(
      [*command, network, str(frames), str(batch)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      cwd=step.ROOT,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    )
  except FileNotFoundError:
    sys.exit(
      f'error: {python} is not there: `make bench-models` sets it up, or name '
      'another one with --peers'
    )


def same(facts):
  """All are one network: equal loss and gradient."""
  for what, tolerance in (('loss', 1e-5), ('gradient_norm', 1e-3)):
    values = [one[what] for one in facts.values()]
    if not np.allclose(values, values[0], rtol=tolerance, atol=0):
      sys.exit(f'error: the networks differ in their {what}: {values}')


def write(out, results):
  today, chip = datetime.date.today().isoformat(), step.processor()
  content = {
    'command': ' '.join(['python -m benchmarks.models', *sys.argv[1:]]),
    'date': today,
    'processor': chip,
    'cores': task.cores(),
    'load': os.getloadavg()[0],
    'python': platform.python_version(),
    'results': results,
  }
  out = out or step.free_name(f'models-{today}-{chip}')
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(content, indent=1) + '\n')
  print(f'written: {out}')


if __name__ == '__main__':
  main()
