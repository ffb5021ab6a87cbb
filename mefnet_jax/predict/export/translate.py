"""From a traced JAX function to an ONNX graph, primitive by primitive."""

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jax import export as jax_export
from jax.extend import core
from jax.interpreters import partial_eval

from mefnet_jax import ops
from mefnet_jax.predict.export import graph as graphs
from mefnet_jax.predict.export import rules, shapes

# Primitives that contain a function, and the parameter that holds it.
_CALLS = {
  'pjit': 'jaxpr',
  'jit': 'jaxpr',
  'closed_call': 'call_jaxpr',
  'core_call': 'call_jaxpr',
  'custom_jvp_call': 'call_jaxpr',
  'custom_vjp_call': 'call_jaxpr',
  'checkpoint': 'jaxpr',
  'remat2': 'jaxpr',
}


def trace(
  function: Callable, inputs: Mapping[str, tuple[tuple[int, ...], str]]
) -> core.ClosedJaxpr:
  """Traces a function of named streams for a batch of any size.

  Args:
    function: maps streams (B, ...) by name to (B, C).
    inputs: the shape, without the batch, and the dtype of each stream.
  """
  (batch,) = jax_export.symbolic_shape('b')
  streams = {
    name: jax.ShapeDtypeStruct((batch, *shape), dtype)
    for name, (shape, dtype) in inputs.items()
  }
  traced = jax.make_jaxpr(ops.whole(function))(streams)
  # Without dead code, such as a random key for a state of zeros.
  wanted = [True] * len(traced.jaxpr.outvars)
  needed, _ = partial_eval.dce_jaxpr(traced.jaxpr, wanted, instantiate=True)
  return core.ClosedJaxpr(needed, traced.consts)


def to_graph(
  traced: core.ClosedJaxpr,
  inputs: Mapping[str, tuple[tuple[int, ...], str]],
  output: str,
) -> graphs.Graph:
  """The ONNX graph of a traced function.

  Args:
    traced: result of `trace`.
    inputs: as for `trace`.
    output: name of the output.

  Raises:
    NotImplementedError: there is no rule for a primitive.
  """
  graph = graphs.Graph()
  names = sorted(inputs)  # the order of a dict's leaves in JAX
  given = [
    graph.input(name, var.aval.shape, inputs[name][1])
    for name, var in zip(names, traced.jaxpr.invars, strict=True)
  ]
  (answer,) = _run(graph, traced, given)
  graph.output(output, graph.full(answer, traced.out_avals[0].shape))
  return graph


def _run(graph, closed, given):
  """Evaluates a traced function on values of the graph."""
  jaxpr, constants = closed, ()
  if isinstance(closed, core.ClosedJaxpr):
    jaxpr, constants = closed.jaxpr, closed.consts
  values = dict(zip(jaxpr.constvars, map(graphs.known, constants), strict=True))
  values |= dict(zip(jaxpr.invars, given, strict=True))

  def read(var):
    if isinstance(var, core.Literal):
      dtype = var.aval.dtype  # type: ignore[attr-defined]
      return graphs.known(np.asarray(var.val, dtype))
    return values[var]

  for eqn in jaxpr.eqns:
    found = _equation(graph, eqn, [read(var) for var in eqn.invars])
    values |= dict(zip(eqn.outvars, found, strict=True))
  return [read(var) for var in jaxpr.outvars]


def _equation(graph, eqn, given):
  name = eqn.primitive.name
  if name in _CALLS:
    return _run(graph, eqn.params[_CALLS[name]], given)
  if name == 'scan':
    return _unrolled(graph, eqn, given)
  if all(x.constant is not None for x in given) and _is_fixed(eqn, given):
    return _computed(eqn, given)
  if name not in rules.RULES:
    raise NotImplementedError(f'the operation {name}')
  try:
    found = rules.RULES[name](graph, eqn, *given)
  except (ValueError, TypeError, LookupError, AttributeError) as error:
    # A form that none of our networks has and the rule does not cover.
    raise NotImplementedError(f'the operation {name} in this form') from error
  return found if isinstance(found, list) else [found]


def _is_fixed(eqn, given):
  """Whether it can be computed now, since nothing depends on the batch."""
  shapes = [var.aval.shape for var in (*eqn.outvars, *eqn.invars)]
  return all(isinstance(n, int) for shape in shapes for n in shape)


def _computed(eqn, given):
  """The constant results of an equation with constant operands."""
  arrays = [
    np.broadcast_to(x.constant, var.aval.shape).astype(var.aval.dtype)
    for x, var in zip(given, eqn.invars, strict=True)
  ]
  found = eqn.primitive.bind(*map(jax.numpy.asarray, arrays), **eqn.params)
  found = found if eqn.primitive.multiple_results else [found]
  return [graphs.known(np.asarray(x)) for x in found]


def _unrolled(graph, eqn, given):
  """A loop of known length, unrolled: `fori_loop`, or over rows of arrays."""
  fixed, carried = eqn.params['num_consts'], eqn.params['num_carry']
  constants, carry = given[:fixed], given[fixed : fixed + carried]
  start = fixed + carried
  arrays = [
    graph.full(x, var.aval.shape)
    for x, var in zip(given[start:], eqn.invars[start:], strict=True)
  ]
  rounds = range(eqn.params['length'])
  made = {}
  for i in reversed(rounds) if eqn.params['reverse'] else rounds:
    rows = [shapes.row(graph, x, i) for x in arrays]
    found = _run(graph, eqn.params['jaxpr'], [*constants, *carry, *rows])
    carry, made[i] = found[:carried], found[carried:]
  wanted = [var.aval.shape[1:] for var in eqn.outvars[carried:]]
  gathered = [
    [graph.full(made[i][k], shape) for i in rounds]
    for k, shape in enumerate(wanted)
  ]
  return [*carry, *(shapes.stacked(graph, 0, parts) for parts in gathered)]
