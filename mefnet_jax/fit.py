"""The loop: trains all folds of one seed, stops and resumes anywhere."""

import dataclasses
import functools
import pathlib
import threading
import time

import jax
import numpy as np
import rich.console
from flax import linen as nn

from mefnet_jax import (
  checkpoints,
  errors,
  evaluate,
  folds,
  inputs,
  logs,
  losses,
  optimizers,
  parallel,
  train,
)


@dataclasses.dataclass(frozen=True)
class Job:
  """What one seed's training needs to know.

  clips: streams (N, T, H, W, C) uint8 and 'label' (N,), on the host.
  splits: the folds; fingerprint: of the clips, labels and folds.
  config: of the run; stop: set when the process is asked to leave.
  """

  model: nn.Module
  clips: dict[str, np.ndarray]
  splits: tuple[folds.Fold, ...]
  config: object
  workdir: pathlib.Path
  fingerprint: str
  console: rich.console.Console
  stop: threading.Event


@dataclasses.dataclass(frozen=True)
class Fitted:
  """What one seed's training leaves: each fold's held-out clips, judged.

  held_out: probabilities (test clips, C) of each fold, by the last epoch's
  weights; parameters: of one network; seconds: of training, all parts of a
  resumed run together.
  """

  held_out: list[np.ndarray]
  parameters: int
  seconds: float


def fit(job: Job, seeds: tuple[int, ...]) -> list[Fitted]:
  """Trains every fold with each seed, or goes on where a checkpoint ends.

  Raises:
    errors.Stopped: job.stop was set; the checkpoint is saved.
  """
  engine = None
  fitted = []
  for seed in seeds:
    folder = job.workdir / 'checkpoints' / f'seed{seed}'
    done, note = _newest(job, folder)
    if 'probabilities' not in note:
      engine = engine or _Engine(job)  # compiled once for all seeds
      note = engine.run(seed, done, note, folder)
    held_out = [np.array(p) for p in note['probabilities']]
    fitted.append(Fitted(held_out, note['parameters'], note['seconds']))
  return fitted


def _newest(job, folder):
  """Epochs done and the note of the newest checkpoint of these clips."""
  done, note = checkpoints.latest(folder, job.console.print)
  if done and note['fingerprint'] != job.fingerprint:
    job.console.print('The clips have changed: training starts anew.')
    return 0, {}
  return done, note


class _Engine:
  """The compiled steps, and the loop over a seed's epochs."""

  def __init__(self, job: Job):
    config = job.config
    self.job = job
    self.plan = parallel.plan(len(job.splits), config.train.parallel)
    self.tx = optimizers.adam(config.train.learning_rate, config.train.decay)
    self.clips = self.plan.share(inputs.measured(job.clips, how=config.input))
    bound = dict(model=job.model, how=config.input)
    step = functools.partial(
      train.train_step,
      tx=self.tx,
      weight_decay=config.train.weight_decay,
      **bound,
    )
    self.train_step = parallel.train_step(step, self.plan)
    self.eval_step = parallel.eval_step(
      functools.partial(train.eval_step, **bound), self.plan
    )
    weight_FN = np.stack(
      [
        losses.clip_weights(
          job.clips['label'],
          fold.train,
          job.model.num_classes,
          balanced=config.train.class_weights,
        )
        for fold in job.splits
      ]
    )
    self.weight_FN = self.plan.place(self.plan.split(weight_FN))

    create = functools.partial(train.create_state, job.model, self.tx)
    self.create_state = jax.jit(create)

  def initial(self, seed: int) -> train.TrainState:
    """States of all folds (folds, ...), all from the same weights."""
    state = self.create_state(self.clips, jax.random.key(seed))
    copies = len(self.job.splits)
    return jax.tree.map(
      lambda x: np.broadcast_to(np.asarray(x), (copies, *x.shape)), state
    )

  def run(self, seed, done, note, folder):
    """The epochs after `done`; the note of the last checkpoint."""
    job, config = self.job, self.job.config.train
    state = self.initial(seed)
    parameters = sum(x[0].size for x in jax.tree.leaves(state.params))
    note = {
      'fingerprint': job.fingerprint,
      'parameters': parameters,
      'seconds': note.get('seconds', 0.0),
    }
    if done:
      job.console.print(f'Seed {seed} goes on after epoch {done}.')
      state = checkpoints.load(folder, done, state)
    state = self.plan.place(self.plan.split(state))
    started = time.monotonic() - note['seconds']
    with (
      logs.History(job.workdir, seed, done) as history,
      logs.progress(job.console, f'seed {seed}', done, config.epochs) as tell,
    ):
      for epoch in range(done + 1, config.epochs + 1):
        state, said = self.epoch(state, seed, epoch, history)
        tell(epoch, said)
        last = epoch == config.epochs
        if last or _every(config.evaluate_every, epoch):
          held_out = self.evaluate(state, epoch, history)
        due = _every(config.checkpoint_every, epoch) or job.stop.is_set()
        if due and not last:
          note['seconds'] = time.monotonic() - started
          history.flush()
          checkpoints.save(folder, epoch, self.plan.join(state), note)
        if job.stop.is_set() and not last:
          raise errors.Stopped(
            f'stopped after epoch {epoch} of {config.epochs}; run the same '
            'command to go on'
          )
      history.flush()
    note['seconds'] = time.monotonic() - started
    note['probabilities'] = [p.tolist() for p in held_out]
    params = {'params': self.plan.join(state.params)}
    checkpoints.save(folder, config.epochs, params, note, keep=1)
    return note

  def epoch(self, state, seed, epoch, history):
    """All clips once; the state, and what the bar says."""
    index_SB, valid_SB = train.epoch_batches(
      len(self.job.clips['label']),
      self.job.config.train.batch_size,
      self.plan.devices if self.plan.mode == 'batch' else 1,
      seed=seed,
      epoch=epoch,
    )
    key = jax.random.fold_in(jax.random.key(seed), epoch)
    sums = []
    for i, batch in enumerate(zip(index_SB, valid_SB, strict=True)):
      step_key = jax.random.fold_in(key, i)
      state, step_sums = self.train_step(
        state, self.weight_FN, self.clips, *batch, step_key
      )
      sums.append(step_sums)
    total = jax.tree.map(lambda *x: np.sum(np.stack(x), 0), *sums)
    total = self.plan.join(total)
    loss_F = total['loss'] / total['weight']
    accuracy_F = total['correct'] / total['clips']
    for fold, loss, accuracy in zip(
      self.job.splits, loss_F, accuracy_F, strict=True
    ):
      history.add(epoch, fold.name, 'train', loss=loss, accuracy=accuracy)
    said = f'loss {loss_F.mean():.3f}, accuracy {accuracy_F.mean():.3f}'
    return state, f'{said} (mean of {len(loss_F)} folds, training clips)'

  def evaluate(self, state, epoch, history):
    """Probabilities of held-out clips, shown in the curves, used by none."""
    job = self.job
    held_out = evaluate.held_out(
      self.eval_step,
      state.params,
      self.clips,
      job.splits,
      self.plan,
      job.config.train.batch_size,
    )
    for fold, probabilities_MC in zip(job.splits, held_out, strict=True):
      scores = evaluate.scores(probabilities_MC, job.clips['label'][fold.test])
      history.add(epoch, fold.name, 'held-out', **scores)
    return held_out


def _every(period: int, epoch: int) -> bool:
  return period > 0 and epoch % period == 0
