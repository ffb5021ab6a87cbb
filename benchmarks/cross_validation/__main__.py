"""Measures the three side by side: one after the other, over and over."""

import contextlib
import os
import pathlib
import statistics
import sys
import tempfile

import numpy as np

from benchmarks import contest, record
from benchmarks.models import task as models_task
from configs import base
from mefnet_jax import datasets
from mefnet_jax.evaluation import folds, intervals, metrics
from mefnet_jax.runs import cli, outputs

CONTESTANTS = {
  'ours': 'ours',
  'keras': 'keras_folds',
  'pytorch': 'pytorch_folds',
}
BATCH = 64
# Epochs of the trainings that prove that all train the same. After five,
# rounding in Keras's convolutions on AVX2 had grown from 9e-5 to .02 (MFCNN).
PROOF = (1, 2)
PROOF_FOLDS = 2  # of the six; Keras takes minutes for one without AVX-512
SAME = 1e-2  # how far a probability may be from ours then


def main():
  parser = cli.Parser(description=__doc__)
  add = parser.add_argument
  add('--peers', **contest.PEERS, help='their Python')
  networks = tuple(n for n in models_task.STREAMS if n != 'residual')
  add('--networks', type=cli.names(networks), default=networks)
  add('--conv', choices=('3d', '2plus1d'), default='3d')
  protocols = ('kfold', 'loso')
  add('--protocols', type=cli.names(protocols), default=protocols)
  add(
    '--contestants',
    type=cli.names(CONTESTANTS),
    default=tuple(CONTESTANTS),
    help='who takes part; ours always does',
  )
  add('--platform', choices=('cpu', 'cuda'), default='cpu')
  add('--epochs', type=cli.count, default=10, help='of each training')
  add('--repeats', type=cli.count, default=3, help='turns of each')
  add('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  if 'ours' not in args.contestants or len(args.contestants) < 2:
    parser.error('--contestants: ours, and keras or pytorch or both')
  load = os.getloadavg()[0]
  config = base.get_config()
  clips = datasets.load(config.dataset)
  proofs, results = [], []
  for network in args.networks:
    proofs.append(proved(clips, network, args))
    results += [
      measured(clips, network, protocol, args) for protocol in args.protocols
    ]
  result = {'data': 'SYNTHETIC faces', 'epochs': args.epochs}
  result |= {'conv': args.conv}
  result |= {'proofs': proofs, 'results': results}
  record.write('cross_validation', result, load, args.out)


def measured(clips, network, protocol, args):
  """Median seconds and scores of one network under one protocol."""
  fold_N = folds_of(clips, protocol)
  samples = {name: [] for name in args.contestants}
  how = dict(batch=BATCH, dropout=models_task.DROPOUT)
  with competing(clips, network, fold_N, args, **how) as (workers, facts):
    for _ in range(args.repeats):
      for name, worker in workers.items():
        answer = worker.turn(args.epochs)
        samples[name].append(answer['seconds'])
        facts[name] |= scores(clips, answer['probabilities'])
  medians = {name: statistics.median(s) for name, s in samples.items()}
  best = min(medians[name] for name in medians if name != 'ours')
  for name, seconds in medians.items():
    low, high = facts[name]['uar_interval']
    print(
      f'{network}, {protocol}: {name:8s} {seconds:8.2f} s, UAR '
      f'{facts[name]["uar"]:.3f} ({low:.3f} to {high:.3f}), SYNTHETIC'
    )
  print(f'{network}, {protocol}: {best / medians["ours"]:.2f} x', flush=True)
  return {
    'network': network,
    'protocol': protocol,
    'folds': int(fold_N.max()) + 1,
    'contestants': facts,
    'median_seconds': medians,
    'faster_peer_to_ours': best / medians['ours'],
    'samples': samples,
  }


def proved(clips, network, args):
  """Proves that all train alike without randomness: how far answers differ.

  Without dropout, and with all training clips in one batch, every contestant
  must come to the same probabilities of the clips that are held out.
  """
  how = dict(batch=len(clips.label), dropout=0.0)
  fold_N = folds_of(clips, 'kfold')
  fold_N[fold_N >= PROOF_FOLDS] = -1  # no fold holds these out
  held_out = fold_N >= 0
  with competing(clips, network, fold_N, args, **how) as (workers, _):
    answers = {
      name: np.stack([worker.turn(n)['probabilities'] for n in PROOF], axis=1)[
        held_out
      ]
      for name, worker in workers.items()
    }
  moved = float(np.abs(answers['ours'] - 1 / models_task.CLASSES).max())
  print(f'{network}, proof: the largest is {moved:.2f} from chance')
  proof = {'network': network, 'epochs': PROOF, 'folds': PROOF_FOLDS}
  proof['from_chance'] = moved
  for name in answers.keys() - {'ours'}:
    found = float(np.abs(answers['ours'] - answers[name]).max())
    alike = np.argmax(answers['ours'], -1) == np.argmax(answers[name], -1)
    proof[name] = {'largest_difference': found, 'alike': float(alike.mean())}
    print(
      f'{network}, proof: {name} differs by {found:.1e} at most, '
      f'{alike.mean():.1%} of the answers alike',
      flush=True,
    )
    if found > SAME:
      sys.exit(f'error: {network}: ours and {name} do not train the same')
  return proof


@contextlib.contextmanager
def competing(clips, network, fold_N, args, **how):
  """The contestants at work on one task, and the facts about each."""
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'task.npz'
    streams = models_task.STREAMS[network]
    np.savez(
      file,
      **{name: clips.streams[name] for name in streams},
      label=clips.label,
      fold=fold_N,
      network=network,
      conv=args.conv,
      **how,
    )
    workers, facts = contest.start(
      'benchmarks.cross_validation',
      {name: CONTESTANTS[name] for name in args.contestants},
      args.peers,
      [file],
      platform=args.platform,
    )
    yield workers, facts
    contest.close(workers)


def folds_of(clips, protocol):
  """(N,) index of the fold that holds each clip out."""
  config = base.get_config().protocol
  config.name = protocol
  fold_N = np.zeros(len(clips.label), np.int32)
  for k, fold in enumerate(
    folds.make(config, clips.label, clips.subject, seed=0)
  ):
    fold_N[fold.test] = k
  return fold_N


def scores(clips, probabilities):
  """UAR of the pooled answers, and its interval over subjects."""
  predicted = np.argmax(probabilities, -1)
  classes = len(clips.classes)
  found = intervals.bootstrap(clips.label, predicted, clips.subject, classes)
  score = metrics.scores(clips.label, predicted, classes)['uar']
  return {'uar': score, 'uar_interval': found['uar']}


if __name__ == '__main__':
  sys.exit(cli.status(main))
