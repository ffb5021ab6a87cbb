"""Trains on noise, and prints one line of JSON.

It is a process of its own, so that its peak of memory is that of one training.
"""

import argparse
import pathlib
import re
import statistics
import tempfile
import time

import jax

from benchmarks import noise, turns
from mefnet_jax.runs import xla
from mefnet_jax.training import compiled_steps


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('--config', required=True)
  parser.add_argument('--streamed', action='store_true')
  for name in ('clips', 'folds', 'seeds', 'epochs'):
    parser.add_argument(f'--{name}', type=int, required=True)
  args = parser.parse_args()
  xla.tune_cpu()
  with tempfile.TemporaryDirectory() as folder:
    turns.say(trained(args, pathlib.Path(folder)))


def trained(args, folder) -> dict:
  """Seconds of an epoch, and MiB of memory at the most."""
  job = noise.job(
    args.config,
    args.folds,
    clips=args.clips,
    disk=folder if args.streamed else None,
  )
  steps = compiled_steps.CompiledSteps(job, job.splits)
  seeds = tuple(range(args.seeds))
  state, seconds = steps.initial(seeds), []
  weights = sum(x.size for x in jax.tree.leaves(steps.shapes(seeds[:1]).params))
  for epoch in range(args.epochs + 1):  # the first one compiles
    started = time.perf_counter()
    state, _ = steps.train_epoch(state, seeds, epoch)
    jax.block_until_ready(state)
    seconds.append(time.perf_counter() - started)
  members = args.folds * args.seeds
  return {
    'seconds an epoch': statistics.median(seconds[1:]),
    'samples': seconds[1:],
    'MiB': peak(),
    'plan': f'{steps.plan.mode} over {steps.plan.devices}',
    'devices': jax.device_count(),
    'weights of a member': weights // args.folds,
    'ms of a clip and member': 1e3
    * statistics.median(seconds[1:])
    / (args.clips * members),
  }


def peak() -> float:
  """The largest resident memory of this process so far, in MiB."""
  status = pathlib.Path('/proc/self/status').read_text()
  return int(re.search(r'VmHWM:\s+(\d+)', status)[1]) / 1024


if __name__ == '__main__':
  main()
