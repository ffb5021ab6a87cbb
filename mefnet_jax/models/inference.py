"""The package's only inference loop: a step applied to many clips."""

from collections.abc import Callable

import numpy as np


def in_batches(
  step: Callable[[np.ndarray], np.ndarray],
  index: np.ndarray,
  size: int,
  *,
  axis: int = 0,
) -> np.ndarray:
  """Applies a step to all clips, in batches of equal size.

  The last batch is padded with its last clip, so that the step is compiled
  once; the results of the padding are dropped.

  Args:
    step: maps indices (..., B) to an array with the clips on `axis`.
    index: (..., N) indices of clips, N >= 1.
    size: maximum batch size.
    axis: the axis of the clips in the step's result.

  Returns:
    The concatenated results, with N clips on `axis`; floats as float64.
  """
  # Equal sizes waste less on padding than full batches and a small last one.
  count = index.shape[-1]
  calls = -(-count // size)
  size = -(-count // calls)
  rest = [(0, 0)] * (index.ndim - 1)
  padded = np.pad(index, [*rest, (0, calls * size - count)], mode='edge')
  parts = [
    _plain(step(padded[..., i : i + size]))
    for i in range(0, calls * size, size)
  ]
  return np.take(np.concatenate(parts, axis), np.arange(count), axis)


def _plain(x):
  """A result as an array on the host; floats as float64."""
  x = np.asarray(x)
  return x.astype(np.float64) if x.dtype.kind == 'f' else x


def softmax(logits_BC: np.ndarray) -> np.ndarray:
  """Returns the softmax of logits; each row sums to 1."""
  # Without the shift exp overflows for large logits.
  e_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
  return e_BC / e_BC.sum(-1, keepdims=True)
