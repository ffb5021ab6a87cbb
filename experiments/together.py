"""Runs variants of an experiment in this process, together if possible.

Variants that differ only in their folds are trained together: their folds are
stacked like the folds of one protocol.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import threading

import rich.console

from experiments import seals
from mefnet_jax import protocol
from mefnet_jax.runs import metrics_log, progress_lines, workdirs
from mefnet_jax.training import cross_validation, seed_results
from mefnet_jax.training import jobs as training_jobs

_MOST_FOLDS = 16  # folds in one program, whose states must fit in memory


def run(
  variants: dict,
  out: pathlib.Path,
  stop: threading.Event,
  console: rich.console.Console,
) -> None:
  """Runs the variants that are not finished.

  Args:
    variants: name to config, which has been checked. A name is a folder below
      out/runs.
    out: folder of the experiment.
    stop: set when the process is asked to stop.
    console: for progress.

  Raises:
    UserError: a folder holds another config, or is in use.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  with contextlib.ExitStack() as locks:
    for name, config in variants.items():
      locks.enter_context(workdirs.locked(out / 'runs' / name))
      workdirs.claim(config, out / 'runs' / name)
    unfinished = {
      name: config
      for name, config in variants.items()
      if not seals.is_run(out / 'runs' / name, config)
    }
    for name, config in unfinished.items():
      seals.announce_run(out / 'runs' / name, config)
    jobs = {}
    for name in progress_lines.over(
      unfinished, 'Preparing variants', len(unfinished)
    ):
      workdir = out / 'runs' / name
      jobs[name] = _prepare_job(unfinished[name], workdir, console, stop)
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
        seals.write_run(out / 'runs' / name, unfinished[name])


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
  for name in sorted(job.arrays):
    digest.update(name.encode() + job.arrays[name].tobytes())
  config = job.config
  separate = 'weights' in config or config.protocol.statistics == 'folds'
  alone = job.workdir.name if separate else ''
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
    return {name: protocol.train_by_config for name in jobs}
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
  by_seed = cross_validation.train_folds(joint, seeds)
  return {name: _part(by_seed, place[name], workdir, name) for name in jobs}


def _part(by_seed, place, workdir, name):
  """The results of one variant, taken from those of the joint training."""
  prefix = f'{name}/'

  def own_name(fold):
    return fold.removeprefix(prefix) if fold.startswith(prefix) else ''

  def train(job, seeds):
    metrics_log.select(workdir, job.workdir, own_name)
    return [seed_results.part(one, place, own_name) for one in by_seed]

  return train
