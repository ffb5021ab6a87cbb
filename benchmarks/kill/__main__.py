"""Kills a run at random moments until it ends, and compares the bits.

python -m benchmarks.kill --kills=20

A small SYNTHETIC release is trained once undisturbed; then the same command is
started, killed with SIGKILL after a random time (every second kill waits for
the next save and falls into it), and started again until it ends; and so with
new folders until it was killed so often. predictions.csv and metrics.jsonl must
be the same bytes each time, or the exit status is 1. Each kill, and what it
left, is written to results/.
"""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from benchmarks import record
from mefnet_jax.runs import cli
from mefnet_jax.synthetic import release

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = (
  '--config=configs/mfcnn.py',
  '--config.dataset.frames=9',
  '--config.dataset.eyes=16',
  '--config.dataset.mouth=16',
  '--config.model.filters=8',
  '--config.model.kernel=(5,3,3)',
  '--config.model.hidden=(16,)',
  '--config.model.channel_attention=False',
  '--config.model.spatial_attention=False',
  '--config.augment.flip=0.5',
  '--config.protocol.folds=3',
  '--config.train.checkpoint_every=1',
  '--config.train.evaluate_every=1',
)


def main():
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('--kills', type=cli.count, default=20)
  parser.add_argument('--epochs', type=cli.count, default=60)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  load = os.getloadavg()[0]
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    made = release.write('smic', folder / 'smic', clips=3, subjects=4)
    command = [
      *(sys.executable, '-m', 'mefnet_jax.main', *FLAGS),
      f'--config.dataset.release={made}',
      f'--config.train.epochs={args.epochs}',
    ]
    whole, took = undisturbed(command, folder / 'whole')
    draw, kills, runs, same = random.Random(args.seed), [], 0, True
    while len(kills) < args.kills and same:
      workdir = folder / f'killed{runs}'
      kills += disturbed(command, workdir, took, draw, args.kills - len(kills))
      runs, same = runs + 1, whole == bits(workdir)
  said = 'the same' if same else 'OTHER'
  print(f'{len(kills)} kills of {runs} runs: {said} bits')
  result = {
    'data': 'SYNTHETIC',
    'flags': FLAGS,
    'epochs': args.epochs,
    'undisturbed_seconds': took,
    'runs': runs,
    'same_bits': same,
    'kills': kills,
  }
  record.write('kill', result, load)
  sys.exit(0 if same else 1)


def undisturbed(command, workdir):
  """The files of an undisturbed run, and its seconds once all is compiled."""
  subprocess.run([*command, f'--workdir={workdir}-first'], cwd=ROOT, check=True)
  started = time.monotonic()
  subprocess.run([*command, f'--workdir={workdir}'], cwd=ROOT, check=True)
  return bits(workdir), time.monotonic() - started


def disturbed(command, workdir, took, draw, most):
  """Kills the run at random moments, then lets it end: what each kill left."""
  kills = []
  while len(kills) < most:
    moment = draw.uniform(0.2, took)
    running = subprocess.Popen(
      [*command, f'--workdir={workdir}'],
      cwd=ROOT,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
      start_new_session=True,
    )
    if ended(running, moment, workdir, in_a_save=len(kills) % 2 == 1):
      break
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    kills.append({'after': moment, **left(workdir)})
    print(f'killed: {kills[-1]}', flush=True)
  done = [*command, f'--workdir={workdir}']
  subprocess.run(done, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
  return kills


def ended(running, moment, workdir, *, in_a_save):
  """Waits for the moment, and for a save after it; did the run end before?"""
  with contextlib.suppress(subprocess.TimeoutExpired):
    running.wait(moment)
  while in_a_save and running.poll() is None and not is_saving(workdir):
    time.sleep(0.001)
  return running.poll() is not None


def left(workdir):
  """Epochs that the newest checkpoint holds; was one being written?"""
  found = sorted((workdir / 'checkpoints').glob('seed*/[0-9]*'))
  epochs = int(found[-1].name) if found else 0
  return {'epochs': epochs, 'saving': is_saving(workdir)}


def is_saving(workdir):
  return any((workdir / 'checkpoints').glob('seed*/.aside*'))


def bits(workdir):
  return [
    (workdir / name).read_bytes()
    for name in ('predictions.csv', 'metrics.jsonl')
  ]


if __name__ == '__main__':
  sys.exit(cli.status(main))
