"""Measures how a training grows with clips, folds, seeds and devices."""

import itertools
import os
import sys

from benchmarks import contest, record
from mefnet_jax.runs import cli, outputs

# What is varied, and its values; the rest is as in ONE.
ONE = {'clips': 164, 'folds': 2, 'seeds': 1, 'devices': 2}
VARIED = {
  'clips': (164, 1640, 16400),
  'folds': (1, 2, 6, 16, 34),
  'seeds': (1, 2, 4),
  'devices': (1, 2, 4, 8, 16),
}
FOLDS_ON_DEVICES = 16  # so that each device has one to train


def main():
  parser = cli.Parser(description=__doc__)
  add = parser.add_argument
  add('--vary', type=cli.names(VARIED), default=tuple(VARIED))
  add('--config', choices=('base_cnn', 'mecnn', 'mfcnn'), default='mecnn')
  add('--most', type=cli.count, default=16400, help='clips, at the most')
  add('--epochs', type=cli.count, default=2, help='that are measured of each')
  add('--out', type=outputs.file, help='file of the results')
  args = parser.parse_args()
  if args.most < VARIED['clips'][0]:
    parser.error(f'--most: at least {VARIED["clips"][0]}')
  load, rows = os.getloadavg()[0], []
  for what in args.vary:
    for asked in cases(what, args.most):
      row = {'varied': what, **asked, **measured(asked, args)}
      rows.append(row)
      print(
        f'{what}: {asked["clips"]} clips, {asked["folds"]} folds, '
        f'{asked["seeds"]} seeds, {asked["devices"]} devices'
        f'{", streamed" * asked["streamed"]}: '
        f'{row["seconds an epoch"]:.2f} s an epoch, '
        f'{row["ms of a clip and member"]:.3f} ms a clip and member, '
        f'{row["MiB"]:.0f} MiB ({row["plan"]})',
        flush=True,
      )
  result = {'data': 'SYNTHETIC noise', 'config': args.config}
  record.write(
    'scale', result | {'epochs': args.epochs, 'rows': rows}, load, args.out
  )


def cases(what, most):
  """The trainings in which one thing is varied."""
  streams = (False, True) if what == 'clips' else (False,)
  for value, streamed in itertools.product(VARIED[what], streams):
    asked = {**ONE, what: value, 'streamed': streamed}
    if what == 'devices':
      asked['folds'] = FOLDS_ON_DEVICES
    if asked['clips'] <= most:
      yield asked


def measured(asked, args):
  """Runs `benchmarks.scale.measure` in a process of its own."""
  numbers = {name: asked[name] for name in ('clips', 'folds', 'seeds')}
  options = {'config': args.config, 'epochs': args.epochs, **numbers}
  worker = contest.Worker(
    'ours',
    sys.executable,
    'benchmarks.scale.measure',
    [
      *(f'--{name}={value}' for name, value in options.items()),
      *['--streamed'] * asked['streamed'],
    ],
    JAX_NUM_CPU_DEVICES=str(asked['devices']),
  )
  answer = worker.answer()
  worker.close()
  return answer


if __name__ == '__main__':
  sys.exit(cli.status(main))
