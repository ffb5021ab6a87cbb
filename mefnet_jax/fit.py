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


def fit(job: Job, seed: int) -> tuple[list[np.ndarray], int, float]:
  """Trains every fold with this seed, or goes on where a checkpoint ends.

  Returns:
    Probabilities of each fold's held-out clips (last epoch's weights), the
    parameters of one network, and the seconds that training took in all.

  Raises:
    errors.Stopped: job.stop was set; the checkpoint is saved.
  """
  folder = job.workdir / 'checkpoints' / f'seed{seed}'
  done, note = checkpoints.latest(folder, job.console.print)
  if note.get('fingerprint', job.fingerprint) != job.fingerprint:
    job.console.print('The clips have changed: this seed is trained anew.')
    done, note = 0, {}
  if 'probabilities' in note:
    held_out = [np.array(p) for p in note['probabilities']]
    return held_out, note['parameters'], note['seconds']
  engine = _Engine(job, seed)
  state = engine.initial()
  if done:
    job.console.print(f'Seed {seed} goes on after epoch {done}.')
    state = checkpoints.load(folder, done, state)
  history = logs.History(job.workdir, seed, done)
  try:
    return engine.run(state, done, note.get('seconds', 0.0), history, folder)
  finally:
    history.close()


class _Engine:
  """The compiled steps of one seed, and the loop over its epochs."""

  def __init__(self, job: Job, seed: int):
    config = job.config
    self.job, self.seed = job, seed
    self.plan = parallel.plan(len(job.splits), config.train.parallel)
    self.tx = optimizers.adam(config.train.learning_rate, config.train.decay)
    self.clips = self.plan.share(job.clips)
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

  def initial(self) -> train.TrainState:
    """States of all folds (folds, ...), all from the same weights."""
    key = jax.random.key(self.seed)
    create = functools.partial(train.create_state, self.job.model, self.tx)
    state = jax.jit(create)(self.clips, key)
    copies = len(self.job.splits)
    return jax.tree.map(
      lambda x: np.broadcast_to(np.asarray(x), (copies, *x.shape)), state
    )

  def run(self, state, done, seconds, history, folder):
    """The epochs after `done`; see `fit`."""
    job, config = self.job, self.job.config.train
    parameters = sum(x[0].size for x in jax.tree.leaves(state.params))
    facts = {'fingerprint': job.fingerprint, 'parameters': parameters}
    state = self.plan.place(self.plan.split(state))
    started = time.monotonic() - seconds
    with logs.progress(job.console) as bar:
      task = bar.add_task(f'seed {self.seed}', total=config.epochs, say='')
      bar.update(task, completed=done)
      for epoch in range(done + 1, config.epochs + 1):
        state, said = self.epoch(state, epoch, history)
        bar.update(task, completed=epoch, say=said)
        if not job.console.is_terminal and _every(
          max(1, config.epochs // 8), epoch
        ):
          job.console.print(f'epoch {epoch}/{config.epochs}: {said}')
        last = epoch == config.epochs
        if last or _every(config.evaluate_every, epoch):
          held_out = self.evaluate(state, epoch, history)
        due = _every(config.checkpoint_every, epoch) or job.stop.is_set()
        if due and not last:
          facts['seconds'] = time.monotonic() - started
          history.flush()
          checkpoints.save(folder, epoch, self.plan.join(state), facts)
          if job.stop.is_set():
            raise errors.Stopped(
              f'stopped after epoch {epoch} of {config.epochs}; run the '
              'same command to go on'
            )
    facts['seconds'] = time.monotonic() - started
    facts['probabilities'] = [p.tolist() for p in held_out]
    history.flush()
    params = {'params': self.plan.join(state.params)}
    checkpoints.save(folder, config.epochs, params, facts, keep=1)
    return held_out, parameters, facts['seconds']

  def epoch(self, state, epoch, history):
    """All clips once; the state, and what the bar says."""
    config = self.job.config.train
    index_SB, valid_SB = train.epoch_batches(
      len(self.job.clips['label']),
      config.batch_size,
      self.plan.devices if self.plan.mode == 'batch' else 1,
      seed=self.seed,
      epoch=epoch,
    )
    key = jax.random.fold_in(jax.random.key(self.seed), epoch)
    sums = []
    for i, (index_B, valid_B) in enumerate(
      zip(index_SB, valid_SB, strict=True)
    ):
      state, step_sums = self.train_step(
        state,
        self.weight_FN,
        self.clips,
        index_B,
        valid_B,
        jax.random.fold_in(key, i),
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
