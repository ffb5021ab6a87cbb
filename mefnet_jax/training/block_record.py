"""The record of a block's training: curves, best epochs, checkpoints."""

import math
import pathlib
import time

import jax
import numpy as np

from mefnet_jax.runs import checkpoints, curves
from mefnet_jax.training import (
  best_epoch,
  blocks,
  compiled_steps,
  evaluate,
  jobs,
  train_step,
)


class BlockRecord:
  """Records the training of a block, and restores it.

  Axes: S seeds and F folds of the block.

  Args:
    job: what is trained.
    block: its members.
    steps: the compiled steps of its folds.
    folder: for its checkpoints.

  Attributes:
    curves: opened by `begin`; the caller closes them.
  """

  def __init__(
    self,
    job: jobs.Job,
    block: blocks.Block,
    steps: compiled_steps.CompiledSteps,
    folder: pathlib.Path,
  ):
    self._job, self._block, self._steps = job, block, steps
    self._folder, self._identity = folder, jobs.identity(job, block)
    self._members = (len(block.seeds), len(steps.splits))
    config = job.config.train
    self._best = None
    if config.selection != 'last':
      self._best = best_epoch.Best(steps.plan, config.patience)

  def begin(self, done: int, note: dict) -> train_step.TrainState:
    """Returns the initial or the restored states (S, F, ...), on the devices.

    Args:
      done: epochs of the newest checkpoint, 0 if there is none.
      note: the note of that checkpoint.
    """
    state = self._restored(done) if done else self._initial()
    shapes = jax.tree.leaves(self._steps.shapes(self._block.seeds).params)
    self._note = {
      'parameters': sum(math.prod(x.shape[2:]) for x in shapes),
      'seconds': note.get('seconds', 0.0),
      'diverged': note.get('diverged', {}),
    }
    self._started = time.monotonic() - self._note['seconds']
    names = [fold.name for fold in self._steps.splits]
    self.curves = curves.History(self._job.workdir, self._block, names, done)
    return state

  def _initial(self):
    state = self._steps.initial(self._block.seeds)
    if self._best:
      params = self._steps.plan.join(state.params)
      self._best.restore(best_epoch.initial(params, self._members))
    return state

  def _restored(self, done):
    self._job.console.print(f'{self._block.name} resumes after epoch {done}.')
    like = self._steps.shapes(self._block.seeds)
    tree = {'state': like}
    if self._best:
      tree['best'] = best_epoch.initial(like.params, self._members)
    tree = checkpoints.load(self._folder, done, tree)
    if self._best:
      self._best.restore(tree['best'])
    return self._steps.place(tree['state'])

  def add_training(
    self, sums: dict[str, np.ndarray], epoch: int
  ) -> tuple[str, int, str]:
    """Adds an epoch of training to the curves, and reports what has diverged.

    Args:
      sums: (S, F) of the epoch, of `CompiledSteps.train_epoch`.
      epoch: from 1 on.

    Returns:
      What the progress bar shows: the mean scores, the number of clips that all
      members trained on, and the loss of each fold.
    """
    loss_SF = sums['loss'] / np.maximum(sums['weight'], 1e-12)
    accuracy_SF = sums['correct'] / np.maximum(sums['clips'], 1)
    accuracy_SF = np.where(np.isfinite(loss_SF), accuracy_SF, np.nan)
    for s, seed in enumerate(self._block.seeds):
      for f, fold in enumerate(self._steps.splits):
        loss, accuracy = loss_SF[s, f], accuracy_SF[s, f]
        self.curves.add(
          epoch, seed, fold.name, 'train', loss=loss, accuracy=accuracy
        )
        if not np.isfinite(loss):
          self._report_divergence(seed, fold.name, epoch)
    text = (
      f'loss {_mean(loss_SF):.3f}, accuracy {_mean(accuracy_SF):.3f} (mean of '
      f'{loss_SF.size}, training clips)'
    )
    return text, int(sums['clips'].sum()), self._by_fold(loss_SF)

  def _report_divergence(self, seed, name, epoch):
    """Reports once that a member has diverged; the others are unaffected."""
    lost = self._note['diverged'].setdefault(str(seed), {})
    if name not in lost:
      lost[name] = epoch
      self._job.console.print(
        f'fold {name} of seed {seed} DIVERGED in epoch {epoch}: its loss is '
        'not finite; the other folds continue. Set a lower '
        '--config.train.learning_rate'
      )

  def _by_fold(self, loss_SF):
    """The loss of each fold, for the progress bar."""
    words = []
    for f, fold in enumerate(self._steps.splits):
      loss = loss_SF[:, f].mean()
      words.append(
        f'{fold.name} {loss:.2f}'
        if np.isfinite(loss)
        else f'{fold.name} diverged'
      )
    return '  '.join(words)

  def evaluate(self, state: train_step.TrainState, epoch: int) -> None:
    """Adds held-out and validation scores; updates the best epoch.

    Args:
      state: states of all members, on the devices.
      epoch: the number of epochs trained.
    """
    held_out = self._steps.probabilities(state.params, 'test')
    scores = self._scores(held_out, 'test', epoch, 'held-out')
    choice = self._job.config.train.selection
    if choice == 'validation':
      found = self._steps.probabilities(state.params, 'validation')
      scores = self._scores(found, 'validation', epoch, 'validation')
      self._best.update(state.params, scores['loss'], epoch)
    elif choice == 'oracle':
      self._best.update(state.params, -scores['accuracy'], epoch)

  def _scores(self, found, side, epoch, split):
    """Loss and accuracy (S, F) of each fold's clips, added to the curves."""
    label_N = self._job.arrays['label']
    table = {key: np.zeros(self._members) for key in ('loss', 'accuracy')}
    for s, seed in enumerate(self._block.seeds):
      for f, fold in enumerate(self._steps.splits):
        index = getattr(fold, side)
        scores = evaluate.scores(found[s][f], label_N[index])
        self.curves.add(epoch, seed, fold.name, split, **scores)
        for key, value in scores.items():
          table[key][s, f] = value
    return table

  def out_of_patience(self, epoch: int) -> bool:
    """Returns whether the patience of all members has run out."""
    config = self._job.config.train
    if not self._best:
      return False
    # Asked of the next evaluation, which could no longer change anything.
    return bool(self._best.stopped(epoch + config.evaluate_every).all())

  def save(self, state: train_step.TrainState, epoch: int) -> None:
    """Saves a checkpoint, after its rows have been written to the disk."""
    self._note['seconds'] = time.monotonic() - self._started
    self.flush_curves()
    tree = {'state': self._steps.plan.join(state)}
    if self._best:
      tree['best'] = self._best.tree()
    checkpoints.save(
      self._folder, epoch, tree, self._note, identity=self._identity
    )

  def flush_curves(self) -> None:
    """Writes all rows to the disk; their digest goes into the next note."""
    self._note['curves'] = self.curves.flush()

  def end(self, state: train_step.TrainState, epoch: int) -> dict:
    """Saves the last checkpoint: the tested weights and their predictions.

    Returns:
      Its note: probabilities and epochs of each seed and fold, the moments of
      each fold, and what has diverged.
    """
    params, epochs = state.params, np.full(self._members, epoch)
    if self._best:
      params, epochs = self._best.params, self._best.epoch
    held_out = self._steps.probabilities(params, 'test')
    self._note |= {
      'seconds': time.monotonic() - self._started,
      'epoch': epoch,
      'epochs': epochs.tolist(),
      'moments': self._steps.moments,
      'probabilities': [
        [
          self._finite(p, fold, seed, epoch).tolist()
          for p, fold in zip(row, self._steps.splits, strict=True)
        ]
        for row, seed in zip(held_out, self._block.seeds, strict=True)
      ],
    }
    tree = {'params': self._steps.plan.join(params)}
    checkpoints.save(
      self._folder, epoch, tree, self._note, identity=self._identity, keep=1
    )
    return self._note

  def _finite(self, p_MC, fold, seed, epoch):
    """Replaces a diverged member's predictions by its class frequencies."""
    if np.isfinite(p_MC).all():
      return p_MC
    # In case its last step diverged.
    self._report_divergence(seed, fold.name, epoch)
    label = self._job.arrays['label'][fold.train]
    # A clip without a prediction would drop out of the pooled scores; with
    # these it counts as what it is, a guess.
    frequency_C = np.bincount(label, minlength=p_MC.shape[1]) / len(label)
    return np.broadcast_to(frequency_C, p_MC.shape)


def _mean(values):
  """The mean of the finite values; nan if there are none."""
  finite = values[np.isfinite(values)]
  return finite.mean() if finite.size else np.nan
