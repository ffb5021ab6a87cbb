"""The predictions of all folds of a training, pooled for scoring."""

import numpy as np

from mefnet_jax import datasets
from mefnet_jax.datasets import registry
from mefnet_jax.evaluation import results
from mefnet_jax.models import from_config
from mefnet_jax.runs import environment, metrics_log
from mefnet_jax.training import deliberate_leaks, divergence, jobs, seed_results


def pool(
  job: jobs.Job,
  by_seed: list[seed_results.SeedResult],
  seconds: dict[str, float],
) -> results.Result:
  """Returns the predictions for all held-out clips, as a report needs them.

  Args:
    job: what has been trained.
    by_seed: the result of each seed, in the order of job.seeds.
    seconds: the time that each part of the run took, by name.

  Raises:
    errors.UserError: a probability is not finite.
  """
  config, clips, splits = job.config, job.source, job.splits
  order = np.concatenate([fold.test for fold in splits])
  probabilities_SNC = np.stack([np.concatenate(x.held_out) for x in by_seed])
  return results.Result(
    dataset=config.dataset.name,
    synthetic=clips.synthetic,
    release=config.dataset.release or 'synthetic, made by this package',
    maps=datasets.is_maps(config.dataset),
    literature=registry.DATASETS[config.dataset.name].literature,
    protocol=config.protocol.name,
    leaky=deliberate_leaks.why_leaky(config.protocol),
    selection=config.train.selection,
    seeds=job.seeds,
    config=config.to_dict(),
    model=from_config.name(config),
    parameters=by_seed[0].parameters,
    classes=clips.classes,
    clip=tuple(clips.clip[i] for i in order),
    subject=tuple(clips.subject[i] for i in order),
    database=tuple(clips.database[i] for i in order),
    fold=tuple(fold.name for fold in splits for _ in fold.test),
    label=job.arrays['label'][order],
    # Seeds are averaged before scoring; the spread of their scores is reported
    # beside that score.
    probabilities=probabilities_SNC.mean(0),
    seed_probabilities=probabilities_SNC if len(job.seeds) > 1 else None,
    history=metrics_log.read(job.workdir),
    findings=(*clips.findings, *divergence.findings_on(job.seeds, by_seed)),
    seconds=seconds,
    versions=environment.versions(),
    device=environment.devices(),
    command=environment.command(),
    vector_bits=environment.vector_bits(),
    compiled_for=environment.compiled_for(),
    code=environment.code(),
    licence=registry.licence(config.dataset.name, clips.synthetic),
  )
