"""The loop over many clips gives what one call for all of them gives."""

import jax
import numpy as np

from mefnet_jax.models import inference

X = np.arange(42, dtype=np.float32).reshape(7, 6)


def test_a_tree_of_results_in_batches_of_one_size():
  sizes = []

  def step(index):
    sizes.append(len(index))
    return {'row': X[index], 'seen': (index, X[index, 0] > 20)}

  found = inference.in_batches(step, np.arange(7), 3, floats=None)
  assert sizes == [3, 3, 3]  # the last of them padded
  once = {'row': X, 'seen': (np.arange(7), X[:, 0] > 20)}
  assert jax.tree.structure(found) == jax.tree.structure(once)
  for one, whole in zip(*map(jax.tree.leaves, (found, once)), strict=True):
    np.testing.assert_array_equal(one, whole, strict=True)


def test_clips_on_another_axis_and_floats_as_doubles():
  index_FN = np.stack([np.arange(7), np.arange(7)[::-1]])
  found = inference.in_batches(
    lambda index_FB: np.moveaxis(X[index_FB], -1, 0), index_FN, 4, axis=2
  )
  whole = np.moveaxis(X[index_FN], -1, 0).astype(np.float64)
  np.testing.assert_array_equal(found, whole, strict=True)
