"""The task of both: MECNN on flow maps, fold after fold, from equal weights."""

import dataclasses

import numpy as np

from benchmarks.cross_validation import task as folds_task

CLASSES, SIDE, CHANNELS = 3, 28, 3
FILTERS, KERNEL, POOL = 32, 3, 3
REDUCTION, ATTENTION, HIDDEN = 8, 7, 128
POOLED = (SIDE - KERNEL + 1) // POOL


@dataclasses.dataclass(frozen=True)
class Task:
  """The file that `python -m benchmarks.flow` writes, read.

  maps: (N, 1, H, W, C) uint8; label: (N,).
  fold: (N,) index of the fold that holds each map out.
  batch: maps in a step.
  dropout: its rate.
  """

  maps: np.ndarray
  label: np.ndarray
  fold: np.ndarray
  batch: int
  dropout: float

  @classmethod
  def read(cls, file):
    given = np.load(file)
    arrays = (given[name] for name in ('maps', 'label', 'fold'))
    return cls(*arrays, int(given['batch']), float(given['dropout']))

  @property
  def folds(self) -> int:
    return int(self.fold.max()) + 1

  def batches(self, fold: int, epoch: int) -> list[np.ndarray]:
    """The training maps of a fold, shuffled, in batches of equal size."""
    return folds_task.shuffled(self.fold, fold, epoch, self.batch)

  def seen(self) -> np.ndarray:
    """The maps as the network wants them, as `input = 'as_is'` has them."""
    return (self.maps.astype(np.float32) - 128) / 32


def weights() -> dict[str, np.ndarray]:
  """Kernels by name, (rows, columns, in, out) or (in, out); no biases."""
  random = np.random.default_rng(1)

  def drawn(*shape):
    x = random.standard_normal(shape, np.float32)
    return x / np.float32(np.sqrt(np.prod(shape[:-1])))

  return {
    'conv': drawn(KERNEL, KERNEL, CHANNELS, FILTERS),
    'squeeze': drawn(FILTERS, FILTERS // REDUCTION),
    'excite': drawn(FILTERS // REDUCTION, FILTERS),
    'space': drawn(ATTENTION, ATTENTION, 1, 1),
    'dense': drawn(2 * FILTERS * POOLED**2, HIDDEN),
    'classes': drawn(HIDDEN, CLASSES),
  }
