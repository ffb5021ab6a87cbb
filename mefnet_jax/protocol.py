"""A config from release to report: prepare, train, evaluate, audit, report."""

import pathlib
import threading
import time

import rich.console
from ml_collections import ConfigDict

from mefnet_jax import datasets
from mefnet_jax.audit import audit, evidence, record
from mefnet_jax.evaluation import folds_file, results, summaries
from mefnet_jax.report import write
from mefnet_jax.runs import curves, multihost, predictions
from mefnet_jax.training import (
  announcement,
  cross_validation,
  jobs,
  pooled_result,
  save_model,
  seed_results,
  transfer,
  zero_shot,
)


def train_by_config(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Trains what the config asks for; returns the result of each seed.

  Args:
    job: what is trained. With `config.weights` a given network scores the
      clips, with `config.transfer` a head on top of it is trained; otherwise
      networks are, from nothing.
    seeds: with which each fold is trained.

  Raises:
    errors.UserError: the workdir or the given weights cannot be used.
    errors.Stopped: job.stop was set; what is done is saved.
  """
  if 'transfer' in job.config:
    return transfer.train(job, seeds)
  if 'weights' in job.config:
    return zero_shot.train(job, seeds)
  return cross_validation.train(job, seeds)


def run(
  config: ConfigDict,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console,
  stop: threading.Event,
  train: jobs.Train = train_by_config,
) -> dict:
  """Runs a config from release to report, or resumes it where it stopped.

  Args:
    config: as in configs/base.py, already checked (`config_check.check`).
    workdir: the run's folder; a run that began there is resumed.
    console: for tables and progress.
    stop: set when the process is asked to stop.
    train: trains a job with some seeds.

  Returns:
    The content of report.json.

  Raises:
    errors.UserError: a release or workdir that cannot be used.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  started = time.monotonic()
  job = jobs.prepare(config, workdir, console=console, stop=stop)
  prepared = time.monotonic()
  announcement.announce(job)
  if multihost.is_first():
    record.write(workdir, job.source, job.arrays['label'], job.splits, config)
  by_seed = train(job, job.seeds)
  seconds = {
    'prepare': prepared - started,
    'train': sum(one.seconds for one in by_seed),
    'command': time.monotonic() - started,
  }
  result = pooled_result.pool(job, by_seed, seconds)
  if not multihost.is_first():
    return summaries.summary(result)
  summary = report(workdir, result, clips=job.source)
  # After the report: the model card shows its scores.
  save_model.save(job, by_seed, summary)
  confusion = workdir / 'figures' / 'confusion.png'
  curves.add_image(workdir, 'confusion', confusion.read_bytes())
  console.quiet = False
  for table in write.tables(summary):
    console.print(table)
  announcement.suggest_seeds(job, seconds['train'])
  return summary


def report(
  workdir: pathlib.Path,
  result: results.Result,
  *,
  clips: datasets.Clips | None = None,
) -> dict:
  """Evaluates, audits and reports a result.

  Args:
    workdir: the run's folder. Without a folds.csv in it nothing is audited.
    result: the pooled predictions.
    clips: for pictures of the worst mistakes, if they are synthetic.

  Returns:
    The content of report.json.

  Raises:
    errors.UserError: the evidence in the folder is damaged.
  """
  results.write_predictions(result, workdir / predictions.FILE)
  summary = summaries.summary(result)
  if (workdir / folds_file.FILE).exists():
    found = audit.find(evidence.from_run(workdir, report=summary))
    summary = summaries.with_audit(result, summary, found)
  write.write(workdir, result, summary, clips=clips)
  return summary
