"""A kernel head is ridge regression: its equations hold to rounding."""

import numpy as np
import pytest

from mefnet_jax.training import kernel_head


@pytest.fixture
def drawn():
  """Features of 12 and 5 clips, what is missing, and weights of mean 1."""
  random = np.random.default_rng(0)
  weight = random.uniform(0.2, 3, 12)
  return (
    random.normal(size=(12, 7)),
    random.normal(size=(5, 7)),
    random.normal(size=(12, 3)),
    weight / weight.mean(),
  )


@pytest.mark.parametrize('name', kernel_head.KERNELS)
def test_corrections_solve_the_weighted_ridge_equations(drawn, name):
  learnt, others, missing, weight = drawn
  kernel = kernel_head.KERNELS[name]
  both, across = kernel(learnt, learnt), kernel(others, learnt)
  found = kernel_head.corrections(both, across, missing, weight)
  for strength, f in zip(kernel_head.STRENGTHS, found, strict=True):
    held = both + strength * np.diag(1 / weight)
    np.testing.assert_allclose(f, across @ np.linalg.solve(held, missing))


def test_kernels_are_what_they_are_called(drawn):
  one, other = drawn[1], drawn[0]
  apart = ((one[:, None] - other[None]) ** 2).mean(-1)
  np.testing.assert_allclose(kernel_head.gaussian(one, other), np.exp(-apart))
  mean = (one[:, None] * other[None]).mean(-1)
  np.testing.assert_allclose(kernel_head.linear(one, other), mean)


def test_between_the_truth_and_the_network(drawn):
  """Hardly held back it repeats its training, strongly held back nothing."""
  learnt, _, missing, weight = drawn
  both = kernel_head.gaussian(learnt, learnt)
  free, held = kernel_head.corrections(both, both, missing, weight, (1e-9, 1e9))
  np.testing.assert_allclose(free, missing, atol=1e-5)
  np.testing.assert_allclose(held, 0, atol=1e-7)


def test_corrected_probabilities_are_probabilities():
  network = np.array([[0.2, 0.3, 0.5], [0.9, 0.05, 0.05]])
  added = np.array([[0.5, -0.4, -0.1], [-0.1, 0.05, 0.05]])
  p = kernel_head.probabilities(network, added)
  np.testing.assert_allclose(p.sum(1), 1)
  assert (p > 0).all() and p.argmax(1).tolist() == [0, 0]
  np.testing.assert_allclose(p[1], [0.8, 0.1, 0.1])
