"""THE inference loop: a step over many clips, some at a time."""

from collections.abc import Callable

import numpy as np


def in_batches(
  step: Callable[[np.ndarray], np.ndarray],
  index: np.ndarray,
  size: int,
  *,
  axis: int = 0,
) -> np.ndarray:
  """What `step` says of all clips, in batches that are alike in size.

  The last batch is filled up with its last clip, so that the step is compiled
  once; what it says of the filling is cut off.

  Args:
    step: indices (..., B) to an array with the clips at `axis`.
    index: (..., N) indices of clips, N at least 1.
    size: the most clips in one call.
    axis: of the clips in what the step gives.

  Returns:
    The results side by side, N at `axis`; float64 if they are floats.
  """
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
  x = np.asarray(x)
  return x.astype(np.float64) if x.dtype.kind == 'f' else x


def softmax(logits_BC: np.ndarray) -> np.ndarray:
  """Probabilities of logits; each row sums to one."""
  e_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
  return e_BC / e_BC.sum(-1, keepdims=True)
