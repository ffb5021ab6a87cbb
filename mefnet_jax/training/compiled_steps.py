"""Compiles the training and evaluation steps of the members of a block."""

import collections
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from mefnet_jax import ops
from mefnet_jax.evaluation import folds, held_out_mask
from mefnet_jax.models import augment, network_cache, normalize
from mefnet_jax.training import (
  evaluate,
  input_pipeline,
  jobs,
  optimizer,
  parallel,
  sampler,
  train_step,
)


def initializer(job: jobs.Job) -> Callable:
  """Returns `train_step.create_state` as (clips, key) -> state, compiled.

  Args:
    job: with the network, its learning rate and decay.
  """
  config = job.config.train
  return _initializer(job.model, config.learning_rate, config.decay)


def one_clip(clips: dict) -> dict:
  """Returns zeros of the shapes of one clip, enough for `initializer`.

  Args:
    clips: as of `normalize.measured`, leaves (N, ...).

  Returns:
    The same tree, leaves (1, ...).
  """
  return jax.tree.map(lambda a: np.zeros((1, *a.shape[1:]), a.dtype), clips)


@network_cache.cached
def _initializer(model, learning_rate, decay):
  tx = optimizer.adam(learning_rate, decay)
  return jax.jit(functools.partial(train_step.create_state, model, tx))


@network_cache.cached
def _compiled(
  model,
  plan,
  learning_rate,
  decay,
  weight_decay,
  augmentation,
  mixup,
  input_kind,
  kernels,
  devices,
):
  """The training and the evaluation step of all members of a plan."""
  bound = dict(model=model, input_kind=input_kind)
  step = functools.partial(
    train_step.train_step,
    tx=optimizer.adam(learning_rate, decay),
    weight_decay=weight_decay,
    augmentation=augmentation,
    mixup=mixup,
    **bound,
  )
  judge = functools.partial(train_step.eval_step, **bound)
  return (
    _with_short_queue(parallel.map_training(step, plan, kernels)),
    parallel.map_evaluation(judge, plan, kernels),
  )


def _with_short_queue(step):
  """The training step, which waits until the one before the last is done.

  Otherwise jax would queue dozens, each with its clips and room for its maps.
  """
  queue = collections.deque()

  @functools.wraps(step)
  def waiting_step(*args):
    if len(queue) > 1:
      jax.block_until_ready(queue.popleft())
    state, sums = step(*args)
    queue.append(sums)
    return state, sums

  return waiting_step


