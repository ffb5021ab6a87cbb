"""A config from release to report: prepare, train, evaluate, audit, report."""

import pathlib
import threading
import time

import numpy as np
import rich.console
from ml_collections import ConfigDict

from mefnet_jax import datasets
from mefnet_jax.audit import audit, evidence, record
from mefnet_jax.datasets import registry
from mefnet_jax.evaluation import folds, folds_file, results
from mefnet_jax.models import from_config
from mefnet_jax.report import write
from mefnet_jax.runs import (
  curves,
  environment,
  metrics_log,
  multihost,
  predictions,
)
from mefnet_jax.training import (
  cross_validation,
  deliberate_leaks,
  divergence,
  jobs,
  save_model,
  transfer,
)


def run(
  config: ConfigDict,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console,
  stop: threading.Event,
  train: jobs.Train = cross_validation.train,
) -> dict:
  """Runs a config from release to report, or resumes it where it stopped.

  Args:
    config: as in configs/base.py, already checked (`config_check.check`).
    workdir: where the run leaves its files; what it holds is resumed.
    console: for tables and progress.
    stop: set when the process is asked to leave.
    train: trains a job with some seeds.

  Returns:
    The content of report.json.

  Raises:
    UserError: a release or workdir that cannot be used.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  started = time.monotonic()
  job = jobs.prepare(config, workdir, console=console, stop=stop)
  prepared = time.monotonic()
  _announce(job)
  _record(job)
  fitted = transfer.trainer(config, train)(job, job.seeds)
  seconds = {
    'prepare': prepared - started,
    'train': sum(one.seconds for one in fitted),
    'command': time.monotonic() - started,
  }
  result = _result(job, fitted, seconds)
  if not multihost.is_first():
    return results.summary(result)
  summary = report(workdir, result, clips=job.source)
  # After the report: the model card shows its scores.
  save_model.save(job, fitted, summary)
  confusion = workdir / 'figures' / 'confusion.png'
  curves.add_image(workdir, 'confusion', confusion.read_bytes())
  console.quiet = False
  for table in write.tables(summary):
    console.print(table)
  if config.seeds == 1 and 'weights' not in config:
    minutes = max(1, round(4 * seconds['train'] / 60))
    console.print(
      'One seed: another one moves these scores. --config.seeds=5 in a new '
      '--workdir says by how much; it takes about '
      f'{minutes} minute{"s" if minutes > 1 else ""} more.'
    )
  return summary


def report(
  workdir: pathlib.Path,
  result: results.Result,
  *,
  clips: datasets.Clips | None = None,
) -> dict:
  """Scores, audits and reports a result; returns the content of report.json.

  Args:
    workdir: of the run. Without a folds.csv there nothing is audited.
    result: the pooled predictions.
    clips: for pictures of the worst mistakes, if they are synthetic.
  """
  predictions.write(
    workdir / predictions.FILE,
    clip=result.clip,
    subject=result.subject,
    fold=result.fold,
    label=[result.classes[c] for c in result.label],
    predicted=[result.classes[c] for c in result.predicted],
    probabilities_NC=result.probabilities,
    classes=result.classes,
  )
  summary = results.summary(result)
  if (workdir / folds_file.FILE).exists():
    found = audit.find(evidence.from_run(workdir, report=summary))
    summary = results.with_audit(result, summary, found)
  write.write(workdir, result, summary, clips=clips)
  return summary


def _record(job):
  """Writes the audit's evidence: each fold's clips, what was fitted on what."""
  if multihost.is_first():
    label = job.clips['label']
    record.write(job.workdir, job.source, label, job.splits, job.config)


def _result(job, fitted, seconds):
  """The pooled predictions of all folds, with what the report says of them."""
  config, clips, splits = job.config, job.source, job.splits
  order = np.concatenate([fold.test for fold in splits])
  by_seed = np.stack([np.concatenate(one.held_out) for one in fitted])
  return results.Result(
    dataset=config.dataset.name,
    synthetic=clips.synthetic,
    release=config.dataset.release or 'synthetic, made by this package',
    maps=datasets.is_maps(config.dataset),
    literature=registry.DATASETS[config.dataset.name].literature,
    protocol=config.protocol.name,
    leaky=_leaky(config),
    selection=config.train.selection,
    seeds=job.seeds,
    config=config.to_dict(),
    model=from_config.name(config),
    parameters=fitted[0].parameters,
    classes=clips.classes,
    clip=tuple(clips.clip[i] for i in order),
    subject=tuple(clips.subject[i] for i in order),
    database=tuple(clips.database[i] for i in order),
    fold=tuple(fold.name for fold in splits for _ in fold.test),
    label=job.clips['label'][order],
    # Seeds are averaged before scoring; the spread of their scores is reported
    # beside that score.
    probabilities=by_seed.mean(0),
    seed_probabilities=by_seed if len(job.seeds) > 1 else None,
    history=metrics_log.read(job.workdir),
    findings=(*clips.findings, *divergence.findings_on(job.seeds, fitted)),
    seconds=seconds,
    versions=environment.versions(),
    device=environment.devices(),
    command=environment.command(),
    vector_bits=environment.vector_bits(),
    compiled_for=environment.compiled_for(),
    code=environment.code(),
    licence=registry.licence(config.dataset.name, clips.synthetic),
  )


def _announce(job):
  """Prints what is trained, and first of all what limits its scores."""
  config, clips, say = job.config, job.source, job.console.print
  if clips.synthetic:
    say('SYNTHETIC: the clips show rendered faces, not people.')
  reason = _leaky(config)
  if reason:
    say(f'LEAKY protocol {config.protocol.name}: {reason}.')
  if config.train.selection == 'oracle':
    say('LEAKY selection oracle: the epoch is chosen on the held-out clips.')
  if config.protocol.shuffle_labels:
    say('SHUFFLED LABELS: a control; scores must fall to chance.')
  say(
    f'{from_config.name(config)}: {len(job.splits)} fold(s) of '
    f'{config.protocol.name}, {len(clips.clip)} clips of '
    f'{len(set(clips.subject))} subjects, on {environment.devices()}'
  )


def _leaky(config):
  """Why the protocol or a deliberate leak makes a run leaky; '' if nothing."""
  reasons = (
    folds.why_leaky(config.protocol.name),
    deliberate_leaks.why_leaky(config.protocol),
  )
  return '; '.join(reason for reason in reasons if reason)
