"""The loop of a network over many clips, and the softmax of its logits.

Attribution (`saliency/`), which knows none of our networks, has a loop of its
own: it cuts a tree of arrays into parts for several threads.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpy.typing as npt


def in_batches(
  step: Callable[[np.ndarray], Any],
  index: np.ndarray,
  size: int,
  *,
  axis: int = 0,
  floats: npt.DTypeLike | None = np.float64,
) -> Any:
  """Applies a step to all clips, in batches of equal size.

  The last batch is padded with its last clip, so that the step is compiled
  once; the results of the padding are dropped.

  Args:
    step: maps indices (..., B) to an array, or to any tree of arrays, with the
      clips on `axis` of each.
    index: (..., N) indices of clips, N >= 1.
    size: maximum batch size.
    axis: the axis of the clips in the step's results.
    floats: dtype of the floats in the result; None keeps that of the step.

  Returns:
    What the step returns, on the host, with all N clips on `axis`.
  """
  # Equal sizes waste less on padding than full batches and a small last one.
  count = index.shape[-1]
  calls = -(-count // size)
  size = -(-count // calls)
  rest = [(0, 0)] * (index.ndim - 1)
  padded = np.pad(index, [*rest, (0, calls * size - count)], mode='edge')

  def on_host(x):
    x = np.asarray(x)
    return x.astype(floats) if floats and x.dtype.kind == 'f' else x

  parts = [
    jax.tree.map(on_host, step(padded[..., i : i + size]))
    for i in range(0, calls * size, size)
  ]
  return jax.tree.map(
    lambda *x: np.take(np.concatenate(x, axis), np.arange(count), axis), *parts
  )


def softmax(logits_BC: np.ndarray) -> np.ndarray:
  """Returns the softmax of logits; each row sums to 1."""
  # Without the shift exp overflows for large logits.
  e_BC = np.exp(logits_BC - logits_BC.max(-1, keepdims=True))
  return e_BC / e_BC.sum(-1, keepdims=True)
