"""Trains all members of a run, or what is left of them.

A member is a fold with a seed; as many as the memory holds train together
(`planning.py`), in one program (`parallel.py`).
"""

import dataclasses
import pathlib
import threading

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
from flax import linen as nn

from mefnet_jax import (
  checkpoints,
  engine,
  errors,
  feeding,
  folds,
  inputs,
  optimizers,
  parallel,
  planning,
  train,
  training,
)


@dataclasses.dataclass(frozen=True)
class Job:
  """What a run's training needs to know.

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


@dataclasses.dataclass
class Fitted:
  """What one seed's training leaves: each fold's held-out clips, judged.

  held_out: probabilities (test clips, C) of each fold, by the weights of the
  epoch that train.selection says; epochs: that epoch, of each fold; diverged:
  the epoch of the first loss that was not finite, by the fold's name: its
  clips get the class frequencies of its training; parameters: of one network;
  seconds: of training, all parts of a resumed run together.
  """

  held_out: list[np.ndarray] = dataclasses.field(default_factory=list)
  epochs: list[int] = dataclasses.field(default_factory=list)
  diverged: dict[str, int] = dataclasses.field(default_factory=dict)
  parameters: int = 0
  seconds: float = 0.0


def fit(job: Job, seeds: tuple[int, ...]) -> list[Fitted]:
  """Trains every fold with each seed, or goes on where a checkpoint ends.

  Raises:
    errors.Stopped: job.stop was set; the checkpoint is saved.
  """
  job.stop.patient = True  # an epoch is finished, and saved
  try:
    return _fit(job, seeds)
  finally:
    job.stop.patient = False


def _fit(job, seeds):
  """`fit`, block after block."""
  blocks = planning.kept(job.workdir) or planning.keep(
    job.workdir, _blocks(job, seeds)
  )
  fitted = {seed: Fitted() for seed in seeds}
  compiled = None
  for block in blocks:
    folder = job.workdir / 'checkpoints' / block.name
    done, note = _newest(job, folder)
    splits = job.splits[block.start : block.stop]
    if 'probabilities' not in note:
      if compiled is None or compiled.splits != splits:
        compiled = engine.Engine(job, splits)
      note = training.Training(job, block, compiled, folder).run(done, note)
    for seed, held_out, epochs in zip(
      block.seeds, note['probabilities'], note['epochs'], strict=True
    ):
      one = fitted[seed]
      one.held_out += [np.array(p) for p in held_out]
      one.epochs += epochs
      one.diverged |= note['diverged'].get(str(seed), {})
      one.parameters = note['parameters']
      one.seconds += note['seconds'] / len(block.seeds)
  return list(fitted.values())


def trained(workdir: pathlib.Path, model, clips: dict, seed: int):
  """The weights of a finished run, and what they answered.

  Args:
    workdir: of the run.
    model: its network.
    clips: `inputs.measured` clips, for the shapes.
    seed: one of the run's.

  Returns:
    The params of all folds, leaves (F, ...), and the probabilities (test
    clips, C) of each fold.

  Raises:
    UserError: the training has not ended, a checkpoint is damaged, or its
      weights are not of this network.
  """
  parts, answers, damaged = [], [], []
  for block in planning.kept(workdir):
    if seed not in block.seeds:
      continue
    folder = workdir / 'checkpoints' / block.name
    done, note = checkpoints.latest(folder, damaged.append)
    if 'probabilities' not in note:
      parts = []
      break
    place = block.seeds.index(seed)
    parts.append(_weights(folder, done, block, model, clips, place))
    answers += [np.array(p) for p in note['probabilities'][place]]
  if not parts:
    unfinished = f'the training of seed {seed} is not finished'
    why = damaged[0] if damaged else unfinished
    raise errors.UserError(
      f'{workdir}: {why}: run mefnet_jax.main with this --workdir once more'
    )
  return jax.tree.map(lambda *x: np.concatenate(x), *parts), answers


def _weights(folder, done, block, model, clips, place):
  """The params of one seed's folds in a block that has ended."""
  members = (len(block.seeds), block.stop - block.start)
  first = jnp.zeros(1, jnp.int32)
  shapes = jax.eval_shape(
    lambda: model.init(
      jax.random.key(0), inputs.batch(clips, first, how='frames')
    )
  )
  like = jax.tree.map(
    lambda x: np.zeros(members + x.shape, x.dtype), shapes['params']
  )
  try:
    params = checkpoints.load(folder, done, {'params': like})['params']
  except (ValueError, KeyError) as error:
    raise errors.UserError(
      f"{folder}: its weights do not fit the run's config or release: delete "
      'the --workdir and run mefnet_jax.main again'
    ) from error
  return jax.tree.map(lambda x: np.asarray(x[place]), params)


def _blocks(job, seeds):
  """What fits together, said where it is not everything."""
  config, label = job.config, job.clips['label']
  clips = inputs.measured(
    {k: jnp.asarray(x[[0]]) for k, x in job.clips.items()}, how=config.input
  )
  state = jax.eval_shape(
    lambda: train.create_state(
      job.model,
      optimizers.adam(config.train.learning_rate, config.train.decay),
      clips,
      jax.random.key(0),
    )
  )
  sample = jax.eval_shape(
    lambda: inputs.batch(clips, np.zeros(1, np.int32), how=config.input)
  )
  planning.check(state)
  budget = planning.budget(config.train.memory)
  batch = min(config.train.batch_size, len(label))
  fits = planning.fitting(
    job.model,
    state,
    sample,
    batch,
    feeding.on_device(job.clips, batch * len(seeds), budget),
    parallel.plan(len(job.splits), config.train.parallel).copies,
    budget,
  )
  if feeding.is_streamed(job.clips, budget):
    job.console.print(
      f'The clips do not fit beside a training in {budget / 1e9:.1f} GB: each '
      'step reads its own'
    )
  made = planning.blocks(seeds, len(job.splits), fits)
  if len(made) > 1:
    job.console.print(
      f'{len(seeds)} seed(s) x {len(job.splits)} folds do not fit in '
      f'{budget / 1e9:.1f} GB: they train in {len(made)} blocks, one after '
      'another'
    )
  return made


def _newest(job, folder):
  """Epochs done and the note of the newest checkpoint of these clips."""
  done, note = checkpoints.latest(folder, job.console.print)
  if done and note['fingerprint'] != job.fingerprint:
    job.console.print('The clips have changed: training starts anew.')
    return 0, {}
  return done, note
