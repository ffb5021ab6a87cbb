"""Measures the four implementations in turns, over and over."""

import json
import os
import pathlib
import statistics
import sys
import tempfile

import numpy as np

from benchmarks import contest, record
from benchmarks.step import task
from mefnet_jax.runs import cli, outputs

CONTESTANTS = {
  'ours': 'ours',
  'keras': 'keras_step',
  'pytorch': 'pytorch',
  'flax': 'plain_flax',
}
TURN = 1.0  # seconds of steps, at least one, that a contestant has at a time


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--peers', **contest.PEERS, help='their Python')
  parser.add_argument(
    '--repeats', type=cli.count, default=9, help='turns of each'
  )
  parser.add_argument('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    np.savez(file, **task.make())
    workers, facts = contest.start(
      'benchmarks.step', CONTESTANTS, args.peers, [file]
    )
    check_same(facts)
    samples = measure(workers, facts, args.repeats)
  write(args.out, load, facts, samples)


def check_same(facts):
  """Checks that all train one network: equal loss, gradient and later losses.

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
      steps = max(1, round(TURN / facts[name]['seconds']))
      samples[name].append(worker.turn(steps))
  contest.close(workers)
  return samples


def write(file, load, facts, samples):
  """The file of the results, a table, and the medians as the last line."""
  medians = {name: statistics.median(s) for name, s in samples.items()}
  ratios = {name: s / medians['ours'] for name, s in medians.items()}
  for name, ratio in ratios.items():
    print(f'{name:8s} {medians[name]:.4f} s  {ratio:6.2f} x ours')
  result = {
    'contestants': facts,
    'median_seconds': medians,
    'ratio_to_ours': ratios,
    'samples': samples,
  }
  record.write('step', result, load, file)
  print(json.dumps({name: round(s, 5) for name, s in medians.items()}))


if __name__ == '__main__':
  sys.exit(cli.status(main))
