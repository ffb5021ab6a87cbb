"""Saliency of any JAX function of a batch: which parts of x cause its score.

    from mefnet_jax import saliency
    maps = saliency.integrated_gradients(f, x, target, steps=32)

`f(x, *args)` returns the scores (B, C) of a batch, or (scores, out) with a dict
of named layers. x is an array (B, ...) or a pytree of them, and the scores of
an example must depend on that example alone. `target` (B,) selects the score to
explain; without it f must return one score per example, (B,). f is compiled
once per object: pass the same f each time, and changing values such as weights
in `args`.

This room does not depend on the project's networks. docs/saliency.md describes
each method, its guarantees, and how they are tested.
"""

from mefnet_jax.saliency.gradients import (
  gradient,
  gradient_x_input,
  integrated_gradients,
  smooth_grad,
)
from mefnet_jax.saliency.layers import grad_cam, gradient_of_layer
from mefnet_jax.saliency.measures import (
  completeness_gap,
  deletion,
  energy_inside,
  insertion,
  points_inside,
)
from mefnet_jax.saliency.occlusion import boxes, occlusion, spread

__all__ = [
  'boxes',
  'completeness_gap',
  'deletion',
  'energy_inside',
  'grad_cam',
  'gradient',
  'gradient_of_layer',
  'gradient_x_input',
  'insertion',
  'integrated_gradients',
  'occlusion',
  'points_inside',
  'smooth_grad',
  'spread',
]
