"""Rules from JAX's primitives to ONNX: arithmetic, sums, products."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax
from onnx import helper

from mefnet_jax.ops import primitives
from mefnet_jax.predict.export import graph as graphs
from mefnet_jax.predict.export import layers, shapes

_SAME = {
  'abs': 'Abs',
  'acos': 'Acos',
  'add_any': 'Add',
  'and': 'And',
  'asin': 'Asin',
  'atan': 'Atan',
  'ceil': 'Ceil',
  'cos': 'Cos',
  'eq': 'Equal',
  'erf': 'Erf',
  'exp': 'Exp',
  'floor': 'Floor',
  'ge': 'GreaterOrEqual',
  'gt': 'Greater',
  'le': 'LessOrEqual',
  'log': 'Log',
  'logistic': 'Sigmoid',
  'lt': 'Less',
  'min': 'Min',
  'neg': 'Neg',
  'not': 'Not',
  'or': 'Or',
  'pow': 'Pow',
  'sign': 'Sign',
  'sin': 'Sin',
  'sqrt': 'Sqrt',
  'sub': 'Sub',
  'tan': 'Tan',
  'tanh': 'Tanh',
}
_REDUCTIONS = {
  'reduce_max': 'ReduceMax',
  'reduce_min': 'ReduceMin',
  'reduce_sum': 'ReduceSum',
}


def _plain(kind):
  def rule(graph, eqn, *values):
    return graphs.elementwise(graph, kind, *values)

  return rule


def _with_neutral(kind, neutral, sides):
  """A rule that leaves x + 0, x * 1 and x / 1 as x."""

  def rule(graph, eqn, *values):
    shape = eqn.outvars[0].aval.shape
    for side in sides:
      one, other = values[side], values[1 - side]
      # A neutral array may still give the other its shape.
      if other.shape == shape and _is_all(one, neutral):
        return other
    return graphs.elementwise(graph, kind, *values)

  return rule


def _is_all(value, number):
  return value.constant is not None and bool(np.all(value.constant == number))


def _maximum(graph, eqn, *values):
  """A maximum with zero is a ReLU, which runtimes fuse with what precedes."""
  for one, other in (values, values[::-1]):
    if _is_all(one, -np.inf) and other.shape == eqn.outvars[0].aval.shape:
      return other
    if _is_all(one, 0) and one.constant.dtype == np.float32:
      return graphs.elementwise(graph, 'Relu', other)
  return graphs.elementwise(graph, 'Max', *values)


def _square(graph, eqn, x):
  return graphs.elementwise(graph, 'Mul', x, x)


def _power(graph, eqn, x):
  if eqn.params['y'] == 2:
    return _square(graph, eqn, x)
  exponent = graphs.known(np.array(eqn.params['y'], np.float32))
  return graphs.elementwise(graph, 'Pow', x, exponent)


def _one_minus_erf(graph, eqn, x):
  return _shifted(graph, 'Sub', 1, graphs.elementwise(graph, 'Erf', x))


def _log_of_one_more(graph, eqn, x):
  return graphs.elementwise(graph, 'Log', _shifted(graph, 'Add', 1, x))


def _exp_less_one(graph, eqn, x):
  return _shifted(graph, 'Add', -1, graphs.elementwise(graph, 'Exp', x))


def _power_of_two(graph, eqn, x):
  return _shifted(graph, 'Pow', 2, x)


def _shifted(graph, kind, number, x):
  """The operation `kind` on a number and x, such as number + x."""
  return graphs.elementwise(graph, kind, graphs.known(np.float32(number)), x)


def _inverse_root(graph, eqn, x):
  root = graphs.elementwise(graph, 'Sqrt', x)
  return graphs.elementwise(graph, 'Reciprocal', root)


def _unequal(graph, eqn, *values):
  return graphs.elementwise(
    graph, 'Not', graphs.elementwise(graph, 'Equal', *values)
  )


def _round(graph, eqn, x):
  if eqn.params['rounding_method'] != lax.RoundingMethod.TO_NEAREST_EVEN:
    raise NotImplementedError('rounding of halves away from zero')
  return graphs.elementwise(graph, 'Round', x)


def _remainder(graph, eqn, *values):
  return graphs.elementwise(graph, 'Mod', *values, fmod=1)


def _clamp(graph, eqn, low, x, high):
  raised = graphs.elementwise(graph, 'Max', x, low)
  return graphs.elementwise(graph, 'Min', raised, high)


def _select(graph, eqn, which, *cases):
  if len(cases) != 2:
    raise NotImplementedError('a choice among more than two')
  return graphs.elementwise(graph, 'Where', which, cases[1], cases[0])


def _cast(graph, eqn, x):
  dtype = np.dtype(eqn.params['new_dtype'])
  if dtype == eqn.invars[0].aval.dtype:
    return x
  kind = helper.np_dtype_to_tensor_dtype(dtype)
  return graphs.elementwise(graph, 'Cast', x, to=kind)


def _same(graph, eqn, *values):
  """Primitives that matter to XLA alone."""
  return list(values)


def _reduced(kind):
  def rule(graph, eqn, x):
    axes = set(eqn.params['axes'])
    shape = eqn.invars[0].aval.shape
    x = graph.full(
      x, [shape[a] if a in axes else n for a, n in enumerate(x.shape)]
    )
    while axes:
      # A node reduces axes that lie side by side; others take their turn.
      x, axes = _last_run(graph, kind, x, axes)
    return x

  return rule


def _last_run(graph, kind, x, axes):
  """Reduces the last adjacent axes of the graph; returns the remaining ones."""
  places = [i for i, group in enumerate(x.layout) if set(group) <= axes]
  if not places or any(
    set(group) & axes and not set(group) <= axes
    for group in x.layout[places[-1] :]
  ):
    layout = graphs.singles(x.order)
    name = graph.arranged(x, layout)
    return graphs.Value(x.shape, layout, name), axes
  run = [places[-1]]
  while run[0] - 1 in places:
    run.insert(0, run[0] - 1)
  name = _over_images(graph, kind, x, run)
  name = name or graph.node(kind, x.name, graph.whole_numbers(*run), keepdims=0)
  gone = {axis for i in run for axis in x.layout[i]}
  stay = [axis for axis in range(len(x.shape)) if axis not in gone]
  place = {axis: i for i, axis in enumerate(stay)}
  layout = tuple(
    tuple(place[a] for a in group)
    for i, group in enumerate(x.layout)
    if i not in run
  )
  shape = tuple(x.shape[a] for a in stay)
  return graphs.Value(shape, layout, name), {place[a] for a in axes - gone}


def _over_images(graph, kind, x, run):
  """A sum or maximum over images (N, C, H, W) as a pooling, which runtimes do
  in place, as `layers.pooling`; '' for others."""
  pools = {'ReduceSum': 'GlobalAveragePool', 'ReduceMax': 'GlobalMaxPool'}
  if kind not in pools or len(x.layout) != 4 or run != [2, 3]:
    return ''
  count = np.prod([x.shape[a] for i in run for a in x.layout[i]])
  channels = graphs.size(x.shape, x.layout[1])
  name = graph.reshaped(graph.node(pools[kind], x.name), [-1, channels])
  if kind == 'ReduceMax':
    return name
  return graph.node('Mul', name, graph.constant(np.float32(count)))


def _product(graph, eqn, x, y):
  """`dot_general` as one MatMul: (rows, sum) times (sum, columns)."""
  (x_sum, y_sum), (x_batch, y_batch) = eqn.params['dimension_numbers']
  x = graph.full(x, eqn.invars[0].aval.shape)
  y = graph.full(y, eqn.invars[1].aval.shape)
  rows = _others(x, x_sum, x_batch)
  columns = _others(y, y_sum, y_batch)
  name = graph.node(
    'MatMul',
    graph.arranged(x, (*graphs.singles(x_batch), rows, tuple(x_sum))),
    graph.arranged(y, (*graphs.singles(y_batch), tuple(y_sum), columns)),
  )
  count, left = len(x_batch), len(x_batch) + len(rows)
  layout = (
    *graphs.singles(range(count)),
    tuple(range(count, left)),
    tuple(range(left, left + len(columns))),
  )
  shape = tuple(eqn.outvars[0].aval.shape)
  # MatMul wants rows and columns; where there are none they have length 1.
  if () in layout:
    layout = tuple(group for group in layout if group)
    name = graph.reshaped(name, [graphs.size(shape, g) for g in layout])
  return graphs.Value(shape, layout, name)


def _others(x, *taken):
  gone = {axis for axes in taken for axis in axes}
  return tuple(axis for axis in range(len(x.shape)) if axis not in gone)


RULES: dict[str, Callable[..., Any]] = {
  **{name: _plain(kind) for name, kind in _SAME.items()},
  **{name: _reduced(kind) for name, kind in _REDUCTIONS.items()},
  'add': _with_neutral('Add', 0, (0, 1)),
  'div': _with_neutral('Div', 1, (1,)),
  'erfc': _one_minus_erf,
  'exp2': _power_of_two,
  'expm1': _exp_less_one,
  'mul': _with_neutral('Mul', 1, (0, 1)),
  'broadcast_in_dim': shapes.broadcast,
  'clamp': _clamp,
  'concatenate': shapes.concatenate,
  'conv_general_dilated': layers.plain_convolution,
  'convert_element_type': _cast,
  'copy': _same,
  'dot_general': _product,
  'gather': shapes.gather,
  'integer_pow': _power,
  'log1p': _log_of_one_more,
  'max': _maximum,
  'ne': _unequal,
  'optimization_barrier': _same,
  'pad': shapes.pad,
  'reduce_window_max': layers.window_maximum,
  'reduce_window_sum': layers.window_sum,
  'rem': _remainder,
  'reshape': shapes.reshape,
  'rev': shapes.reverse,
  'round': _round,
  'rsqrt': _inverse_root,
  'select_n': _select,
  'slice': shapes.slices,
  'split': shapes.split,
  'square': _square,
  'squeeze': shapes.reshape,
  'stack': shapes.stack,
  'stop_gradient': _same,
  'transpose': shapes.transpose,
  primitives.CONVOLUTION.name: layers.convolution,
  primitives.POOLING.name: layers.pooling,
}
