"""Measures the three side by side: one after the other, over and over."""

import json
import os
import pathlib
import statistics
import sys
import tempfile

import numpy as np

from benchmarks import contest, record
from benchmarks.saliency import task
from mefnet_jax.runs import cli, outputs

CONTESTANTS = {'ours': 'ours', 'pytorch': 'pytorch', 'flax': 'plain_flax'}
METHODS = ('integrated_gradients', 'smooth_grad')


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--peers', **contest.PEERS, help="captum's Python")
  parser.add_argument(
    '--repeats', type=cli.count, default=3, help='turns of each'
  )
  parser.add_argument(
    '--clips',
    type=cli.count,
    default=task.CLIPS,
    help='of this project, a turn',
  )
  parser.add_argument('--pytorch-clips', type=cli.count, default=task.CLIPS)
  parser.add_argument('--flax-clips', type=cli.count, default=task.CLIPS)
  parser.add_argument('--out', type=outputs.file, help='file of the results')
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
    workers, facts = contest.start(
      'benchmarks.saliency', CONTESTANTS, args.peers, [file]
    )
    same(facts)
    samples = measure(workers, counts, args.repeats)
  write(args.out, load, facts, counts, samples)


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
        count = counts[name] if turn or name == 'ours' else 1
        seconds = worker.turn(method, count)
        if turn:
          samples[method][name].append(seconds)
  contest.close(workers)
  return samples


def write(file, load, facts, counts, samples):
  """The file of the results, a table, and the medians as the last line."""
  medians = {
    method: {n: task.CLIPS * statistics.median(s) for n, s in by.items()}
    for method, by in samples.items()
  }
  result = {
    'contestants': facts,
    'clips_measured': counts,
    'median_seconds_of_164_clips': medians,
    'ratio_to_ours': {
      method: {n: s / by['ours'] for n, s in by.items()}
      for method, by in medians.items()
    },
    'seconds_a_clip': samples,
  }
  for method, by in medians.items():
    for name, seconds in by.items():
      ratio = seconds / by['ours']
      print(f'{method:22s} {name:8s} {seconds:8.2f} s  {ratio:6.1f} x ours')
  record.write('saliency', result, load, file)
  print(json.dumps(medians))


if __name__ == '__main__':
  sys.exit(cli.status(main))