class CompiledSteps:
  """The compiled steps for some folds, with any seeds.

  Args:
    job: what is trained.
    splits: the folds of the block.

  Attributes:
    step_all: `train_step.train_step` of all members, over all devices.
    plan: how the folds are distributed over the devices.
    moments: for each fold (mean, variance) by stream, by which its clips are
      scaled; None if each clip is scaled on its own.
  """

  def __init__(self, job: jobs.Job, splits: tuple[folds.Fold, ...]):
    config = job.config
    self.job, self.splits = job, splits
    # Both draw from a fold's own training clips, so that its batches are its
    # own; otherwise the folds of a seed share them, and the patches with them.
    own_order = config.train.sampling == 'balanced' or config.train.mixup > 0
    self.plan = parallel.plan(
      len(splits), config.train.parallel, own_order=own_order
    )
    self.feed = input_pipeline.make(job.arrays, config, self.plan)
    self.moments = [None] * len(splits)
    self.fold = self._fold_arguments()
    self._create_state = initializer(job)
    self.step_all, self._evaluate_all = _compiled(
      job.model,
      self.plan,
      config.train.learning_rate,
      config.train.decay,
      config.train.weight_decay,
      augment.Augmentation(**config.augment),
      config.train.mixup,
      config.input,
      ops.resolve(config.train.get('kernels', 'auto'))[0],
      # A compiled program is bound to its devices, and jax may re-create them.
      tuple(jax.local_devices()),
    )

  def _fold_arguments(self):
    """The `fold` argument of the step, on the devices: leaves (F, ...)."""
    job, config = self.job, self.job.config
    fold = {
      'weight': np.stack(
        [
          held_out_mask.masked_weights(
            job.arrays['label'],
            one.train,
            job.model.num_classes,
            balanced=config.train.class_weights,
          )
          for one in self.splits
        ]
      )
    }
    if config.scale == 'train':
      rows = [
        normalize.training_moments(self.feed.moments, one.train, job.arrays)
        for one in self.splits
      ]
      # As plain numbers, which the checkpoint's note and model.json can hold.
      self.moments = [
        {name: list(map(float, pair)) for name, pair in row.items()}
        for row in rows
      ]
      fold['moments'] = jax.tree.map(lambda *x: np.stack(x), *rows)
    return self.plan.place(self.plan.split(fold, axis=0))

  def shapes(self, seeds: tuple[int, ...]) -> train_step.TrainState:
    """Returns shapes and dtypes of the states of all members, (S, F, ...).

    Args:
      seeds: the S seeds of the block.
    """
    front = len(seeds), len(self.splits)
    one = jax.eval_shape(
      self._create_state, one_clip(self.feed.sample), jax.random.key(0)
    )
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((*front, *x.shape), x.dtype), one
    )

  def initial(self, seeds: tuple[int, ...]) -> train_step.TrainState:
    """Returns the initial states of all members, on the devices.

    The folds of a seed start from the same weights, which are computed once and
    repeated on the devices.

    Args:
      seeds: the S seeds of the block.
    """
    sample = one_clip(self.feed.sample)
    states = [self._create_state(sample, jax.random.key(s)) for s in seeds]
    return self.plan.spread(
      jax.tree.map(lambda *x: np.stack([np.asarray(one) for one in x]), *states)
    )

  def place(self, state: train_step.TrainState) -> train_step.TrainState:
    """Puts states (S, F, ...) from the host onto the devices."""
    return self.plan.place(self.plan.split(state))

  def train_epoch(
    self, state: train_step.TrainState, seeds: tuple[int, ...], epoch: int
  ) -> tuple[train_step.TrainState, dict[str, np.ndarray]]:
    """Trains all members for one epoch.

    Args:
      state: states of all members, on the devices; their memory is reused.
      seeds: the S seeds of the block.
      epoch: from 1 on; the order of the clips follows from it and the seed.

    Returns:
      The next state; sums (S, F) over all steps of what `train_step` returns.
    """
    sums = []
    for batch in self.batches(seeds, epoch):
      state, step_sums = self.step_all(state, *batch)
      sums.append(step_sums)
    return state, self._total(sums)

  def batches(
    self, seeds: tuple[int, ...], epoch: int
  ) -> Iterator[tuple[dict, dict, dict, jax.Array]]:
    """Yields the arguments of `step_all` after the state, step by step.

    Args:
      seeds: the S seeds of the block.
      epoch: from 1 on.

    Yields:
      fold, clips, order and key, as `parallel.map_training` describes them: the
      leaves of the order are (S, B), or with an order for each fold (S, F, B)
      as laid out by `Plan.split`; keys (S,).
    """
    orders_S = [self._orders(seed, epoch) for seed in seeds]
    order = jax.tree.map(lambda *x: np.stack(x), *orders_S)
    # A function of (seed, epoch, step) and of nothing that a resumed run lacks.
    keys = [jax.random.fold_in(jax.random.key(s), epoch) for s in seeds]
    for i, (clips, batch) in enumerate(self.feed.steps(order)):
      if self.plan.own_order:
        batch = self.plan.split(batch)
      key = jax.numpy.stack([jax.random.fold_in(k, i) for k in keys])
      yield self.fold, clips, batch, key

  def _total(self, sums):
    """The sums of all steps of an epoch, (S, F)."""
    joined = [self.plan.join(one) for one in sums]
    return jax.tree.map(lambda *x: np.sum(np.stack(x), 0), *joined)

  def _orders(self, seed, epoch):
    """A seed's order of the epoch: (steps, B), or (F, steps, B)."""
    job, plan = self.job, self.plan
    # A batch that is split over devices must divide evenly among them.
    multiple = plan.devices if plan.mode == 'batch' else 1
    size, label = job.config.train.batch_size, job.arrays['label']
    if not plan.own_order:
      return sampler.shared_order(
        len(label), size, multiple, seed=seed, epoch=epoch
      )
    rows = [
      sampler.fold_order(
        label,
        fold.train,
        size,
        multiple,
        sampling=job.config.train.sampling,
        seed=seed,
        epoch=epoch,
      )
      for fold in self.splits
    ]
    return jax.tree.map(lambda *x: np.stack(x), *rows)

  def probabilities(self, params: Any, side: str) -> list[list[np.ndarray]]:
    """Returns for each seed and fold the probabilities (clips, C), float64.

    Args:
      params: the weights of all members, on the devices.
      side: 'test' or 'validation', the clips to evaluate.
    """

    def step(index_FM):
      clips, at_FM = self.feed.take(index_FM)
      return self._evaluate_all(
        params, self.fold, clips, self.plan.split(at_FM, axis=0)
      )

    return evaluate.held_out_probabilities(
      step,
      [getattr(fold, side) for fold in self.splits],
      self.plan,
      self.job.config.train.batch_size,
    )
