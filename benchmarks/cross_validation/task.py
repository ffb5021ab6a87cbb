"""The task of all contestants: a whole cross-validation from equal weights."""

import dataclasses
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks import turns
from benchmarks.models import task as models_task

RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class Task:
  """The file that `python -m benchmarks.cross_validation` writes, read.

  clips: streams (N, T, H, W, 1) uint8; label: (N,).
  fold: (N,) index of the fold that holds each clip out, -1 for none.
  network: gives the weights that all start from, and the size of a batch.
  dropout: its rate.
  """

  clips: dict[str, np.ndarray]
  label: np.ndarray
  fold: np.ndarray
  network: models_task.Task
  dropout: float

  @classmethod
  def read(cls, file):
    given = dict(np.load(file))
    network, batch = str(given.pop('network')), int(given.pop('batch'))
    conv, dropout = str(given.pop('conv')), float(given.pop('dropout'))
    label, fold = given.pop('label'), given.pop('fold')
    frames = next(iter(given.values())).shape[1]
    weights = models_task.Task(network, frames, batch, conv)
    return cls(given, label, fold, weights, dropout)

  @property
  def folds(self) -> int:
    return int(self.fold.max()) + 1

  def seen(self) -> list[np.ndarray]:
    """Streams as the network wants them: float32, mean square 1 a clip.

    The difference of each frame to the onset frame, in the order of the
    network's streams; the same as this project's `input = 'difference'`.
    """
    return [
      standardised(self.clips[name])
      for name in models_task.STREAMS[self.network.network]
    ]

  def batches(self, fold: int, epoch: int) -> list[np.ndarray]:
    """The training clips of a fold, shuffled, in batches of equal size."""
    return shuffled(self.fold, fold, epoch, self.network.batch)


def shuffled(
  fold_N: np.ndarray, fold: int, epoch: int, batch: int
) -> list[np.ndarray]:
  """The clips that a fold trains on, in batches of equal size."""
  train = np.flatnonzero(fold_N != fold)
  order = np.random.default_rng([fold, epoch]).permutation(train)
  return np.array_split(order, -(-len(train) // batch))


def standardised(clips):
  x = clips.astype(np.float32)
  x -= x[:, :1]
  scale = np.sqrt((x**2).mean((1, 2, 3, 4), keepdims=True))
  return x / np.maximum(scale, 1e-3)


def one_by_one(task, epochs: int, begin, train, predict) -> np.ndarray:
  """Trains fold after fold; probabilities (N, 3) of the clips held out.

  Args:
    task: a `Task`, or another object with label, fold, folds and batches.
    epochs: number of epochs of each training.
    begin: () -> None; sets the weights and the optimizer back.
    train: (indices of a batch) -> None.
    predict: (indices) -> probabilities.
  """
  answers = np.zeros((len(task.label), models_task.CLASSES))
  for fold in range(task.folds):
    begin()
    for epoch in range(epochs):
      for index in task.batches(fold, epoch):
        train(index)
    held_out = np.flatnonzero(task.fold == fold)
    answers[held_out] = predict(held_out)
  return answers


def compete(cross_validate: Callable[[int], np.ndarray], version: str):
  """Takes turns; a turn is a whole cross-validation.

  Args:
    cross_validate: (epochs) -> probabilities (N, 3) of all clips by the fold
      that holds them out.
    version: version of the framework.
  """
  started = time.perf_counter()
  cross_validate(1)  # compiles
  turns.say({'version': version, 'first': time.perf_counter() - started})
  for line in sys.stdin:
    started, busy = time.perf_counter(), time.process_time()
    answers = cross_validate(int(line))
    turns.say(
      {
        'seconds': time.perf_counter() - started,
        'cpu_seconds': time.process_time() - busy,
        'probabilities': answers.tolist(),
      }
    )
