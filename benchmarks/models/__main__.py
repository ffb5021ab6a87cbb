"""Measures MECNN and MFCNN, 18 and 96 frames, side by side and in turn.

python -m benchmarks.models --peers=.venv-bench/bin/python
python -m benchmarks.models --networks=mecnn --frames=18 --repeats=3
python -m benchmarks.models --conv=2plus1d --frames=18,32
python -m benchmarks.models --networks=mecnn --frames=18 --channels=3
python -m benchmarks.models --networks=residual --normalisation=group
python -m benchmarks.models --frames=96 --alone  # three do not fit in 24 GB
"""

import os
import statistics
import sys

import numpy as np

from benchmarks import contest, record
from benchmarks.models import task
from mefnet_jax.runs import cli, outputs

CONTESTANTS = {'ours': 'ours', 'keras': 'keras_models', 'pytorch': 'pytorch'}
TURN = 1.0  # seconds of work, at least one call, that a contestant has a turn


def main():
  parser = cli.Parser(description=__doc__)
  parser.add_argument('--peers', **contest.PEERS, help='their Python')
  parser.add_argument(
    '--networks', type=cli.names(task.STREAMS), default=('mecnn', 'mfcnn')
  )
  parser.add_argument('--frames', type=_frames, default=(18, 96))
  parser.add_argument('--batch', type=cli.count, default=64)
  parser.add_argument('--conv', choices=('3d', '2plus1d'), default='3d')
  parser.add_argument(
    '--normalisation', choices=('none', 'group'), default='none'
  )
  parser.add_argument(
    '--channels', type=cli.count, default=1, help='of the clips'
  )
  parser.add_argument(
    '--repeats', type=cli.count, default=5, help='turns of each'
  )
  parser.add_argument(
    '--alone', action='store_true', help='start each anew for each turn'
  )
  parser.add_argument(
    '--contestants',
    type=cli.names(CONTESTANTS),
    default=tuple(CONTESTANTS),
    help='who takes part',
  )
  parser.add_argument('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  if 'ours' not in args.contestants or len(args.contestants) < 2:
    parser.error('--contestants: ours, and keras or pytorch or both')
  load = os.getloadavg()[0]
  results = [
    measured(network, frames, args)
    for network in args.networks
    for frames in args.frames
  ]
  record.write('models', {'results': results}, load, args.out)


def _frames(text):
  return tuple(map(cli.count, text.split(',')))


def measured(network, frames, args):
  """The medians of one network with so many frames."""
  facts, samples = {}, {}
  given = [network, frames, args.batch]
  given += [args.conv, args.channels, args.normalisation]
  if args.alone:
    for _ in range(args.repeats):
      for name in args.contestants:
        compete([name], given, args.peers, 1, facts, samples)
  else:
    names = args.contestants
    compete(names, given, args.peers, args.repeats, facts, samples)
  medians = {
    name: {what: statistics.median(s) for what, s in own.items()}
    for name, own in samples.items()
  }
  for what in ('train', 'infer'):
    best = min(medians[n][what] for n in medians if n != 'ours')
    said = ', '.join(f'{n} {medians[n][what]:.4f} s' for n in medians)
    ratio = best / medians['ours'][what]
    print(
      f'{network}, {args.conv}, {args.channels} channels, normalisation '
      f'{args.normalisation}, {frames} frames, {what}: {said}: {ratio:.2f} x',
      flush=True,
    )
  return {
    'network': network,
    'frames': frames,
    'batch': args.batch,
    'conv': args.conv,
    'channels': args.channels,
    'normalisation': args.normalisation,
    'alone': args.alone,
    'contestants': facts,
    'median_seconds': medians,
    'samples': samples,
  }


def compete(names, task, peers, repeats, facts, samples):
  """Starts some, gives each its turns, and lets them end.

  Adds the facts about them to `facts`, and their seconds to `samples`.
  """
  workers, found = contest.start(
    'benchmarks.models', {n: CONTESTANTS[n] for n in names}, peers, task
  )
  facts |= found
  same(facts)  # before any time is spent
  for _ in range(repeats):
    for what in ('train', 'infer'):
      for name, worker in workers.items():
        count = max(1, round(TURN / facts[name][what]))
        seconds = worker.turn(what, count)
        own = samples.setdefault(name, {'train': [], 'infer': []})
        own[what].append(seconds)
  contest.close(workers)


def same(facts):
  """All are one network: equal loss and gradient."""
  for what, tolerance in (('loss', 1e-5), ('gradient_norm', 1e-3)):
    values = [one[what] for one in facts.values()]
    if not np.allclose(values, values[0], rtol=tolerance, atol=0):
      sys.exit(f'error: the networks differ in their {what}: {values}')


if __name__ == '__main__':
  sys.exit(cli.status(main))
