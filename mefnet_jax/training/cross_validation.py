"""Trains all members of a run, or resumes their training.

A member is a fold with a seed. As many members as fit in memory (`blocks.py`)
are trained together in one program (`compiled_steps.py`).
"""

import contextlib
import dataclasses

from mefnet_jax.models import pixel_scaling
from mefnet_jax.runs import (
  checkpoints,
  curves,
  errors,
  files,
  metrics_log,
  multihost,
  progress,
  xla,
)
from mefnet_jax.training import (
  block_plan,
  block_record,
  compiled_steps,
  jobs,
  seed_results,
)


def train(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Trains every fold with each seed, resuming from checkpoints.

  If pixels are scaled by statistics of each fold's training clips, folds cannot
  share clips; each is then trained alone, in its own folder below job.workdir.

  Returns:
    The result of each seed, in the order of the seeds.

  Raises:
    errors.UserError: not even one member fits in memory, or the workdir holds
      blocks or curves of another run.
    errors.Stopped: job.stop was set; the checkpoint is saved.
  """
  if job.config.protocol.statistics != 'folds':
    return train_folds(job, seeds)
  alone = [_job_of_fold(job, k) for k in range(len(job.splits))]
  by_fold = [train_folds(one, seeds) for one in alone]
  metrics_log.merge(job.workdir, [one.workdir for one in alone])
  return [seed_results.join(folds) for folds in zip(*by_fold, strict=True)]


def train_folds(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Trains folds that share their clips, one block after another.

  Returns, Raises: as `train`.
  """
  results = {seed: seed_results.SeedResult() for seed in seeds}
  with _stopped_after_an_epoch(job.stop):
    planned = block_plan.plan(job, seeds)
    rows = curves.read_rows(job.workdir)
    curves.check_members(job.workdir, rows, seeds, [f.name for f in job.splits])
    steps = None
    for block in planned:
      folder = job.workdir / 'checkpoints' / block.name
      done, note = checkpoints.latest(
        folder, job.console.print, identity=jobs.identity(job, block)
      )
      splits = job.splits[block.start : block.stop]
      names = [fold.name for fold in splits]
      curves.check(job.workdir, rows, block, names, note, done)
      if 'probabilities' not in note:
        # Blocks that differ only in their seeds share one compiled program.
        if steps is None or steps.splits != splits:
          steps = compiled_steps.CompiledSteps(job, splits)
        note = _train_block(job, block, steps, folder, done, note)
      for seed in block.seeds:
        results[seed].add(block, seed, note, folder)
  return list(results.values())


def _train_block(job, block, steps, folder, done, note):
  """Trains the epochs after `done`; returns the note of the last checkpoint."""
  config = job.config.train
  record = block_record.BlockRecord(job, block, steps, folder)
  state = record.begin(done, note)
  title = block.name.replace('.', ', ')
  traced = min(done + 2, config.epochs)  # the first one compiles
  with (
    record.curves,
    progress.progress(job.console, title, done, config.epochs) as show,
  ):
    for epoch in range(done + 1, config.epochs + 1):
      with xla.profiled(job.workdir, config.profile and epoch == traced):
        state, sums = steps.train_epoch(state, block.seeds, epoch)
        status = record.add_training(sums, epoch)
      show(epoch, *status)
      last = epoch == config.epochs
      if last or _every(config.evaluate_every, epoch):
        record.evaluate(state, epoch)
        last = last or record.out_of_patience(epoch)
      # All processes stop after the same epoch, or the others would wait.
      stop = multihost.any_of(job.stop.is_set())
      if not last and (stop or _every(config.checkpoint_every, epoch)):
        record.save(state, epoch)
      if last:
        break
      if stop:
        raise errors.Stopped(
          f'stopped after epoch {epoch} of {config.epochs}; run the same '
          'command again to resume'
        )
    record.flush_curves()
  return record.end(state, epoch)


def _every(period, epoch):
  return period > 0 and epoch % period == 0


@contextlib.contextmanager
def _stopped_after_an_epoch(stop):
  """Lets a signal stop the training only after an epoch has been saved."""
  stop.patient = True
  try:
    yield
  finally:
    stop.patient = False


def _job_of_fold(job, k):
  """The job of a single fold, its pixels scaled by its training clips."""
  fold, input_kind = job.splits[k], job.config.input
  # Only this fold's training clips are seen: `protocol.statistics=all` is the
  # leaky form.
  streams = pixel_scaling.scalable(job.arrays)
  scale = pixel_scaling.constants(streams, fold.train, input_kind)
  # The name of a fold is that of a subject, which may hold a slash.
  names = files.flat_names(fold.name for fold in job.splits)
  workdir = job.workdir / 'folds' / names[fold.name]
  workdir.mkdir(parents=True, exist_ok=True)
  return dataclasses.replace(
    job,
    arrays=job.arrays | pixel_scaling.apply(streams, scale, input_kind),
    splits=(fold,),
    workdir=workdir,
  )
