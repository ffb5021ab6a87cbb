"""Runs the variants of an experiment, together if possible, and resumes them.

Each variant is a run in a folder of its own, executed as by main. Variants that
differ only in their folds are trained together: their folds are stacked like
the folds of one protocol.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import sys
import threading

import rich.console
from absl import flags

from experiments import tables
from mefnet_jax import protocol
from mefnet_jax.runs import cli, errors, metrics_log, workdirs, xla
from mefnet_jax.training import config_check, cross_validation
from mefnet_jax.training import jobs as training_jobs

_DATASETS = ('smic', 'cas_me2')
_MOST_FOLDS = 16  # folds in one program, whose states must fit in memory


def define(name: str) -> None:
  """Defines the flags of all experiments; `name` is the default folder's."""
  flags.DEFINE_string('out', f'runs/{name}', 'Folder of runs and tables.')
  flags.DEFINE_list('datasets', ['smic'], 'smic, cas_me2.')
  flags.DEFINE_string('smic', '', 'Release of SMIC; empty: synthetic.')
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
  with cli.stop_signals() as stop:
    reports = run(
      chosen(make(given.datasets, prepared)),
      given.out,
      stop=stop,
      console=console(),
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
  unknown = sorted(set(given.datasets) - set(_DATASETS))
  if unknown or not given.datasets:
    raise errors.UserError(
      f'--datasets={",".join(given.datasets)}: choose '
      f'from {", ".join(_DATASETS)}'
    )
  if given.epochs < 0 or given.seeds < 1:
    raise errors.UserError(
      f'--epochs={given.epochs} --seeds={given.seeds}: epochs from 0 on (0: '
      'those of the config), seeds from 1 on'
    )


def prepared(config, dataset: str):
  """Returns the config with release, size and epochs set by the flags."""
  given = flags.FLAGS
  config.dataset.name = dataset
  config.dataset.release = given[dataset.replace('_', '-')].value
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


def run(variants: dict, out, *, stop=None, console=None) -> dict[str, dict]:
  """Runs all variants that are not finished in `out`.

  Args:
    variants: name to config. A name is a folder below out/runs.
    out: folder of the experiment.
    stop: set when the process is asked to stop.
    console: for progress.

  Returns:
    report.json of each variant, by name.

  Raises:
    UserError: a folder holds another config, or a config cannot run.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  out = pathlib.Path(out)
  stop = stop or threading.Event()
  console = console or rich.console.Console(soft_wrap=True)
  xla.prepare()
  with contextlib.ExitStack() as locks:
    # All of them first, so that no folder is made for a study that cannot run.
    for config in variants.values():
      config_check.settle(config)
    for name, config in variants.items():
      locks.enter_context(workdirs.locked(out / 'runs' / name))
      workdirs.claim(config, out / 'runs' / name)
    unfinished = {
      name: config
      for name, config in variants.items()
      if not (out / 'runs' / name / 'report.json').exists()
    }
    jobs = {
      name: _prepare_job(config, out / 'runs' / name, console, stop)
      for name, config in unfinished.items()
    }
    for names in _groups(jobs):
      trained = _together({n: jobs[n] for n in names}, out, console)
      for name in names:
        protocol.run(
          unfinished[name],
          out / 'runs' / name,
          console=console,
          stop=stop,
          train=trained[name],
        )
  return {name: _report(out / 'runs' / name) for name in variants}


def _report(workdir):
  return json.loads((workdir / 'report.json').read_text())


def _prepare_job(config, workdir, console, stop):
  """The job and the seeds of a run, prepared but not trained."""
  # Quietly: every variant would print the findings of the same release.
  job = training_jobs.prepare(config, workdir, stop=stop)
  return dataclasses.replace(job, console=console), job.seeds


def _groups(jobs):
  """Groups the names of variants that can be trained together."""
  groups = {}
  for name, (job, seeds) in jobs.items():
    key = _key(job, seeds)
    group = groups.setdefault(key, [[]])
    folds = sum(len(jobs[n][0].splits) for n in group[-1])
    if group[-1] and folds + len(job.splits) > _MOST_FOLDS:
      group.append([])
    group[-1].append(name)
  return [names for group in groups.values() for names in group]


def _key(job, seeds):
  """A key that is equal for jobs with the same clips, network and steps."""
  digest = hashlib.blake2b(digest_size=8)
  for name in sorted(job.clips):
    digest.update(name.encode() + job.clips[name].tobytes())
  config = job.config
  alone = job.workdir.name if config.protocol.statistics == 'folds' else ''
  return json.dumps(
    [
      digest.hexdigest(),
      repr(job.model),
      config.train.to_dict(),
      config.input,
      config.scale,
      config.augment.to_dict(),
      seeds,
      alone,
    ]
  )


def _together(jobs, out, console):
  """Trains all jobs together; returns a `train` for `protocol.run` by name."""
  if len(jobs) == 1:
    return {name: cross_validation.train for name in jobs}
  splits, place = [], {}
  for name, (job, _) in jobs.items():
    place[name] = slice(len(splits), len(splits) + len(job.splits))
    splits += [
      dataclasses.replace(fold, name=f'{name}/{fold.name}')
      for fold in job.splits
    ]
  first, seeds = next(iter(jobs.values()))
  digest = hashlib.blake2b(digest_size=8)
  for name, (job, _) in jobs.items():
    digest.update(f'{name} {job.fingerprint} '.encode())
  mark = digest.hexdigest()
  workdir = out / 'together' / mark
  workdir.mkdir(parents=True, exist_ok=True)
  console.print(f'{len(splits)} folds together: {", ".join(jobs)}')
  joint = dataclasses.replace(
    first, splits=tuple(splits), workdir=workdir, fingerprint=mark
  )
  fitted = cross_validation.fit(joint, seeds)
  return {name: _part(fitted, place[name], workdir, name) for name in jobs}


def _part(fitted, place, workdir, name):
  """The results of one variant, taken from those of the joint training."""
  prefix = f'{name}/'

  def own_name(fold):
    return fold.removeprefix(prefix) if fold.startswith(prefix) else ''

  def train(job, seeds):
    metrics_log.select(workdir, job.workdir, own_name)
    return [training_jobs.part(one, place, own_name) for one in fitted]

  return train
