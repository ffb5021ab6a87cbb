"""Runs the variants of an experiment, here or on a cluster, and resumes them.

Each variant is a run in a folder of its own, executed as by main. In one
process those that fit are trained together (`together`), on a Dask cluster each
is trained alone (`cells`).
"""

import functools
import pathlib
import sys
import threading

import rich.console
from absl import flags

from experiments import cells, seals, tables, together
from mefnet_jax import protocol
from mefnet_jax.datasets import registry
from mefnet_jax.runs import errors, outputs, stopping, workdirs, xla
from mefnet_jax.training import config_check


def define(name: str) -> None:
  """Defines the flags of most experiments; `name` is the default folder's."""
  define_few(name)
  flags.DEFINE_list(
    'datasets', ['smic'], 'Those with a flag for their release.'
  )
  flags.DEFINE_string('smic', '', 'Release of SMIC; empty: synthetic.')
  flags.DEFINE_string('cluster', '', cells.HELP)


def define_few(name: str) -> None:
  """Defines the flags of an experiment that runs here, on CAS(ME)^2 alone."""
  outputs.DEFINE_folder('out', f'runs/{name}', 'Folder of runs and tables.')
  flags.DEFINE_string('cas-me2', '', 'Release of CAS(ME)^2; empty: synthetic.')
  flags.DEFINE_bool(
    'small', False, 'Small clips and networks, for a quick run.'
  )
  flags.DEFINE_list('variants', [], 'Only these variants; all if empty.')
  flags.DEFINE_integer('epochs', 0, 'Epochs; 0: those of the config.')
  flags.DEFINE_integer('seeds', 1, 'Seeds of each variant.')


def main(experiment: str, make, rows, *, title: str, first) -> dict[str, dict]:
  """Runs the unfinished variants, and writes the table and its figure.

  Args:
    experiment: names the files OUT/EXPERIMENT.csv, .md, .png and .svg.
    make: maps (datasets, prepare) to the configs of the variants by name.
    rows: maps the reports by name to rows of the table.
    title: of the figure.
    first: columns of the table that identify a row.

  Returns:
    report.json of each variant, by name.
  """
  given = flags.FLAGS
  _check(given)
  with stopping.signals() as stop:
    reports = run(
      chosen(make(given.datasets, prepared)),
      given.out,
      stop=stop,
      console=console(),
      cluster=given.cluster,
    )
  tables.write(given.out, experiment, rows(reports), title=title, first=first)
  print(f'{given.out}/{experiment}.md')
  return reports


def console() -> rich.console.Console:
  """Returns the console of an experiment; in a log nothing wraps."""
  terminal = sys.stdout.isatty()
  width = None if terminal else 200
  return rich.console.Console(soft_wrap=not terminal, width=width)


def _check(given):
  """Raises UserError if the flags name unknown data sets or variants."""
  known = [x for x in registry.DATASETS if hasattr(given, _release_flag(x))]
  unknown = sorted(set(given.datasets) - set(known))
  if unknown or not given.datasets:
    raise errors.UserError(
      f'--datasets={",".join(given.datasets)}: choose from {", ".join(known)}'
    )
  if given.epochs < 0 or given.seeds < 1:
    raise errors.UserError(
      f'--epochs={given.epochs} --seeds={given.seeds}: epochs from 0 on (0: '
      'those of the config), seeds from 1 on'
    )


def _release_flag(dataset):
  return dataset.replace('_', '-')


def prepared(config, dataset: str):
  """Returns the config with release, size and epochs set by the flags."""
  given = flags.FLAGS
  config.dataset.name = dataset
  config.dataset.release = given[_release_flag(dataset)].value
  config.seeds = given.seeds
  if given.small:
    small(config)
  if given.epochs:
    config.train.epochs = given.epochs
  return config


def chosen(variants: dict) -> dict:
  """The variants that the flag names, 'smic-honest' as well as 'honest'.

  Raises:
    UserError: there is no variant of that name.
  """
  names = flags.FLAGS.variants
  if not names:
    return variants
  short = {name: name.partition('-')[2] for name in variants}
  unknown = set(names) - set(short) - set(short.values())
  if unknown:
    raise errors.UserError(
      f'--variants={",".join(sorted(unknown))}: choose '
      f'from {", ".join(short.values())}'
    )
  return {n: v for n, v in variants.items() if {n, short[n]} & set(names)}


def small(config):
  """Returns the config scaled down to train in about a minute on a laptop."""
  config.dataset.update(frames=12, face=32, eyes=24, mouth=24)
  config.model.update(filters=8, kernel=(7, 3, 3), hidden=(64,))
  config.train.epochs = min(config.train.epochs, 20)
  return config


def run(
  variants: dict, out, *, stop=None, console=None, cluster: str = ''
) -> dict[str, dict]:
  """Runs all variants that are not finished in `out`.

  Args:
    variants: name to config. A name is a folder below out/runs.
    out: folder of the experiment.
    stop: set when the process is asked to stop.
    console: for progress.
    cluster: as of `cells.run`.

  Returns:
    report.json of each variant, by name.

  Raises:
    UserError: a folder holds another config, or a config cannot run.
    errors.Stopped: `stop` was set; the checkpoint is saved.
    SystemExit: as of `cells.run`.
  """
  runs = pathlib.Path(out).absolute() / 'runs'
  stop = stop or threading.Event()
  console = console or rich.console.Console(soft_wrap=True)
  xla.prepare()
  # All of them first, so that no folder is made for a study that cannot run.
  kernels = [config_check.settle(config) for config in variants.values()]
  console.print(f'kernels: {", ".join(dict.fromkeys(kernels))}', markup=False)

  def here(names):
    together.run({n: variants[n] for n in names}, runs.parent, stop, console)

  cells.run(
    {
      name: functools.partial(alone, config, runs / name)
      for name, config in variants.items()
    },
    lambda name: seals.is_run(runs / name, variants[name]),
    cluster=cluster,
    here=here,
  )
  return {name: workdirs.read_report(runs / name) for name in variants}


def alone(config, workdir: pathlib.Path, *, stop=None) -> None:
  """Runs one variant, unless it is finished; shows no progress.

  Raises:
    UserError: the folder holds another config, or is in use.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  xla.prepare()
  config_check.settle(config)
  with workdirs.locked(workdir):
    workdirs.claim(config, workdir)
    if not seals.is_run(workdir, config):
      seals.announce_run(workdir, config)
      protocol.run(
        config,
        workdir,
        console=rich.console.Console(quiet=True),
        stop=stop or threading.Event(),
      )
      seals.write_run(workdir, config)
