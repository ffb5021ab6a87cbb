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
from mefnet_jax.training import compiled_steps, train_loop


@dataclasses.dataclass(frozen=True)
class Job:
  """What `compiled_steps.CompiledSteps` asks of a `jobs.Job`."""

  model: object
  clips: dict
  config: object


def main(file):
  xla.tune_cpu()
  given = task.Task.read(file)
  config = base.get_config()
  config.train.batch_size = given.network.batch
  config.train.learning_rate, config.train.decay = task.RATE, 0.0
  config.train.class_weights = False
  network = ours.network(given.network, given.dropout)
  streams = models_task.STREAMS[given.network.network]
  clips = {name: given.clips[name] for name in streams}
  job = Job(network, {**clips, 'label': given.label}, config)
  splits = tuple(
    folds.Fold(
      f'{k}',
      train=np.flatnonzero(given.fold != k),
      test=np.flatnonzero(given.fold == k),
      validation=np.zeros(0, int),
    )
    for k in range(given.folds)
  )
  made = compiled_steps.CompiledSteps(job, splits)
  params = jax.tree.map(lambda x: np.asarray(x)[None], ours.tree(given.network))

  def cross_validate(epochs):
    state = made.initial((0,)).replace(params=made.plan.spread(params))
    for epoch in range(1, epochs + 1):
      state, _ = train_loop.train_epoch(made, state, (0,), epoch)
    answers = np.zeros((len(given.label), models_task.CLASSES))
    held_out = made.probabilities(state.params, 'test')[0]
    for fold, found in zip(splits, held_out, strict=True):
      answers[fold.test] = found
    return answers

  task.compete(cross_validate, f'jax {jax.__version__}')


if __name__ == '__main__':
  main(sys.argv[1])
