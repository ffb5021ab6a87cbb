"""The epochs of one block of members: curves, checkpoints and selection."""

import math
import pathlib
import time

import jax
import numpy as np

from mefnet_jax.runs import (
  checkpoints,
  curves,
  errors,
  multihost,
  progress,
  xla,
)
from mefnet_jax.training import (
  best_epoch,
  blocks,
  compiled_steps,
  evaluate,
  jobs,
  train_step,
)


def train_epoch(
  steps: compiled_steps.CompiledSteps,
  state: train_step.TrainState,
  seeds: tuple[int, ...],
  epoch: int,
) -> tuple[train_step.TrainState, dict[str, np.ndarray]]:
  """Trains all members for one epoch; returns states, and (S, F) sums of steps.

  `steps.train_step` is `train_step.train_step` for all members at once.
  """
  sums = []
  for batch in steps.batches(seeds, epoch):
    state, step_sums = steps.train_step(state, *batch)
    sums.append(step_sums)
  return state, steps.total(sums)


class TrainLoop:
  """Trains one block and writes its curves and checkpoints.

  Args:
    job: what is trained.
    block: its members.
    compiled: the steps of the block's folds.
    folder: of the block's checkpoints.
  """

  def __init__(
    self,
    job: jobs.Job,
    block: blocks.Block,
    compiled: compiled_steps.CompiledSteps,
    folder: pathlib.Path,
  ):
    self.job, self.block, self.steps = job, block, compiled
    self.folder, self.identity = folder, jobs.identity(job, block)
    self.members = (len(block.seeds), len(compiled.splits))
    config = job.config.train
    self.best = None
    if config.selection != 'last':
      self.best = best_epoch.Best(compiled.plan, config.patience)

  def run(self, done: int, note: dict) -> dict:
    """Trains the epochs after `done`.

    Args:
      done: epochs of the newest checkpoint, 0 if there is none.
      note: of that checkpoint.

    Returns:
      The note of the last checkpoint: probabilities and epochs of each seed
      and fold, and what has diverged.

    Raises:
      errors.Stopped: job.stop was set; the checkpoint is saved.
    """
    job, block, config = self.job, self.block, self.job.config.train
    state = self._begin(done, note)
    started = time.monotonic() - self.note['seconds']
    title = block.name.replace('.', ', ')
    names = [fold.name for fold in self.steps.splits]
    traced = min(done + 2, config.epochs)  # the first one compiles
    with (
      curves.History(job.workdir, block, names, done) as history,
      progress.progress(job.console, title, done, config.epochs) as show,
    ):
      for epoch in range(done + 1, config.epochs + 1):
        with xla.profiled(job.workdir, config.profile and epoch == traced):
          state, status = self._epoch(state, epoch, history)
        show(epoch, *status)
        last = epoch == config.epochs
        if last or _every(config.evaluate_every, epoch):
          self._evaluate(state, epoch, history)
          last = last or self._out_of_patience(epoch)
        # All processes stop after the same epoch, or the others would wait.
        stop = multihost.any_of(job.stop.is_set())
        if not last and (stop or _every(config.checkpoint_every, epoch)):
          self._save(state, epoch, history, started)
        if last:
          break
        if stop:
          raise errors.Stopped(
            f'stopped after epoch {epoch} of {config.epochs}; run the same '
            'command again to resume'
          )
      self.note['curves'] = history.flush()
    return self._end(state, epoch, started)

  def _begin(self, done, note):
    """The initial or restored state, on the devices."""
    compiled, seeds = self.steps, self.block.seeds
    like = compiled.like(seeds)
    self.note = {
      'parameters': sum(
        math.prod(x.shape[2:]) for x in jax.tree.leaves(like.params)
      ),
      'seconds': note.get('seconds', 0.0),
      'diverged': note.get('diverged', {}),
    }
    if not done:
      state = compiled.initial(seeds)
      if self.best:
        params = compiled.plan.join(state.params)
        self.best.restore(best_epoch.initial(params, self.members))
      return state
    self.job.console.print(f'{self.block.name} resumes after epoch {done}.')
    tree = {'state': like}
    if self.best:
      tree['best'] = best_epoch.initial(like.params, self.members)
    tree = checkpoints.load(self.folder, done, tree)
    if self.best:
      self.best.restore(tree['best'])
    return compiled.place(tree['state'])

  def _epoch(self, state, epoch, history):
    """Trains one epoch; returns the state and what the progress bar shows."""
    seeds = self.block.seeds
    state, total = train_epoch(self.steps, state, seeds, epoch)
    weight_SF = np.maximum(total['weight'], 1e-12)
    loss_SF = total['loss'] / weight_SF
    accuracy_SF = total['correct'] / np.maximum(total['clips'], 1)
    accuracy_SF = np.where(np.isfinite(loss_SF), accuracy_SF, np.nan)
    for s, seed in enumerate(self.block.seeds):
      for f, fold in enumerate(self.steps.splits):
        history.add(
          epoch,
          seed,
          fold.name,
          'train',
          loss=loss_SF[s, f],
          accuracy=accuracy_SF[s, f],
        )
        if not np.isfinite(loss_SF[s, f]):
          self._diverged(seed, fold.name, epoch)
    text = (
      f'loss {_mean(loss_SF):.3f}, accuracy {_mean(accuracy_SF):.3f} (mean of '
      f'{loss_SF.size}, training clips)'
    )
    return state, (text, int(total['clips'].sum()), self._by_fold(loss_SF))

  def _diverged(self, seed, name, epoch):
    """Reports once that a member has diverged; the others are unaffected."""
    lost = self.note['diverged'].setdefault(str(seed), {})
    if name not in lost:
      lost[name] = epoch
      self.job.console.print(
        f'fold {name} of seed {seed} DIVERGED in epoch {epoch}: its loss is '
        'not finite; the other folds continue. Set a lower '
        '--config.train.learning_rate'
      )

  def _by_fold(self, loss_SF):
    """The loss of each fold, for the progress bar."""
    words = []
    for f, fold in enumerate(self.steps.splits):
      loss = loss_SF[:, f].mean()
      words.append(
        f'{fold.name} {loss:.2f}'
        if np.isfinite(loss)
        else f'{fold.name} diverged'
      )
    return '  '.join(words)

  def _evaluate(self, state, epoch, history):
    """Records held-out and validation curves, and updates the best epoch."""
    held_out = self.steps.probabilities(state.params, 'test')
    scores = self._scores(held_out, 'test', epoch, 'held-out', history)
    choice = self.job.config.train.selection
    if choice == 'validation':
      found = self.steps.probabilities(state.params, 'validation')
      scores = self._scores(found, 'validation', epoch, 'validation', history)
      self.best.update(state.params, scores['loss'], epoch)
    elif choice == 'oracle':
      self.best.update(state.params, -scores['accuracy'], epoch)

  def _scores(self, found, side, epoch, split, history):
    """Loss and accuracy (S, F) of each fold's clips, also added to history."""
    label_N = self.job.clips['label']
    table = {key: np.zeros(self.members) for key in ('loss', 'accuracy')}
    for s, seed in enumerate(self.block.seeds):
      for f, fold in enumerate(self.steps.splits):
        index = getattr(fold, side)
        scores = evaluate.scores(found[s][f], label_N[index])
        history.add(epoch, seed, fold.name, split, **scores)
        for key, value in scores.items():
          table[key][s, f] = value
    return table

  def _out_of_patience(self, epoch):
    """Whether the patience of all members has run out."""
    config = self.job.config.train
    if not self.best:
      return False
    # Asked of the next evaluation, which could no longer change anything.
    return bool(self.best.stopped(epoch + config.evaluate_every).all())

  def _save(self, state, epoch, history, started):
    """Saves a checkpoint, after its rows have been written to the disk."""
    self.note['seconds'] = time.monotonic() - started
    self.note['curves'] = history.flush()
    tree = {'state': self.steps.plan.join(state)}
    if self.best:
      tree['best'] = self.best.tree()
    checkpoints.save(
      self.folder, epoch, tree, self.note, identity=self.identity
    )

  def _end(self, state, epoch, started):
    """Saves the last checkpoint: the tested weights and their predictions."""
    params, epochs = state.params, np.full(self.members, epoch)
    if self.best:
      params, epochs = self.best.params, self.best.epoch
    held_out = self.steps.probabilities(params, 'test')
    self.note |= {
      'seconds': time.monotonic() - started,
      'epoch': epoch,
      'epochs': epochs.tolist(),
      'moments': self.steps.moments,
      'probabilities': [
        [
          self._finite(p, fold, seed, epoch).tolist()
          for p, fold in zip(row, self.steps.splits, strict=True)
        ]
        for row, seed in zip(held_out, self.block.seeds, strict=True)
      ],
    }
    tree = {'params': self.steps.plan.join(params)}
    checkpoints.save(
      self.folder, epoch, tree, self.note, identity=self.identity, keep=1
    )
    return self.note

  def _finite(self, p_MC, fold, seed, epoch):
    """Replaces a diverged member's predictions by its class frequencies."""
    if np.isfinite(p_MC).all():
      return p_MC
    self._diverged(seed, fold.name, epoch)  # in case its last step diverged
    label = self.job.clips['label'][fold.train]
    # A clip without a prediction would drop out of the pooled scores; with
    # these it counts as what it is, a guess.
    frequency_C = np.bincount(label, minlength=p_MC.shape[1]) / len(label)
    return np.broadcast_to(frequency_C, p_MC.shape)


def _mean(values):
  """The mean of the finite values; nan if there are none."""
  finite = values[np.isfinite(values)]
  return finite.mean() if finite.size else np.nan


def _every(period: int, epoch: int) -> bool:
  return period > 0 and epoch % period == 0
