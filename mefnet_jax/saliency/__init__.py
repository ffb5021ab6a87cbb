"""Saliency of any JAX function of a batch: what in x made the score.

    from mefnet_jax import saliency
    maps = saliency.integrated_gradients(f, x, target, steps=32)

`f(x, *args)` gives the scores (B, C) of a batch, or (scores, out) with a dict
of named layers; x is an array (B, ...) or a tree of them, and each example's
scores must hang on that example alone. `target` (B,) names the score to
explain; without it f gives one score an example, (B,). Give what changes (the
weights) in `args` and always the same object as f: it is compiled once.

Nothing here knows this project's networks; docs/saliency.md tells of each
method, what it promises, and how that is tested.
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
