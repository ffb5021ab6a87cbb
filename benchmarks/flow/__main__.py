"""Measures both side by side: one after the other, over and over."""

import contextlib
import os
import pathlib
import statistics
import sys
import tempfile

import numpy as np

from benchmarks import contest, record
from benchmarks.cross_validation import __main__ as cross_validation
from configs import mefnet_flow
from mefnet_jax import datasets
from mefnet_jax.runs import cli, outputs

CONTESTANTS = {'ours': 'ours', 'pytorch': 'pytorch_folds'}
BATCH, DROPOUT = 64, 0.5
PROOF = 5  # epochs of the proof that both train the same
SAME = 1e-2  # how far a probability may be from ours then


def main():
  parser = cli.Parser(description=__doc__)
  add = parser.add_argument
  add('--peers', **contest.PEERS, help='their Python')
  add('--epochs', type=cli.count, default=30, help='of each training')
  add('--repeats', type=cli.count, default=1, help='turns of each')
  add('--release', default='', help='flow maps; empty: synthetic ones')
  add('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  load = os.getloadavg()[0]
  config = mefnet_flow.get_config()
  config.dataset.release = args.release
  clips = datasets.load(config.dataset)
  result = {
    'data': 'SYNTHETIC flow maps' if clips.synthetic else 'flow maps',
    'clips': len(clips.label),
    'epochs': args.epochs,
    'proof': proved(clips, args),
    **measured(clips, args),
  }
  record.write('flow', result, load, args.out)


def measured(clips, args):
  """Seconds, of the clock and of all cores, and scores."""
  fold_N = cross_validation.folds_of(clips, 'loso')
  samples = {name: {'seconds': [], 'cpu_seconds': []} for name in CONTESTANTS}
  with competing(clips, fold_N, args, BATCH, DROPOUT) as (workers, facts):
    for _ in range(args.repeats):
      for name, worker in workers.items():
        answer = worker.turn(args.epochs)
        for kind, spent in samples[name].items():
          spent.append(answer[kind])
        found = np.array(answer['probabilities'])
        facts[name] |= cross_validation.scores(clips, found)
  for name, spent in samples.items():
    facts[name] |= {k: statistics.median(x) for k, x in spent.items()}
    low, high = facts[name]['uar_interval']
    print(
      f'{name:8s} {facts[name]["seconds"]:8.2f} s, of all cores '
      f'{facts[name]["cpu_seconds"]:8.2f} s, UAR {facts[name]["uar"]:.3f} '
      f'({low:.3f} to {high:.3f})'
    )
  ratios = {
    f'{kind}_pytorch_to_ours': facts['pytorch'][kind] / facts['ours'][kind]
    for kind in ('seconds', 'cpu_seconds')
  }
  print(', '.join(f'{name} {x:.2f}' for name, x in ratios.items()), flush=True)
  return {
    'folds': int(fold_N.max()) + 1,
    'contestants': facts,
    'samples': samples,
    **ratios,
  }


def proved(clips, args):
  """Proves that both train alike without randomness: how far answers differ."""
  fold_N = cross_validation.folds_of(clips, 'kfold')
  everything = len(clips.label)
  with competing(clips, fold_N, args, everything, 0.0) as (workers, _):
    ours, theirs = (
      np.array(workers[name].turn(PROOF)['probabilities'])
      for name in CONTESTANTS
    )
  found = float(np.abs(ours - theirs).max())
  moved = float(np.abs(ours - 1 / ours.shape[1]).max())
  print(
    f'proof: at most {found:.1e} apart, {moved:.2f} from chance', flush=True
  )
  if found > SAME:
    sys.exit('error: ours and pytorch do not train the same')
  return {'epochs': PROOF, 'from_chance': moved, 'largest_difference': found}


@contextlib.contextmanager
def competing(clips, fold_N, args, batch, dropout):
  """Both at work on one task, and the facts about each."""
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    np.savez(
      file,
      maps=clips.streams['face'],
      label=clips.label,
      fold=fold_N,
      batch=batch,
      dropout=dropout,
    )
    workers, facts = contest.start(
      'benchmarks.flow', CONTESTANTS, args.peers, [file]
    )
    yield workers, facts
    contest.close(workers)


if __name__ == '__main__':
  sys.exit(cli.status(main))
