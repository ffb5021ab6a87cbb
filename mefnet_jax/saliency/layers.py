"""Grad-CAM of any named layer, in 2D, 3D or any other rank.

It needs neither hooks nor a second network: f is traced, and the trace is
evaluated again from the named layer on. It therefore works for every network
that returns (scores, out).
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy.typing as npt
from jax.extend import core

from mefnet_jax.saliency import batches

_WRAPPERS = ('jit', 'pjit', 'closed_call', 'checkpoint', 'remat')


def grad_cam(
  f: Callable,
  x: Any,
  layer: str,
  target: npt.ArrayLike | None = None,
  *,
  shape: tuple[int, ...] | None = None,
  args: tuple = (),
  rows: int | None = 64,
) -> jax.Array:
  """Returns the evidence for the target in a layer: relu(sum_c w_c a_c).

  a is the layer (B, ..., C), and w_c the mean over its positions of the
  score's gradient. Source: Selvaraju et al., ICCV 2017, with frames as an
  additional axis.

  Args:
    f: returns (scores, out) with the layer in the dict `out`.
    x, target, args, rows: as in `saliency.gradient`.
    layer: its name in `out`.
    shape: size to which the maps are resized by linear interpolation.

  Returns:
    Non-negative float32 maps (B, ...) without channels.

  Raises:
    ValueError: there is no such layer, or the scores do not depend on it.
  """
  a, slope = gradient_of_layer(f, x, layer, target, args=args, rows=rows)
  if a.ndim < 3:
    raise ValueError(f'layer {layer!r} of shape {a.shape} has no positions')
  # All but the batch and the channels: time is a position like the others.
  axes = tuple(range(1, a.ndim - 1))
  weight = slope.mean(axes, keepdims=True)
  maps = jnp.maximum((weight * a).sum(-1), 0)
  if shape is not None:
    maps = jax.image.resize(maps, (len(maps), *shape), 'linear')
  return maps


def gradient_of_layer(
  f: Callable,
  x: Any,
  layer: str,
  target: npt.ArrayLike | None = None,
  *,
  args: tuple = (),
  rows: int | None = 64,
) -> tuple[jax.Array, jax.Array]:
  """Returns a layer's values and the gradient of the target's score there.

  Arguments and errors are those of `grad_cam`.

  Returns:
    Two float32 arrays of the layer's shape.
  """
  x, target = batches.as_float(x), batches.targets(x, target)
  return batches.in_batches(
    lambda part: _at_layer(f, layer, *part, args), (x, target), rows
  )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _at_layer(f, layer, x, target_B, args):
  """The layer and the score's gradient there, of one part of the batch."""
  traced, shapes = jax.make_jaxpr(f, return_shape=True)(x, *args)
  inputs = jax.tree.leaves((x, args))
  # Traced twice: the second trace has the contents of jit and remat inlined.
  traced = jax.make_jaxpr(functools.partial(_inlined, traced))(*inputs)
  jaxpr = traced.jaxpr
  # The scores are the first output of f, which returns (scores, out).
  goal, place = jaxpr.outvars[0], _place(jaxpr, shapes, layer)
  if not _reads(jaxpr, place, goal):
    raise ValueError(
      f'the scores do not depend on layer {layer!r} as it is in out: choose '
      f'another of {", ".join(sorted(shapes[1]))}'
    )
  before, after, between = _split(jaxpr, place, goal)
  known = before(*traced.consts, *inputs)
  at = between.index(place)

  def score(a):
    (scores_BC,) = after(*known[:at], a, *known[at + 1 :])
    return batches.chosen(scores_BC.astype(jnp.float32), target_B).sum()

  return batches.as_float((known[at], jax.grad(score)(known[at])))


def _inlined(traced, *inputs):
  """Evaluates a trace with the contents of jit, remat and similar inlined.

  Otherwise each of them would be one opaque step, in which no layer is found.
  """
  jaxpr, known = traced.jaxpr, {}
  known.update(zip(jaxpr.constvars, traced.consts, strict=True))
  known.update(zip(jaxpr.invars, inputs, strict=True))
  for eqn in jaxpr.eqns:
    inner = eqn.params.get('jaxpr')
    if eqn.primitive.name in _WRAPPERS and inner is not None:
      if not hasattr(inner, 'consts'):
        inner = core.ClosedJaxpr(inner, ())
      results = _inlined(inner, *_values(eqn.invars, known))
    else:
      read = _variables(eqn)
      function = _function(jaxpr, read, eqn.outvars, [eqn])
      results = function(*_values(read, known))
    known.update(zip(eqn.outvars, results, strict=True))
  return _values(jaxpr.outvars, known)


def _values(atoms, known):
  """The values of variables and literals."""
  return [v.val if isinstance(v, core.Literal) else known[v] for v in atoms]


def _place(jaxpr, shapes, layer):
  """The variable of a layer; ValueError if there is no such layer."""
  if not (isinstance(shapes, tuple) and isinstance(shapes[1], dict)):
    raise ValueError('f must return (scores, out), out a dict of named layers')
  if layer not in shapes[1]:
    known = ', '.join(sorted(shapes[1]))
    raise ValueError(f'no layer {layer!r} in out: choose from {known}')
  structure = jax.tree.structure(shapes)
  place = jax.tree.unflatten(structure, jaxpr.outvars)[1][layer]
  # A constant has no gradient.
  if not isinstance(place, core.Var):
    raise ValueError(f'layer {layer!r} is not an array computed from x')
  return place


def _split(jaxpr, place, goal):
  """Functions up to the layer and from it on, and the variables in between."""
  computes = [place in eqn.outvars for eqn in jaxpr.eqns]
  cut = computes.index(True) + 1 if True in computes else 0  # 0: x itself
  early, late = jaxpr.eqns[:cut], jaxpr.eqns[cut:]
  inputs = [*jaxpr.constvars, *jaxpr.invars]
  known = {*inputs, *(v for eqn in early for v in eqn.outvars)}
  # Beside the layer the rest may read others, such as those of another stream.
  read = [v for eqn in late for v in _variables(eqn)]
  between = [v for v in dict.fromkeys([place, *read]) if v in known]
  return (
    _function(jaxpr, inputs, between, early),
    _function(jaxpr, between, [goal], late),
    between,
  )


def _function(jaxpr, invars, outvars, eqns):
  """Some equations of a trace as a function."""
  part = jaxpr.replace(
    constvars=[],
    invars=invars,
    outvars=outvars,
    eqns=eqns,
    # The names of the arguments belong to the whole trace, and would not fit.
    debug_info=jaxpr.debug_info.with_unknown_names(),
  )
  return core.jaxpr_as_fun(core.ClosedJaxpr(part, ()))


def _reads(jaxpr, source, goal) -> bool:
  """Whether `goal` depends on `source`."""
  reached = {source}
  for eqn in jaxpr.eqns:
    if reached.intersection(_variables(eqn)):
      reached.update(eqn.outvars)
  return source is not goal and goal in reached


def _variables(eqn):
  """The variables that an equation reads."""
  return [v for v in eqn.invars if not isinstance(v, core.Literal)]
