"""This project: all folds in one program, by its own engine."""

import dataclasses
import sys

import jax
import numpy as np

from benchmarks.cross_validation import task
from benchmarks.models import ours
from benchmarks.models import task as models_task
from configs import base
from mefnet_jax.evaluation import folds
from mefnet_jax.runs import xla
from mefnet_jax.training import compiled_steps


@dataclasses.dataclass(frozen=True)
class Job:
  """The part of a `jobs.Job` that `compiled_steps.CompiledSteps` needs."""

  model: object
  arrays: dict
  config: object


def main(file):
  xla.tune_cpu()
  given = task.Task.read(file)
  streams = models_task.STREAMS[given.network.network]
  clips = {name: given.clips[name] for name in streams}
  config = untouched(base.get_config(), given.network.batch)
  job = Job(
    ours.network(given.network, given.dropout),
    {**clips, 'label': given.label},
    config,
  )
  compete(job, given.fold, ours.tree(given.network))


def untouched(config, batch):
  """The config with the task's rate and nothing that the peers lack."""
  config.train.batch_size = batch
  config.train.learning_rate, config.train.decay = task.RATE, 0.0
  config.train.class_weights = False
  return config


def compete(job, fold, tree):
  """Trains all folds, as often as asked, from the given weights.

  Args:
    job: the training.
    fold: (N,) index of the fold that holds each clip out.
    tree: the weights of one network.
  """
  splits = tuple(
    folds.Fold(
      f'{k}',
      train=np.flatnonzero(fold != k),
      test=np.flatnonzero(fold == k),
      validation=np.zeros(0, int),
    )
    for k in range(fold.max() + 1)
  )
  made = compiled_steps.CompiledSteps(job, splits)
  params = jax.tree.map(lambda x: np.asarray(x)[None], tree)

  def cross_validate(epochs):
    state = made.initial((0,)).replace(params=made.plan.spread(params))
    for epoch in range(1, epochs + 1):
      state, _ = made.train_epoch(state, (0,), epoch)
    held_out = made.probabilities(state.params, 'test')[0]
    answers = np.zeros((len(fold), held_out[0].shape[-1]))
    for split, found in zip(splits, held_out, strict=True):
      answers[split.test] = found
    return answers

  task.compete(cross_validate, f'jax {jax.__version__}')


if __name__ == '__main__':
  main(sys.argv[1])
