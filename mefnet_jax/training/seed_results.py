"""The results of a training, one for each seed, and where its weights lie."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mefnet_jax.training import blocks


@dataclasses.dataclass(frozen=True)
class Weights:
  """The location of one member's weights, in a checkpoint of its block.

  Attributes:
    folder: with the block's checkpoints.
    epoch: number of the checkpoint.
    members: numbers of seeds and folds of the block.
    place: seed and fold of this member, as indices in the block.
  """

  folder: pathlib.Path
  epoch: int
  members: tuple[int, int]
  place: tuple[int, int]


@dataclasses.dataclass
class SeedResult:
  """The results of one seed's training.

  Attributes:
    held_out: for each fold the probabilities (test clips, C), by the weights
      of the epoch that train.selection chooses.
    epochs: the number of that epoch for each fold.
    weights: the location of each fold's weights.
    moments: for each fold (mean, variance) by stream, by which its clips were
      scaled; None if each clip was scaled on its own.
    diverged: epoch of the first loss that was not finite, by name of the fold;
      its test clips are given the class frequencies of its training clips.
    parameters: number of parameters of one network.
    seconds: that the training took, in all parts of a resumed run.
  """

  held_out: list[np.ndarray] = dataclasses.field(default_factory=list)
  epochs: list[int] = dataclasses.field(default_factory=list)
  weights: list[Weights] = dataclasses.field(default_factory=list)
  moments: list[dict | None] = dataclasses.field(default_factory=list)
  diverged: dict[str, int] = dataclasses.field(default_factory=dict)
  parameters: int = 0
  seconds: float = 0.0

  def add(
    self,
    block: blocks.Block,
    seed: int,
    note: Mapping[str, Any],
    folder: pathlib.Path,
  ) -> None:
    """Appends the folds of a block to those of the blocks before it.

    Args:
      block: whose training has ended.
      seed: the seed of this result.
      note: the note of its last checkpoint, see `BlockRecord.end`.
      folder: with its checkpoints.
    """
    s = block.seeds.index(seed)
    self.held_out += [np.array(p) for p in note['probabilities'][s]]
    self.epochs += note['epochs'][s]
    self.moments += note['moments']
    members, epoch = (len(block.seeds), block.stop - block.start), note['epoch']
    self.weights += [
      Weights(folder, epoch, members, (s, f)) for f in range(members[1])
    ]
    self.diverged |= note['diverged'].get(str(seed), {})
    self.parameters = note['parameters']
    self.seconds += note['seconds'] / len(block.seeds)


def part(
  result: SeedResult, folds: slice, rename: Callable[[str], str]
) -> SeedResult:
  """Returns the results of some of the folds.

  Args:
    result: the results of all folds.
    folds: those that are wanted.
    rename: maps the name of a fold to its new name; '' drops the fold.
  """
  # Folds train in one program, so the time of one of them is a share of it.
  share = len(result.held_out[folds]) / max(len(result.held_out), 1)
  changes = {'seconds': result.seconds * share}
  for field, value in _by_fold(result):
    if isinstance(value, list):
      changes[field] = value[folds]
    else:
      renamed = {rename(fold): x for fold, x in value.items()}
      changes[field] = {fold: x for fold, x in renamed.items() if fold}
  return dataclasses.replace(result, **changes)


def join(results: Sequence[SeedResult]) -> SeedResult:
  """Joins the results of trainings of one fold each."""
  changes = {'seconds': sum(one.seconds for one in results)}
  for field, first in _by_fold(results[0]):
    values = [getattr(one, field) for one in results]
    if isinstance(first, list):
      changes[field] = [x for value in values for x in value]
    else:
      changes[field] = {k: x for value in values for k, x in value.items()}
  return dataclasses.replace(results[0], **changes)


def _by_fold(result):
  """Yields the fields that have an entry for each fold, lists and dicts."""
  for field in dataclasses.fields(result):
    value = getattr(result, field.name)
    if isinstance(value, list | dict):
      yield field.name, value
