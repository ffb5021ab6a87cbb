r"""Zero-shot, from scratch, and transfer on real motion maps, side by side.

python -m experiments.transfer --out=runs/transfer [--release=DIR]

Three runs of main, each in a folder of its own (OUT/zero, OUT/scratch,
OUT/transfer): the shipped weights as they are, a network trained from nothing,
and the shipped weights with a head trained on real people, the last two leave
one subject out. Finished ones are not run again. OUT/transfer.md has their
scores and the paired tests over subjects. Without --release the maps are
SYNTHETIC.
"""

import pathlib
import sys

import ml_collections

from configs import mefnet_flow, mefnet_zero
from experiments import running, seals, tables
from mefnet_jax import protocol
from mefnet_jax.report import compare
from mefnet_jax.runs import cli, outputs, stopping, workdirs, xla
from mefnet_jax.training import config_check

RUNS = {
  'zero': ('zero-shot', mefnet_zero.get_config),
  'scratch': ('from scratch', mefnet_flow.get_config),
  'transfer': ('transfer', lambda: mefnet_flow.get_config('transfer')),
}


def main(argv: list[str] | None = None) -> int:
  """Runs what is left and writes the table; the exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = _arguments(argv)
  reports = {}
  with stopping.signals() as stop:
    xla.prepare()
    configs = {name: _config(name, args) for name in args.runs}
    for config in configs.values():
      config_check.settle(config)
    for name, config in configs.items():
      reports[name] = _run(config, args.out / name, stop)
  write(args.out, reports)
  print(f'{args.out}/transfer.md')


def write(out: pathlib.Path, reports: dict[str, dict]) -> None:
  """Writes transfer.csv, .md and its figures: scores, and paired tests.

  Args:
    out: folder that holds the runs.
    reports: report.json of each run, by its name in `RUNS`.
  """
  rows = [
    tables.row(report, method=RUNS[name][0]) for name, report in reports.items()
  ]
  tables.write(out, 'transfer', rows, title='Transfer', first=['method'])
  if len(reports) > 1:
    folders = [str(out / name) for name in reports]
    found = compare.compare(folders, [RUNS[name][0] for name in reports])
    tables.text(out, 'transfer-compared.md', compare.markdown(found))


def _run(config, workdir, stop):
  """report.json of the run, made now or before."""
  with workdirs.locked(workdir):
    workdirs.claim(config, workdir)
    if seals.is_run(workdir, config):
      return workdirs.read_report(workdir)
    seals.announce_run(workdir, config)
    report = protocol.run(config, workdir, console=running.console(), stop=stop)
    seals.write_run(workdir, config)
    return report


def _config(name, args) -> ml_collections.ConfigDict:
  config = RUNS[name][1]()
  config.dataset.release = args.release
  if args.epochs and name == 'scratch':
    config.train.epochs = args.epochs
  return config


def _arguments(argv):
  parser = cli.Parser(description=cli.first_line(__doc__))
  add = parser.add_argument
  add('--out', type=outputs.folder, default=pathlib.Path('runs/transfer'))
  add('--release', default='', help='flow maps; empty: synthetic ones')
  add('--runs', type=cli.names(RUNS), default=tuple(RUNS))
  add('--epochs', type=int, default=0, help='from scratch; 0: those of config')
  return parser.parse_args(argv)


if __name__ == '__main__':
  sys.exit(main())
