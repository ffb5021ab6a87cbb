"""Trains all members of a run, or resumes their training.

A member is a fold with a seed. As many members as fit in memory (`blocks.py`)
are trained together in one program (`parallel.py`).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import normalize, pixel_scaling
from mefnet_jax.runs import checkpoints, curves, files, metrics_log
from mefnet_jax.training import (
  blocks,
  compiled_steps,
  input_pipeline,
  jobs,
  parallel,
  train_loop,
)


def train(job: jobs.Job, seeds: tuple[int, ...]) -> list[jobs.Fitted]:
  """Trains every fold with each seed, resuming from checkpoints.

  If pixels are scaled by statistics of each fold's training clips, folds cannot
  share clips; each is then trained alone, in its own folder below job.workdir.

  Returns:
    The result of each seed, in the order of the seeds.

  Raises:
    errors.Stopped: job.stop was set; the checkpoint is saved.
  """
  if job.config.protocol.statistics != 'folds':
    return fit(job, seeds)
  alone = [_of_fold(job, k) for k in range(len(job.splits))]
  fitted = [fit(one, seeds) for one in alone]
  metrics_log.merge(job.workdir, [one.workdir for one in alone])
  return [jobs.joined(seed) for seed in zip(*fitted, strict=True)]


def fit(job: jobs.Job, seeds: tuple[int, ...]) -> list[jobs.Fitted]:
  """Trains folds that share their clips, one block after another."""
  job.stop.patient = True  # a signal stops only after an epoch is saved
  try:
    return _fit(job, seeds)
  finally:
    job.stop.patient = False


def _fit(job, seeds):
  folds = len(job.splits)
  planned = blocks.read(job.workdir, seeds, folds) or blocks.write(
    job.workdir, _blocks(job, seeds)
  )
  fitted = {seed: jobs.Fitted() for seed in seeds}
  blocks.tell_unused(job.workdir, planned, job.console.print)
  rows = curves.read_rows(job.workdir)
  curves.check_members(job.workdir, rows, seeds, [f.name for f in job.splits])
  compiled = None
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
      if compiled is None or compiled.splits != splits:
        compiled = compiled_steps.CompiledSteps(job, splits)
      note = train_loop.TrainLoop(job, block, compiled, folder).run(done, note)
    for seed in block.seeds:
      _add(fitted[seed], block, seed, note, folder)
  return list(fitted.values())


def _add(one, block, seed, note, folder):
  """Appends a block's results of one seed to those of the blocks before it."""
  place = block.seeds.index(seed)
  one.held_out += [np.array(p) for p in note['probabilities'][place]]
  one.epochs += note['epochs'][place]
  one.moments += note['moments']
  members, epoch = (len(block.seeds), block.stop - block.start), note['epoch']
  one.weights += [
    jobs.Weights(folder, epoch, members, (place, f)) for f in range(members[1])
  ]
  one.diverged |= note['diverged'].get(str(seed), {})
  one.parameters = note['parameters']
  one.seconds += note['seconds'] / len(block.seeds)


def _of_fold(job, k):
  """The job of a single fold, its pixels scaled by its training clips."""
  fold, input_kind = job.splits[k], job.config.input
  # Only this fold's training clips are seen: `protocol.statistics=all` is the
  # leaky form.
  streams = pixel_scaling.scalable(job.clips)
  scale = pixel_scaling.constants(streams, fold.train, input_kind)
  # The name of a fold is that of a subject, which may hold a slash.
  names = files.flat_names(fold.name for fold in job.splits)
  workdir = job.workdir / 'folds' / names[fold.name]
  workdir.mkdir(parents=True, exist_ok=True)
  return dataclasses.replace(
    job,
    clips=job.clips | pixel_scaling.apply(streams, scale, input_kind),
    splits=(fold,),
    workdir=workdir,
  )


def _blocks(job, seeds):
  """The blocks that fit in memory; says so if they are several."""
  config, label, kind = job.config, job.clips['label'], job.config.input
  clips = normalize.measured(
    {k: jnp.asarray(x[[0]]) for k, x in job.clips.items()}, input_kind=kind
  )
  state = jax.eval_shape(
    compiled_steps.initializer(job),
    compiled_steps.one_clip(clips),
    jax.random.key(0),
  )
  sample = jax.eval_shape(
    lambda: normalize.batch(clips, np.zeros(1, np.int32), input_kind=kind)
  )
  blocks.check(state)
  budget = blocks.budget(config.train.memory)
  batch = min(config.train.batch_size, len(label))
  plan = parallel.plan(len(job.splits), config.train.parallel)
  fits = blocks.fitting(
    job.model,
    state,
    sample,
    batch,
    input_pipeline.on_devices(
      job.clips, batch * len(seeds), budget, plan.devices
    ),
    plan.copies,
    budget,
  )
  if input_pipeline.is_streamed(job.clips, budget, plan.devices):
    job.console.print(
      f'The clips do not fit beside a training in {budget / 1e9:.1f} GB: they '
      'are streamed'
    )
  made = blocks.blocks(seeds, len(job.splits), fits)
  if len(made) > 1:
    job.console.print(
      f'{len(seeds)} seed(s) x {len(job.splits)} folds do not fit in '
      f'{budget / 1e9:.1f} GB: they train in {len(made)} blocks, one after '
      'another'
    )
  return made
