"""Plans the blocks of a run by the memory that a training needs."""

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax.models import normalize
from mefnet_jax.training import (
  blocks,
  compiled_steps,
  input_pipeline,
  jobs,
  memory,
  parallel,
)


def plan(job: jobs.Job, seeds: tuple[int, ...]) -> list[blocks.Block]:
  """Returns the blocks of a run: those that it began with, or the fewest.

  Checkpoints of other blocks are reported.

  Args:
    job: what is trained.
    seeds: with which each fold is trained.

  Raises:
    errors.UserError: not even one member fits in memory, or blocks.json is
      damaged.
  """
  planned = blocks.read(job.workdir, seeds, len(job.splits)) or blocks.write(
    job.workdir, _divided(job, seeds)
  )
  blocks.report_unused(job.workdir, planned, job.console.print)
  return planned


def _divided(job, seeds):
  """The blocks that fit in memory; several are announced."""
  config, kind = job.config, job.config.input
  clips = normalize.measured(
    {k: jnp.asarray(x[[0]]) for k, x in job.arrays.items()}, input_kind=kind
  )
  state = jax.eval_shape(
    compiled_steps.initializer(job),
    compiled_steps.one_clip(clips),
    jax.random.key(0),
  )
  memory.check(state)
  budget = memory.budget(config.train.memory)
  batch_size = min(config.train.batch_size, len(job.arrays['label']))
  plan = parallel.plan(len(job.splits), config.train.parallel)
  index_B = np.zeros(-(-batch_size // plan.copies), np.int32)
  sample = jax.eval_shape(
    lambda: normalize.batch(clips, index_B, input_kind=kind)
  )
  fits = memory.fits(
    job.model,
    state,
    sample,
    kernels=config.train.get('kernels', 'auto'),
    clip_bytes=input_pipeline.device_bytes(
      job.arrays, batch_size * len(seeds), budget, plan.devices
    ),
    copies=plan.copies,
    budget=budget,
  )
  if input_pipeline.is_streamed(job.arrays, budget, plan.devices):
    job.console.print(
      f'The clips do not fit beside a training in {budget / 1e9:.1f} GB: they '
      'are streamed'
    )
  planned = blocks.divide(seeds, len(job.splits), fits)
  if len(planned) > 1:
    job.console.print(
      f'{len(seeds)} seed(s) x {len(job.splits)} folds do not fit in '
      f'{budget / 1e9:.1f} GB: they train in {len(planned)} blocks, one after '
      'another'
    )
  return planned
