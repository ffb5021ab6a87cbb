"""Measures MECNN and MFCNN, 18 and 96 frames, side by side and in turn.

python -m benchmarks.models --peers=.venv-bench/bin/python
python -m benchmarks.models --networks=mecnn --frames=18 --repeats=3
"""

import argparse
import os
import pathlib
import statistics
import sys

import numpy as np

from benchmarks import contest, record

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
  load = os.getloadavg()[0]
  results = [
    measured(network, int(frames), args)
    for network in args.networks.split(',')
    for frames in args.frames.split(',')
  ]
  record.write('models', {'results': results}, load, args.out)


def measured(network, frames, args):
  """The medians of one network with so many frames."""
  workers, facts = contest.start(
    'benchmarks.models',
    CONTESTANTS,
    args.peers,
    [network, frames, args.batch],
  )
  same(facts)
  samples = {n: {'train': [], 'infer': []} for n in workers}
  for _ in range(args.repeats):
    for what in ('train', 'infer'):
      for name, worker in workers.items():
        count = max(1, round(TURN / facts[name][what]))
        samples[name][what].append(worker.turn(what, count))
  contest.close(workers)
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


def same(facts):
  """All are one network: equal loss and gradient."""
  for what, tolerance in (('loss', 1e-5), ('gradient_norm', 1e-3)):
    values = [one[what] for one in facts.values()]
    if not np.allclose(values, values[0], rtol=tolerance, atol=0):
      sys.exit(f'error: the networks differ in their {what}: {values}')


if __name__ == '__main__':
  main()
